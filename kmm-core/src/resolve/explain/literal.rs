//! Where a literal and a kernel part ways.

use std::fmt;

use serde::Serialize;

/// Where a literal and a kernel part ways. Places are bytes from the start of either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum LiteralMiss {
    /// They differ in a character.
    Differs {
        /// Where it stands.
        at: usize,
        /// What the literal has there.
        literal: char,
        /// What the kernel has there.
        kernel: char,
    },
    /// The literal is the start of the kernel.
    KernelLonger {
        /// Where the literal ends.
        at: usize,
        /// How the kernel goes on.
        rest: String,
    },
    /// The kernel is the start of the literal.
    KernelShorter {
        /// Where the kernel ends.
        at: usize,
        /// How the literal goes on.
        rest: String,
    },
    /// The literal is the kernel as the node reports it, with the `+` at the end that is dropped before mappings see
    /// it.
    TrailingPlus,
}

impl LiteralMiss {
    /// Compares a literal with a kernel in matched form; `None` where they are the same.
    pub(super) fn of(literal: &str, matched: &str, raw: &str) -> Option<Self> {
        if literal == matched {
            return None;
        }
        if literal == raw {
            return Some(Self::TrailingPlus);
        }
        let mut at = 0;
        let mut left = literal.chars();
        let mut right = matched.chars();
        loop {
            match (left.next(), right.next()) {
                (Some(a), Some(b)) if a == b => at += a.len_utf8(),
                (Some(literal), Some(kernel)) => {
                    return Some(Self::Differs { at, literal, kernel });
                }
                (None, Some(first)) => {
                    let rest = format!("{first}{}", right.as_str());
                    return Some(Self::KernelLonger { at, rest });
                }
                (Some(first), None) => {
                    let rest = format!("{first}{}", left.as_str());
                    return Some(Self::KernelShorter { at, rest });
                }
                (None, None) => return None,
            }
        }
    }
}

impl fmt::Display for LiteralMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs { at, literal, kernel } => {
                write!(
                    f,
                    "byte {at} is {literal:?} in the literal and {kernel:?} in the kernel"
                )
            }
            Self::KernelLonger { rest, .. } => write!(f, "the kernel goes on with `{rest}`"),
            Self::KernelShorter { rest, .. } => write!(f, "the kernel ends before `{rest}`"),
            Self::TrailingPlus => f.write_str(
                "one `+` at the end of a kernel is dropped before mappings see it; drop it here too",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LiteralMiss as Miss;

    #[test]
    fn every_way_to_miss() {
        let of = |literal: &str, raw: &str| Miss::of(literal, raw.strip_suffix('+').unwrap_or(raw), raw);
        assert_eq!(of("6.1.0", "6.1.0"), None);
        assert_eq!(of("6.1.0", "6.1.0+"), None);
        assert_eq!(of("6.1.0+", "6.1.0+"), Some(Miss::TrailingPlus));
        let (literal, kernel) = ('é', '0');
        assert_eq!(
            of("6.1.é", "6.1.0"),
            Some(Miss::Differs {
                at: 4,
                literal,
                kernel
            })
        );
        let rest = "-rt".to_owned();
        assert_eq!(
            of("6.1", "6.1-rt"),
            Some(Miss::KernelLonger {
                at: 3,
                rest: rest.clone()
            })
        );
        assert_eq!(of("6.1-rt", "6.1"), Some(Miss::KernelShorter { at: 3, rest }));
    }
}
