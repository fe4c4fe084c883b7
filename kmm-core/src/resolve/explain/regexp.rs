//! How near a kernel came to a regexp.

use std::fmt;

use serde::Serialize;

use crate::pattern::Miss;
use crate::pattern::Pattern;

/// How near a kernel came to a regexp that it does not match. Places are bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum RegexpMiss {
    /// No kernel release at all matches.
    MatchesNothing {
        /// Why, in one line.
        reason: String,
        /// First byte and end of the part of the regexp to blame, if it is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        part: Option<(usize, usize)>,
    },
    /// A part of the kernel fits, and what comes after it does not.
    Stopped {
        /// First byte and end of the longest part of the kernel that some text could have continued to a match.
        fits: (usize, usize),
        /// That part.
        text: String,
        /// What could have come after it.
        expected: String,
        /// What came after it; `None` at the end of the kernel.
        found: Option<char>,
        /// The part of the regexp that the best attempt broke at, if one can be named.
        #[serde(skip_serializing_if = "Option::is_none")]
        stuck: Option<StuckPart>,
    },
    /// It does not match; how near it came is too large a question.
    CannotTell,
}

/// The part of a regexp that a kernel did not give what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StuckPart {
    /// The byte of the kernel.
    pub at: usize,
    /// First byte and end of the part of the regexp.
    pub part: (usize, usize),
    /// That part as it is written.
    pub written: String,
}

impl RegexpMiss {
    /// Compares a regexp with a kernel (in matched form) that it does not match.
    pub fn of(pattern: &Pattern, kernel: &str) -> Self {
        match pattern.explain_miss(kernel) {
            Miss::MatchesNothing(nothing) => Self::MatchesNothing {
                reason: nothing.to_string(),
                part: nothing.span().map(|span| (span.start, span.end)),
            },
            Miss::Stopped(stop) => Self::Stopped {
                fits: (stop.matched.start, stop.matched.end),
                text: kernel.get(stop.matched.clone()).unwrap_or_default().to_owned(),
                expected: stop.expected.to_string(),
                found: kernel
                    .get(stop.matched.end..)
                    .and_then(|rest| rest.chars().next()),
                stuck: stop.stuck.map(|stuck| StuckPart {
                    at: stuck.at,
                    written: pattern
                        .as_str()
                        .get(stuck.pattern.clone())
                        .unwrap_or_default()
                        .to_owned(),
                    part: (stuck.pattern.start, stuck.pattern.end),
                }),
            },
            Miss::Matches(_) | Miss::CannotTell => Self::CannotTell,
        }
    }
}

impl fmt::Display for RegexpMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MatchesNothing { reason, .. } => write!(f, "it matches nothing: {reason}"),
            Self::Stopped {
                fits,
                text,
                expected,
                found,
                stuck,
                ..
            } => {
                if let (Some(StuckPart { at, written, .. }), None) = (stuck, found)
                    && let Some(rest) = text.get(at.saturating_sub(fits.0)..).filter(|_| *at >= fits.0)
                {
                    // The whole kernel could go on, as behind `.+`: where it went wrong says more.
                    write!(f, "at byte {at} it asks for `{written}`, and the kernel ")?;
                    return match rest {
                        "" => f.write_str("ends there"),
                        rest => write!(f, "goes on with `{rest}`"),
                    };
                }
                if text.is_empty() {
                    write!(f, "no part of the kernel fits; {expected} could come first")?;
                } else {
                    write!(f, "`{text}` fits, then {expected} could come")?;
                    match found {
                        Some(found) => write!(f, ", not `{found}`")?,
                        None => f.write_str(", but the kernel ends")?,
                    }
                }
                if let Some(StuckPart { at, written, .. }) = stuck {
                    write!(f, "; `{written}` finds nothing at byte {at}")?;
                }
                Ok(())
            }
            Self::CannotTell => f.write_str("it does not match"),
        }
    }
}
