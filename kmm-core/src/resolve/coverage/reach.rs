//! Whether a mapping can win at all.

use std::fmt;

use serde::Serialize;

use crate::module::Compiled;
use crate::module::Mapping;
use crate::pattern::Covered;
use crate::pattern::Matcher;
use crate::pattern::Pattern;
use crate::pattern::Witness;
use crate::pattern::covers;

/// With more earlier mappings than this, all of them are named as those that together shadow a mapping.
const MAX_BLAMED: usize = 32;

/// Whether there is any kernel that a mapping could win.
///
/// Kernels are what `uname` can give: 1 to 64 printable ASCII characters other than blank and `/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum Reach {
    /// There is.
    Reachable {
        /// A kernel, in matched form, that it wins: one of those in use where it wins one of them.
        witness: String,
    },
    /// No kernel is what it asks for.
    MatchesNothing {
        /// Why, in one line.
        reason: String,
    },
    /// Every kernel that it takes is taken before.
    Shadowed {
        /// Earlier mappings that together take them all: one, or else as few as can be told.
        by: Vec<usize>,
    },
    /// Every kernel that is not taken before stops at an earlier regexp that Go refuses.
    Hidden {
        /// The mapping with that regexp.
        behind: usize,
    },
    /// Go refuses its own regexp.
    Refused {
        /// Why, in Go's words.
        error: String,
    },
    /// It has neither literal nor regexp.
    Empty,
    /// Nobody knows: the regexps are too large to be compared.
    CannotTell,
}

impl Reach {
    /// Whether the mapping can never win.
    pub fn is_dead(&self) -> bool {
        match self {
            Self::Reachable { .. } | Self::CannotTell => false,
            Self::MatchesNothing { .. }
            | Self::Shadowed { .. }
            | Self::Hidden { .. }
            | Self::Refused { .. }
            | Self::Empty => true,
        }
    }

    /// Whether the mapping at `index` can win any kernel.
    pub fn of(compiled: &Compiled, index: usize) -> Self {
        let mappings = compiled.mappings();
        let Some(mapping) = mappings.get(index) else {
            return Self::Empty;
        };
        let earlier = mappings.get(..index).unwrap_or_default();
        if let Some(refused) = earlier.iter().find(|mapping| is_refused(mapping)) {
            return Self::Hidden {
                behind: refused.index(),
            };
        }
        let of_literal = mapping
            .literal()
            .map(|literal| reach_of_literal(literal, earlier));
        if let Some(reach @ Self::Reachable { .. }) = of_literal {
            return reach;
        }
        let of_regexp = mapping.pattern().map(|pattern| match pattern {
            Ok(pattern) => reach_of_pattern(pattern, earlier),
            Err(error) => Self::Refused {
                error: error.to_string(),
            },
        });
        match (of_literal, of_regexp) {
            (None, None) => Self::Empty,
            (Some(reach), None) | (None, Some(reach)) => reach,
            (Some(Self::Shadowed { by: mut all }), Some(Self::Shadowed { by })) => {
                all.extend(by);
                all.sort_unstable();
                all.dedup();
                Self::Shadowed { by: all }
            }
            (Some(_), Some(reach)) => reach,
        }
    }
}

fn is_refused(mapping: &Mapping) -> bool {
    matches!(mapping.pattern(), Some(Err(_)))
}

fn reach_of_literal(literal: &str, earlier: &[Mapping]) -> Reach {
    if let Some(odd) = literal.chars().find(|c| !c.is_ascii_graphic() || *c == '/') {
        let reason = format!("no kernel release has the character {odd:?}");
        return Reach::MatchesNothing { reason };
    }
    if literal.len() > 64 {
        let reason = "no kernel release has more than 64 characters".to_owned();
        return Reach::MatchesNothing { reason };
    }
    let taken = |mapping: &&Mapping| matches!(mapping.takes(literal), Ok(Some(_)));
    match earlier.iter().find(taken) {
        Some(mapping) => Reach::Shadowed {
            by: vec![mapping.index()],
        },
        None => Reach::Reachable {
            witness: literal.to_owned(),
        },
    }
}

fn reach_of_pattern(pattern: &Pattern, earlier: &[Mapping]) -> Reach {
    match pattern.witness() {
        Witness::Nothing(nothing) => {
            return Reach::MatchesNothing {
                reason: nothing.to_string(),
            };
        }
        Witness::Some(witness) => {
            // Only a mapping that takes this kernel can take all of them.
            let takes = |mapping: &&Mapping| matches!(mapping.takes(&witness), Ok(Some(_)));
            let mut takers = earlier.iter().filter(takes).peekable();
            if takers.peek().is_none() {
                return Reach::Reachable { witness };
            }
            if let Some(mapping) = takers.find(|mapping| covered([*mapping], pattern) == Covered::Yes) {
                return Reach::Shadowed {
                    by: vec![mapping.index()],
                };
            }
        }
        Witness::CannotTell => {}
    }
    match covered(earlier, pattern) {
        Covered::No { witness } => Reach::Reachable { witness },
        Covered::CannotTell => Reach::CannotTell,
        Covered::Yes => Reach::Shadowed {
            by: blamed(earlier, pattern),
        },
    }
}

/// Few of the mappings that cover the later one together: none of them can be left out.
fn blamed(earlier: &[Mapping], pattern: &Pattern) -> Vec<usize> {
    let mut needed: Vec<&Mapping> = earlier.iter().collect();
    let mut at = needed.len();
    while let Some(before) = at.checked_sub(1).filter(|_| earlier.len() <= MAX_BLAMED) {
        at = before;
        let mut fewer = needed.clone();
        fewer.remove(at);
        if covered(fewer.iter().copied(), pattern) == Covered::Yes {
            needed = fewer;
        }
    }
    needed.iter().map(|mapping| mapping.index()).collect()
}

fn covered<'m>(earlier: impl IntoIterator<Item = &'m Mapping>, pattern: &Pattern) -> Covered {
    let mut matchers = Vec::new();
    for mapping in earlier {
        matchers.extend(mapping.literal().map(Matcher::Literal));
        if let Some(Ok(pattern)) = mapping.pattern() {
            matchers.push(Matcher::Pattern(pattern));
        }
    }
    covers(&matchers, Matcher::Pattern(pattern))
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reachable { witness } => write!(f, "can win, for example `{witness}`"),
            Self::MatchesNothing { reason } => write!(f, "can never win: {reason}"),
            Self::Shadowed { by } => {
                let list: Vec<String> = by
                    .iter()
                    .map(|index| format!("kernelMappings[{index}]"))
                    .collect();
                let verb = if by.len() == 1 { "takes" } else { "together take" };
                write!(f, "can never win: {} {verb} all that it would", list.join(", "))
            }
            Self::Hidden { behind } => {
                write!(
                    f,
                    "can never win: the regexp of kernelMappings[{behind}] is refused, and hides it"
                )
            }
            Self::Refused { error } => write!(f, "can never win: {error}"),
            Self::Empty => f.write_str("can never win: it has neither literal nor regexp"),
            Self::CannotTell => {
                f.write_str("wins none of these kernels; whether it can win one cannot be told")
            }
        }
    }
}
