//! The `.modinfo` section: what a module says of itself, pair by pair.
//!
//! Surprises:
//! - A string without `=` is a key with an empty value.
//! - Keys repeat (`alias`, `parm`, `firmware`, `softdep`, `import_ns`), and `depends` is one comma-separated value.
//! - A parameter is two pairs, `parm=NAME:DESCRIPTION` and `parmtype=NAME:TYPE`, and either may be missing.
//! - Values are bytes: nothing makes them UTF-8.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use crate::kmod::ByteSource;
use crate::kmod::KmodError;
use crate::kmod::compression::Decompress;
use crate::kmod::compression::unpack;
use crate::kmod::elf::ElfFile;
use crate::kmod::signature::Signature;
use crate::kmod::vermagic::Vermagic;

/// The pairs of `.modinfo` in their order, and the signature at the end of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleInfo {
    text: Vec<u8>,
    pairs: Vec<(Range<usize>, Range<usize>)>,
    signature: Option<Signature>,
}

/// A parameter of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type as the kernel names it (`int`, `charp`, `array of int`), where the module says it.
    pub kind: Option<String>,
    /// What it is for, where the module says it.
    pub description: Option<String>,
}

/// Modules that should be loaded before and after this one, if they are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SoftDependencies {
    /// Loaded before it.
    pub pre: Vec<String>,
    /// Loaded after it.
    pub post: Vec<String>,
}

/// What a module says of where it comes from and how it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// `intree`: it was built with the kernel; without it, loading taints the kernel (`O`).
    pub intree: bool,
    /// `retpoline`: it was compiled against speculation attacks.
    pub retpoline: bool,
    /// `staging`: it is from the staging tree; loading taints the kernel (`C`).
    pub staging: bool,
    /// `livepatch`: it patches the running kernel; loading taints the kernel (`K`).
    pub livepatch: bool,
}

impl ModuleInfo {
    /// Reads the pairs of a kernel object, and no other part of it.
    ///
    /// This is as forgiving as `modinfo`: damage in other sections does not matter.
    ///
    /// # Errors
    ///
    /// When the file cannot be unpacked, is no ELF file, its section headers are damaged, or there is no `.modinfo`.
    pub fn read(bytes: &[u8], decompress: &dyn Decompress) -> Result<Self, KmodError> {
        Self::read_from(&unpack(bytes, decompress)?)
    }

