//! Whether the module that is loaded is the one of the image.

use std::collections::BTreeMap;

use crate::kmod::Decompress;
use crate::kmod::KernelObject;
use crate::kmod::KmodError;
use crate::kmod::elf::ElfFile;
use crate::kmod::unpack;
use crate::modprobe::Parameter;
use crate::modprobe::fold_name;

/// What `/sys/module/<name>` shows of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Whether the folder is there.
    pub exists: bool,
    /// `initstate`; parts of the kernel have none.
    pub initstate: Option<String>,
    /// `srcversion`; modules without `MODULE_VERSION` may have none.
    pub srcversion: Option<String>,
    /// `notes/.note.gnu.build-id`, as it is.
    pub build_id: Option<Vec<u8>>,
    /// `refcnt`.
    pub users: Option<i64>,
    /// `holders`: modules that use it.
    pub holders: Vec<String>,
    /// `parameters`: those that can be read.
    pub parameters: BTreeMap<String, String>,
}

/// Whether a module is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not.
    Absent,
    /// It is a part of the kernel.
    BuiltIn,
    /// Its initialisation runs.
    Coming,
    /// It is loaded.
    Live,
    /// It is on its way out.
    Going,
}

impl State {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::BuiltIn => "builtIn",
            Self::Coming => "coming",
            Self::Live => "live",
            Self::Going => "going",
        }
    }
}

impl Observed {
    /// Whether it is loaded.
    pub fn state(&self) -> State {
        match (self.exists, self.initstate.as_deref()) {
            (false, _) => State::Absent,
            (true, None) => State::BuiltIn,
            (true, Some("coming")) => State::Coming,
            (true, Some("going")) => State::Going,
            (true, Some(_)) => State::Live,
        }
    }

    /// Who uses it, in words; `None` where nobody does.
    pub fn in_use(&self) -> Option<String> {
        match (self.holders.is_empty(), self.users) {
            (false, _) => Some(format!("used by module {}", self.holders.join(", "))),
            (true, Some(users)) if users > 0 => Some(format!(
                "held: its `refcnt` is {users} and its `holders` is empty, so that no module that the kernel names holds \
                 it, but a process (an open device), a mounted file system, or code of the kernel or of a module that \
                 took it while it ran"
            )),
            (true, _) => None,
        }
    }
}

/// What the image's file says of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// `srcversion` of `.modinfo`.
    pub srcversion: Option<String>,
    /// `.note.gnu.build-id`, as it is.
    pub build_id: Option<Vec<u8>>,
    /// The types of its parameters, by name with `_`.
    pub parameters: BTreeMap<String, Option<String>>,
}

impl Expected {
    /// Reads it from a file and the object that was made of it.
    ///
    /// # Errors
    ///
    /// When the file cannot be unpacked, or is no ELF file.
    pub fn of(bytes: &[u8], object: &KernelObject, decompress: &dyn Decompress) -> Result<Self, KmodError> {
        let bytes = unpack(bytes, decompress)?;
        let elf = ElfFile::parse(&bytes)?;
        let note = elf.section(".note.gnu.build-id");
        let parameters = object.info.parameters();
        Ok(Self {
            srcversion: object.info.value("srcversion").map(std::borrow::Cow::into_owned),
            build_id: note.map(|(_, bytes)| bytes.to_vec()),
            parameters: parameters
                .into_iter()
                .map(|parameter| (fold_name(&parameter.name), parameter.kind))
                .collect(),
        })
    }

    /// Compares it with what is loaded.
    ///
    /// # Example: another build under the same name
    ///
    /// ```
    /// use kmm_core::worker::loaded::{Expected, Identity, Observed};
    ///
    /// let ours = Expected { srcversion: Some("A1".to_owned()), ..Default::default() };
    /// let there = Observed { srcversion: Some("B2".to_owned()), ..Default::default() };
    /// assert_eq!(ours.identity(&there), Identity::Other("srcversion is `B2`, the image has `A1`".to_owned()));
    /// ```
    pub fn identity(&self, observed: &Observed) -> Identity {
        let builds = match (&self.build_id, &observed.build_id) {
            (Some(ours), Some(theirs)) => Some((ours == theirs, ours, theirs)),
            _ => None,
        };
        match (&self.srcversion, &observed.srcversion, builds) {
            (Some(ours), Some(theirs), _) if ours != theirs => {
                Identity::Other(format!("srcversion is `{theirs}`, the image has `{ours}`"))
            }
            (Some(_), Some(_), Some((false, ours, theirs))) => Identity::Rebuilt(format!(
                "build id is `{}`, the image has `{}`",
                id(theirs),
                id(ours)
            )),
            (Some(ours), Some(_), _) => Identity::Same(format!("srcversion {ours}")),
            (_, _, Some((true, ours, _))) => Identity::Same(format!("build id {}", id(ours))),
            (_, _, Some((false, ours, theirs))) => Identity::Other(format!(
                "build id is `{}`, the image has `{}`",
                id(theirs),
                id(ours)
            )),
            // The image's module always shows what it has: the kernel keeps both as long as it is loaded.
            (Some(ours), None, None) => {
                Identity::Other(format!("it has no srcversion, the image has `{ours}`"))
            }
            (None, Some(theirs), None) => {
                Identity::Other(format!("srcversion is `{theirs}`, the image has none"))
            }
            (None, None, None) => Identity::Unknown,
        }
    }

