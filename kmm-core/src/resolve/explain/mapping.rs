//! Why one mapping did or did not win.

use std::fmt;
use std::ops::Range;

use serde::Serialize;
use serde::Serializer;

use crate::kernel::KernelVersion;
use crate::module::Loader;
use crate::module::Mapped;
use crate::module::Mapping;

use super::super::MappingChoice;
use super::super::ResolveError;
use super::LiteralMiss;
use super::RegexpMiss;

/// Why one mapping did or did not win.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MappingExplanation {
    /// Its place in `kernelMappings`, counted from 0.
    pub index: usize,
    /// The kernel that it names, if it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub literal: Option<String>,
    /// Its regexp, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regexp: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub verdict: MappingVerdict,
}

/// What became of a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "verdict")]
pub enum MappingVerdict {
    /// It is the first that takes the kernel.
    Won {
        /// Bytes of the kernel that the regexp is found at; `None` where the literal is the kernel.
        #[serde(serialize_with = "as_pair", skip_serializing_if = "Option::is_none")]
        found: Option<Range<usize>>,
    },
    /// It does not take the kernel.
    Missed {
        /// Where the literal misses, if it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        literal_miss: Option<LiteralMiss>,
        /// Where the regexp misses, if it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        regexp_miss: Option<RegexpMiss>,
    },
    /// Go refuses its regexp: the kernel gets nothing.
    Refused {
        /// Why, in Go's words.
        error: String,
    },
    /// It has neither literal nor regexp, and is skipped.
    Empty,
    /// An earlier one won, or has a regexp that Go refuses.
    NotReached {
        /// Which one.
        after: usize,
        /// Whether that one won.
        won: bool,
    },
}

pub(super) type Selected<'m> = Result<(&'m Loader, &'m Mapping, MappingChoice), ResolveError>;

/// Explains every mapping, given what was selected.
pub(super) fn explain(
    mappings: &[Mapping],
    kernel: &KernelVersion,
    selected: &Selected<'_>,
) -> Vec<MappingExplanation> {
    let decided = match selected {
        Ok((_, mapping, choice)) => Some((mapping.index(), won(mapping, kernel, choice.by))),
        Err(ResolveError::Regexp { index, error, .. }) => {
            let error = error.to_string();
            Some((*index, MappingVerdict::Refused { error }))
        }
        Err(_) => None,
    };
    mappings
        .iter()
        .map(|mapping| MappingExplanation {
            index: mapping.index(),
            literal: mapping.literal().map(str::to_owned),
            regexp: mapping.regexp().map(str::to_owned),
            verdict: match &decided {
                Some((index, verdict)) if *index == mapping.index() => verdict.clone(),
                Some((index, _)) if *index < mapping.index() => MappingVerdict::NotReached {
                    after: *index,
                    won: selected.is_ok(),
                },
                Some(_) | None => missed(mapping, kernel),
            },
        })
        .collect()
}

fn won(mapping: &Mapping, kernel: &KernelVersion, by: Mapped) -> MappingVerdict {
    let found = match (by, mapping.pattern()) {
        (Mapped::Regexp, Some(Ok(pattern))) => pattern.find(kernel.matched()),
        (Mapped::Regexp, Some(Err(_)) | None) | (Mapped::Literal, _) => None,
    };
    MappingVerdict::Won { found }
}

fn missed(mapping: &Mapping, kernel: &KernelVersion) -> MappingVerdict {
    if mapping.literal().is_none() && mapping.regexp().is_none() {
        return MappingVerdict::Empty;
    }
    MappingVerdict::Missed {
        literal_miss: mapping
            .literal()
            .and_then(|literal| LiteralMiss::of(literal, kernel.matched(), kernel.raw())),
        regexp_miss: match mapping.pattern() {
            Some(Ok(pattern)) => Some(RegexpMiss::of(pattern, kernel.matched())),
            Some(Err(_)) | None => None,
        },
    }
}

fn as_pair<S: Serializer>(found: &Option<Range<usize>>, serializer: S) -> Result<S::Ok, S::Error> {
    found
        .as_ref()
        .map(|range| (range.start, range.end))
        .serialize(serializer)
}

impl fmt::Display for MappingExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kernelMappings[{}]", self.index)?;
        if let Some(literal) = &self.literal {
            write!(f, ", literal `{literal}`")?;
        }
        if let Some(regexp) = &self.regexp {
            write!(f, ", regexp `{regexp}`")?;
        }
        write!(f, ": {}", self.verdict)
    }
}

impl fmt::Display for MappingVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Won { found: None } => f.write_str("wins: the literal is the kernel"),
            Self::Won { found: Some(range) } => {
                write!(f, "wins: found at bytes {} to {}", range.start, range.end)
            }
            Self::Missed {
                literal_miss,
                regexp_miss,
            } => {
                f.write_str("no: ")?;
                match (literal_miss, regexp_miss) {
                    (Some(literal), Some(regexp)) => write!(f, "{literal}; {regexp}"),
                    (Some(literal), None) => literal.fmt(f),
                    (None, Some(regexp)) => regexp.fmt(f),
                    (None, None) => f.write_str("it does not take the kernel"),
                }
            }
            Self::Refused { error } => write!(f, "refused: {error}"),
            Self::Empty => f.write_str("no: it has neither literal nor regexp"),
            Self::NotReached { after, won: true } => {
                write!(f, "not reached: kernelMappings[{after}] wins")
            }
            Self::NotReached { after, won: false } => {
                write!(f, "not reached: the regexp of kernelMappings[{after}] is refused")
            }
        }
    }
}