    /// The same of a plain file, of which only the parts are looked at that have to be.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub fn read_from(source: &dyn ByteSource) -> Result<Self, KmodError> {
        Self::of(&ElfFile::parse(source)?, source)
    }

    pub(crate) fn of(elf: &ElfFile<'_>, source: &dyn ByteSource) -> Result<Self, KmodError> {
        let (_, text) = elf
            .section(".modinfo")
            .ok_or(KmodError::Missing { section: ".modinfo" })?;
        // A signature that makes no sense is no reason to say nothing; `KernelObject` reports it.
        let signature = Signature::at_end_of(source).ok().flatten();
        if text.len() > LARGEST {
            let reason = format!("it has {} bytes, at most {LARGEST} are read", text.len());
            return Err(KmodError::damaged("section `.modinfo`", 0, reason));
        }
        let text = text.to_vec();
        let pairs = pairs(&text);
        Ok(Self {
            text,
            pairs,
            signature,
        })
    }

    /// The pairs in their order.
    pub fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs
            .iter()
            .map(|(key, value)| (self.bytes(key), self.bytes(value)))
    }

    /// The values of a key in their order, as bytes.
    pub fn raw<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.pairs()
            .filter(move |(name, _)| *name == key.as_bytes())
            .map(|(_, value)| value)
    }

    /// The values of a key in their order; what is no UTF-8 shows as `\u{fffd}`.
    pub fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        self.raw(key).map(String::from_utf8_lossy)
    }

    /// The first value of a key, as the kernel takes it.
    pub fn value<'a>(&'a self, key: &'a str) -> Option<Cow<'a, str>> {
        self.values(key).next()
    }

    /// The signature at the end of the file, where there is one that can be read.
    pub fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }

    /// What it was built for.
    pub fn vermagic(&self) -> Option<Vermagic> {
        self.value("vermagic").map(|text| Vermagic::parse(&text))
    }

    /// The modules it cannot do without.
    pub fn depends(&self) -> Vec<String> {
        let names = |value: Cow<'_, str>| {
            let named = value.split(',').filter(|name| !name.is_empty());
            named.map(str::to_owned).collect::<Vec<_>>()
        };
        self.value("depends").map(names).unwrap_or_default()
    }

    /// The modules of its `softdep` pairs.
    pub fn soft_dependencies(&self) -> SoftDependencies {
        let mut found = SoftDependencies::default();
        for value in self.values("softdep") {
            let mut list: Option<&mut Vec<String>> = None;
            for word in value.split_ascii_whitespace() {
                match word {
                    "pre:" => list = Some(&mut found.pre),
                    "post:" => list = Some(&mut found.post),
                    name => {
                        if let Some(list) = &mut list {
                            list.push(name.to_owned());
                        }
                    }
                }
            }
        }
        found
    }

    /// The modules of its `weakdep` pairs: it may load them later itself.
    pub fn weak_dependencies(&self) -> Vec<String> {
        let words = |value: Cow<'_, str>| {
            value
                .split_ascii_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        self.values("weakdep").flat_map(words).collect()
    }

    /// The parameters, in the order in which they are first named.
    pub fn parameters(&self) -> Vec<Parameter> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let whole = |raw: RawParameter<'_>| Parameter {
            name: text(raw.name),
            kind: raw.kind.map(text),
            description: raw.description.map(text),
        };
        self.raw_parameters().into_iter().map(whole).collect()
    }

    /// What it says of its origin.
    pub fn marks(&self) -> Marks {
        let has = |key| self.raw(key).next().is_some();
        Marks {
            intree: has("intree"),
            retpoline: has("retpoline"),
            staging: has("staging"),
            livepatch: has("livepatch"),
        }
    }

    /// Parameter pairs without the `:` that ends the name; `modinfo` says so on stderr and leaves them out.
    pub fn bad_parameters(&self) -> impl Iterator<Item = String> {
        let bad = |(key, value): &(&[u8], &[u8])| is_parameter(key) && !value.contains(&b':');
        self.pairs().filter(bad).map(|(key, value)| {
            format!(
                "{}={}",
                String::from_utf8_lossy(key),
                String::from_utf8_lossy(value)
            )
        })
    }

    pub(crate) fn raw_parameters(&self) -> Vec<RawParameter<'_>> {
        let mut found: Vec<RawParameter<'_>> = Vec::new();
        let mut places: HashMap<&[u8], usize> = HashMap::new();
        for (key, value) in self.pairs().filter(|(key, _)| is_parameter(key)) {
            let Some(colon) = value.iter().position(|byte| *byte == b':') else {
                continue;
            };
            let (name, rest) = value.split_at(colon);
            let rest = rest.get(1..).unwrap_or_default();
            let place = *places.entry(name).or_insert_with(|| {
                found.push(RawParameter {
                    name,
                    kind: None,
                    description: None,
                });
                found.len() - 1
            });
            if let Some(parameter) = found.get_mut(place) {
                let half = if key == b"parm" {
                    &mut parameter.description
                } else {
                    &mut parameter.kind
                };
                *half = Some(rest);
            }
        }
        found
    }

    /// The pairs of a section that was read before.
    pub(crate) fn from_text(text: Vec<u8>, signature: Option<Signature>) -> Self {
        let pairs = pairs(&text);
        Self {
            text,
            pairs,
            signature,
        }
    }

    /// The section as it is.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

/// A parameter as bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawParameter<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) kind: Option<&'a [u8]>,
    pub(crate) description: Option<&'a [u8]>,
}

pub(crate) fn is_parameter(key: &[u8]) -> bool {
    key == b"parm" || key == b"parmtype"
}

/// Bytes of `.modinfo` that are read. That of the largest drivers has a tenth of this; each of its strings takes 32 bytes.
const LARGEST: usize = 1 << 20;

/// Where the keys and values lie; runs of NUL part the strings.
pub(crate) fn pairs(text: &[u8]) -> Vec<(Range<usize>, Range<usize>)> {
    let mut found = Vec::new();
    // kmod takes a section whose only byte is left after its padding for an empty one.
    let padding = text.iter().take_while(|byte| **byte == 0).count();
    if text.len() - padding <= 1 {
        return found;
    }
    let mut start = 0;
    for string in text.split(|byte| *byte == 0) {
        let end = start + string.len();
        if !string.is_empty() {
            found.push(match string.iter().position(|byte| *byte == b'=') {
                Some(equals) => (start..start + equals, start + equals + 1..end),
                None => (start..end, end..end),
            });
        }
        start = end + 1;
    }
    found
}