    /// Holds parameters to what is loaded. A parameter that stands twice has the last value.
    pub fn parameters(&self, wanted: &[String], observed: &Observed) -> Vec<ParameterFinding> {
        let mut last = BTreeMap::new();
        for parameter in wanted.iter().filter_map(|entry| Parameter::parse(entry).ok()) {
            last.insert(fold_name(&parameter.key), parameter.value);
        }
        let mut findings = Vec::new();
        for (name, value) in last {
            let Some(kind) = self.parameters.get(&name) else {
                // `module.parm` and `dyndbg` are for the kernel itself.
                if !name.contains('.') && name != "dyndbg" && name != "async_probe" {
                    findings.push(ParameterFinding::Unknown { name });
                }
                continue;
            };
            let Some(shown) = observed.parameters.get(&name) else {
                continue;
            };
            let wanted = value.unwrap_or_else(|| "1".to_owned());
            if !same_value(kind.as_deref(), &wanted, shown.trim_end_matches('\n')) {
                findings.push(ParameterFinding::Differs {
                    name,
                    wanted,
                    shown: shown.trim_end_matches('\n').to_owned(),
                });
            }
        }
        findings
    }
}

/// What came out of the comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// It is the image's: what shows it.
    Same(String),
    /// It is of the same source, but another build of it: what shows it.
    Rebuilt(String),
    /// It is another one: what shows it.
    Other(String),
    /// Neither has anything to compare.
    Unknown,
}

/// A parameter that is not as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterFinding {
    /// The module has none of this name.
    Unknown {
        /// The name.
        name: String,
    },
    /// It has another value.
    Differs {
        /// The name.
        name: String,
        /// What was asked for.
        wanted: String,
        /// What there is.
        shown: String,
    },
}

/// The bytes of a build id: what follows the header (12 bytes) and the name (4 bytes) of the note.
fn id(note: &[u8]) -> String {
    let bytes = note.get(16..).unwrap_or(note);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `/sys` shows the value that was asked for. Where the type is not known, any reading of both counts.
fn same_value(kind: Option<&str>, wanted: &str, shown: &str) -> bool {
    match kind {
        Some("charp" | "string") => wanted == shown,
        Some("bool" | "bint" | "bool_enable_only") => {
            truth(wanted).is_none_or(|truth| Some(truth) == self::truth(shown))
        }
        Some("invbool") => truth(wanted).is_none_or(|truth| Some(!truth) == self::truth(shown)),
        Some("int" | "uint" | "long" | "ulong" | "short" | "ushort" | "byte" | "hexint" | "ullong") => {
            number(wanted).is_none_or(|number| Some(number) == self::number(shown))
        }
        Some(kind) => match kind.strip_prefix("array of ") {
            Some(inner) => {
                let parts = (wanted.split(','), shown.split(','));
                // An array has room for more than was given, and `/sys` may show all of it.
                parts.0.clone().count() <= parts.1.clone().count()
                    && parts
                        .0
                        .zip(parts.1)
                        .all(|(wanted, shown)| same_value(Some(inner), wanted, shown))
            }
            // A type of the module's own: nothing says how it shows itself.
            None => true,
        },
        None => {
            wanted == shown
                || (number(wanted).is_some() && number(wanted) == number(shown))
                || (truth(wanted).is_some() && truth(wanted) == truth(shown))
        }
    }
}

/// A truth value as the kernel reads it: by the first one or two letters.
fn truth(text: &str) -> Option<bool> {
    match text.as_bytes() {
        [b'y' | b'Y' | b't' | b'T' | b'1', ..] | [b'o' | b'O', b'n' | b'N', ..] => Some(true),
        [b'n' | b'N' | b'f' | b'F' | b'0', ..] | [b'o' | b'O', b'f' | b'F', ..] => Some(false),
        _ => None,
    }
}

/// A number as the kernel reads it: `0x` for base 16, `0` for base 8.
fn number(text: &str) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let value = match (hex, digits.strip_prefix('0')) {
        (Some(hex), _) => i128::from_str_radix(hex, 16),
        (None, Some(octal)) if !octal.is_empty() => i128::from_str_radix(octal, 8),
        (None, _) => digits.parse(),
    };
    value.ok().map(|value| if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_as_the_kernel_shows_them() {
        for (kind, wanted, shown, same) in [
            ("int", "7", "7", true),
            ("int", "0x10", "16", true),
            ("int", "010", "8", true),
            ("int", "-1", "-1", true),
            ("int", "7", "8", false),
            ("uint", "7", "4294967295", false),
            ("bool", "1", "Y", true),
            ("bool", "off", "N", true),
            ("bool", "y", "N", false),
            ("invbool", "1", "N", true),
            ("charp", "salut", "salut", true),
            ("charp", "salut", "(null)", false),
            ("array of int", "1,0x2", "1,2,0", true),
            ("array of int", "1,2", "1,3", false),
            ("array of int", "1,2,3", "1,2", false),
            ("acme_mode", "fast", "2", true),
        ] {
            assert_eq!(
                same_value(Some(kind), wanted, shown),
                same,
                "{kind} {wanted} {shown}"
            );
        }
        assert!(same_value(None, "1", "Y") && !same_value(None, "a", "b"));
    }

    #[test]
    fn states() {
        let mut observed = Observed::default();
        assert_eq!(observed.state(), State::Absent);
        observed.exists = true;
        assert_eq!(observed.state(), State::BuiltIn);
        observed.initstate = Some("live".to_owned());
        assert_eq!(observed.state(), State::Live);
        observed.users = Some(2);
        assert!(
            observed
                .in_use()
                .unwrap()
                .contains("its `refcnt` is 2 and its `holders` is empty")
        );
        observed.holders = vec!["x".to_owned()];
        assert_eq!(observed.in_use().unwrap(), "used by module x");
    }

    #[test]
    fn identities() {
        let text = |text: &str| Some(text.to_owned());
        let note = |last: u8| Some([&[0; 16][..], &[last]].concat());
        type Side = (Option<String>, Option<Vec<u8>>);
        let identity = |ours: Side, theirs: Side| {
            let expected = Expected {
                srcversion: ours.0,
                build_id: ours.1,
                ..Expected::default()
            };
            expected.identity(&Observed {
                srcversion: theirs.0,
                build_id: theirs.1,
                ..Observed::default()
            })
        };
        assert!(matches!(
            identity((text("a"), note(1)), (text("a"), note(1))),
            Identity::Same(_)
        ));
        assert!(matches!(
            identity((text("a"), note(1)), (text("a"), None)),
            Identity::Same(_)
        ));
        assert!(matches!(
            identity((text("a"), note(1)), (text("a"), note(2))),
            Identity::Rebuilt(_)
        ));
        assert!(matches!(
            identity((text("a"), note(1)), (text("b"), note(1))),
            Identity::Other(_)
        ));
        assert!(matches!(
            identity((None, note(1)), (None, note(1))),
            Identity::Same(_)
        ));
        assert!(matches!(
            identity((None, note(1)), (None, note(2))),
            Identity::Other(_)
        ));
        assert!(matches!(
            identity((text("a"), None), (None, None)),
            Identity::Other(_)
        ));
        assert_eq!(identity((None, None), (None, note(1))), Identity::Unknown);
    }

    #[test]
    fn parameters() {
        let expected = Expected {
            parameters: [
                ("a".to_owned(), text("int")),
                ("b".to_owned(), text("bool")),
                ("c".to_owned(), None),
            ]
            .into(),
            ..Expected::default()
        };
        fn text(text: &str) -> Option<String> {
            Some(text.to_owned())
        }
        let observed = Observed {
            parameters: [
                ("a".to_owned(), "5\n".to_owned()),
                ("b".to_owned(), "Y\n".to_owned()),
            ]
            .into(),
            ..Observed::default()
        };
        let wanted = ["a=4", "a=6", "b", "c=1", "no-such=1", "dyndbg=+p"].map(str::to_owned);
        let findings = expected.parameters(&wanted, &observed);
        let differs = ParameterFinding::Differs {
            name: "a".to_owned(),
            wanted: "6".to_owned(),
            shown: "5".to_owned(),
        };
        assert_eq!(
            findings,
            [
                differs,
                ParameterFinding::Unknown {
                    name: "no_such".to_owned()
                }
            ]
        );
    }
}
