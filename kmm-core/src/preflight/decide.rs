//! From facts about the image to what an upgrade means.

use std::fmt;

use serde::Serialize;

use crate::resolve::ResolveError;
use crate::resolve::Resolved;

/// Whether an image is in its registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Existence {
    /// It is.
    Present,
    /// The registry says that it is not.
    Absent,
    /// Nobody asked.
    NotAsked,
    /// The registry gave no answer; why.
    Unknown(String),
}

impl Existence {
    /// A stable name of the variant, in camel case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Absent => "absent",
            Self::NotAsked => "notAsked",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// Whether what is in an image loads on the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Fits,
    /// It does not; why, one line each.
    DoesNotFit(Vec<String>),
    /// Nobody looked.
    NotChecked,
    /// It could not be told; why.
    Unknown(String),
}

/// What is known about the images of a Module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whether the image of the kernel module is there.
    pub image: Existence,
    /// Whether the unsigned image is there; counts where the image is only signed.
    pub unsigned: Existence,
    /// Whether the image fits; counts where it is there.
    pub fit: Fit,
}

/// What an upgrade means for a Module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It will load, or loads nothing at all.
    Ready,
    /// It will load once the operator has built or signed the image.
    MustBeBuilt,
    /// It will not load.
    WillNotLoad,
    /// It cannot be told.
    Unknown,
}

impl State {
    /// All of them, the best one first.
    pub const ALL: [Self; 4] = [Self::Ready, Self::MustBeBuilt, Self::WillNotLoad, Self::Unknown];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::MustBeBuilt => "must be built",
            Self::WillNotLoad => "will not load",
            Self::Unknown => "not known",
        })
    }
}

/// Why. It prints as a sentence; [`Reason::details`] is what stands behind that.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The Module has no `moduleLoader`.
    NothingToLoad,
    /// The mapping or a template gives no image.
    Resolve(ResolveError),
    /// No level names an image.
    NoImage,
    /// The image is there and fits.
    Fits,
    /// The image is there; nobody looked into it.
    NotChecked,
    /// The image is there, and does not fit; the operator would make it if it were not there.
    DoesNotFit {
        /// Why, one line each.
        why: Vec<String>,
        /// Whether it stands in the way of a build or signing that could mend it.
        blocks_build: bool,
    },
    /// The image is not there, and will be built.
    Build,
    /// The image is not there, and will be signed from another.
    Sign,
    /// The image is not there, and nobody makes it.
    NoSuchImage,
    /// The image is to be signed from one that is not there.
    NoUnsignedImage,
    /// There is nothing to sign.
    NothingToSign,
    /// No registry was asked.
    NotAsked,
    /// No answer was had; why.
    NoAnswer(String),
}

impl Reason {
    /// A stable name of the variant, in camel case; of a [`Reason::Resolve`] the code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NothingToLoad => "nothingToLoad",
            Self::Resolve(error) => error.code(),
            Self::NoImage => "noImage",
            Self::Fits => "fits",
            Self::NotChecked => "notChecked",
            Self::DoesNotFit { .. } => "doesNotFit",
            Self::Build => "build",
            Self::Sign => "sign",
            Self::NoSuchImage => "noSuchImage",
            Self::NoUnsignedImage => "noUnsignedImage",
            Self::NothingToSign => "nothingToSign",
            Self::NotAsked => "notAsked",
            Self::NoAnswer(_) => "noAnswer",
        }
    }
}

impl Reason {
    /// What is behind it, one line each.
    pub fn details(&self) -> &[String] {
        match self {
            Self::DoesNotFit { why, .. } => why,
            Self::NoAnswer(why) => std::slice::from_ref(why),
            Self::NothingToLoad
            | Self::Resolve(_)
            | Self::NoImage
            | Self::Fits
            | Self::NotChecked
            | Self::Build
            | Self::Sign
            | Self::NoSuchImage
            | Self::NoUnsignedImage
            | Self::NothingToSign
            | Self::NotAsked => &[],
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve(error) => return error.fmt(f),
            Self::NothingToLoad => "it has no module loader, so that nothing is loaded",
            Self::NoImage => "neither the mapping nor the container names an image",
            Self::Fits => "the image is there and fits the kernel",
            Self::NotChecked => "the image is there, and was not looked into",
            Self::DoesNotFit {
                blocks_build: false, ..
            } => "the image is there and does not fit the kernel",
            Self::DoesNotFit {
                blocks_build: true, ..
            } => {
                "the image is there and does not fit the kernel; it stands in the way of a new one: the operator makes \
                 only what is not there"
            }
            Self::Build => "the image is not there, and the operator builds it",
            Self::Sign => "the image is not there, and the operator signs it",
            Self::NoSuchImage => {
                "the image is not there, and nobody makes it: the mapping has neither `build` nor `sign`"
            }
            Self::NoUnsignedImage => "the image is to be signed from one that is not there",
            Self::NothingToSign => {
                "the image is to be signed, but there is neither `build` nor `unsignedImage`"
            }
            Self::NotAsked => "no registry was asked",
            Self::NoAnswer(_) => "it could not be told",
        })
    }
}

/// What an upgrade means for a Module, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What.
    pub state: State,
    /// Why.
    pub reason: Reason,
}

/// How the operator would make an image that is not there.
enum Maker<'a> {
    Nobody,
    Build,
    Sign { unsigned: &'a str },
}

/// What an upgrade to the kernel of `outcome` means for its Module.
///
/// # Example: an image that does not exist yet
///
/// ```
/// use kmm_core::api::Module;
/// use kmm_core::kernel::KernelVersion;
/// use kmm_core::module::Compiled;
/// use kmm_core::preflight::{decide, Existence, Facts, Fit, State};
///
/// let module: Module = serde_json::from_str(r#"{"spec": {"moduleLoader": {"container": {
///   "kernelMappings": [{"literal": "6.1.0", "containerImage": "img.example/drv:1"}]}}}}"#)?;
/// let facts = Facts { image: Existence::Absent, unsigned: Existence::NotAsked, fit: Fit::NotChecked };
/// let outcome = Compiled::new(&module).resolve(&KernelVersion::new("6.1.0"));
/// assert_eq!(decide(outcome.as_ref(), &facts).state, State::WillNotLoad);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn decide(outcome: Result<&Resolved, &ResolveError>, facts: &Facts) -> Verdict {
    let resolved = match outcome {
        Ok(resolved) => resolved,
        Err(ResolveError::NoModuleLoader) => return verdict(State::Ready, Reason::NothingToLoad),
        Err(error) => return verdict(State::WillNotLoad, Reason::Resolve(error.clone())),
    };
    if resolved.container_image.is_empty() {
        return verdict(State::WillNotLoad, Reason::NoImage);
    }
    let maker = match (&resolved.build, &resolved.sign) {
        (Some(_), _) => Maker::Build,
        (None, Some(sign)) => Maker::Sign {
            unsigned: &sign.unsigned_image,
        },
        (None, None) => Maker::Nobody,
    };
    match &facts.image {
        Existence::Present => present(&facts.fit, &maker),
        Existence::Absent => absent(&facts.unsigned, &maker),
        Existence::NotAsked => verdict(State::Unknown, Reason::NotAsked),
        Existence::Unknown(why) => verdict(State::Unknown, Reason::NoAnswer(why.clone())),
    }
}

fn present(fit: &Fit, maker: &Maker<'_>) -> Verdict {
    match fit {
        Fit::Fits => verdict(State::Ready, Reason::Fits),
        Fit::NotChecked => verdict(State::Unknown, Reason::NotChecked),
        Fit::Unknown(why) => verdict(State::Unknown, Reason::NoAnswer(why.clone())),
        Fit::DoesNotFit(why) => verdict(
            State::WillNotLoad,
            Reason::DoesNotFit {
                why: why.clone(),
                blocks_build: !matches!(maker, Maker::Nobody),
            },
        ),
    }
}

fn absent(unsigned: &Existence, maker: &Maker<'_>) -> Verdict {
    match (maker, unsigned) {
        (Maker::Nobody, _) => verdict(State::WillNotLoad, Reason::NoSuchImage),
        (Maker::Build, _) => verdict(State::MustBeBuilt, Reason::Build),
        (Maker::Sign { unsigned: "" }, _) => verdict(State::WillNotLoad, Reason::NothingToSign),
        (Maker::Sign { .. }, Existence::Present) => verdict(State::MustBeBuilt, Reason::Sign),
        (Maker::Sign { .. }, Existence::Absent) => verdict(State::WillNotLoad, Reason::NoUnsignedImage),
        (Maker::Sign { .. }, Existence::NotAsked) => verdict(State::Unknown, Reason::NotAsked),
        (Maker::Sign { .. }, Existence::Unknown(why)) => {
            verdict(State::Unknown, Reason::NoAnswer(why.clone()))
        }
    }
}

fn verdict(state: State, reason: Reason) -> Verdict {
    Verdict { state, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Module;
    use crate::kernel::KernelVersion;
    use crate::module::Compiled;

    fn outcome(mapping: &str, kernel: &KernelVersion) -> Result<Resolved, ResolveError> {
        let text = format!(
            r#"{{"spec": {{"moduleLoader": {{"container": {{"kernelMappings": [{{"literal": "6.1.0+", {mapping}}}]}}}}}}}}"#
        );
        let module: Module = serde_json::from_str(&text).unwrap();
        Compiled::new(&module).resolve(kernel)
    }

    /// Every combination of facts, for each way in which an image is made: the states that come out, counted.
    #[test]
    fn states_follow_from_facts() {
        let why = || "away".to_owned();
        let existences = [
            Existence::Present,
            Existence::Absent,
            Existence::NotAsked,
            Existence::Unknown(why()),
        ];
        let fits = [
            Fit::Fits,
            Fit::DoesNotFit(vec![why()]),
            Fit::NotChecked,
            Fit::Unknown(why()),
        ];
        let image = r#""containerImage": "a:1""#;
        let build = r#""containerImage": "a:1", "build": {}, "sign": {"unsignedImage": "ignored"}"#;
        let sign = r#""containerImage": "a:1", "sign": {"unsignedImage": "raw:1"}"#;
        let unsigned = r#""containerImage": "a:1", "sign": {}"#;
        for mapping in [image, build, sign, unsigned] {
            let resolved = outcome(mapping, &KernelVersion::from_matched("6.1.0+")).unwrap();
            for image_fact in &existences {
                for unsigned_fact in &existences {
                    for fit in &fits {
                        let facts = Facts {
                            image: image_fact.clone(),
                            unsigned: unsigned_fact.clone(),
                            fit: fit.clone(),
                        };
                        let found = decide(Ok(&resolved), &facts);
                        let asked = matches!(image_fact, Existence::Present | Existence::Absent);
                        let expected = if !asked {
                            State::Unknown
                        } else if *image_fact == Existence::Present {
                            match fit {
                                Fit::Fits => State::Ready,
                                Fit::DoesNotFit(_) => State::WillNotLoad,
                                Fit::NotChecked | Fit::Unknown(_) => State::Unknown,
                            }
                        } else if mapping == build
                            || (mapping == sign && *unsigned_fact == Existence::Present)
                        {
                            State::MustBeBuilt
                        } else if mapping == sign && *unsigned_fact != Existence::Absent {
                            State::Unknown
                        } else {
                            State::WillNotLoad
                        };
                        assert_eq!(found.state, expected, "{mapping} {facts:?} {found:?}");
                        if let Reason::DoesNotFit { blocks_build, .. } = found.reason {
                            assert_eq!(blocks_build, mapping != image);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn without_a_mapping_or_an_image_nothing_loads() {
        let facts = Facts {
            image: Existence::Present,
            unsigned: Existence::Present,
            fit: Fit::Fits,
        };
        let decided = |mapping: &str, kernel: KernelVersion| {
            let outcome = outcome(mapping, &kernel);
            let found = decide(outcome.as_ref(), &facts);
            (found.state, found.reason.code())
        };
        let image = r#""containerImage": "a:1""#;
        // A PreflightValidation keeps the plus, a node does not.
        assert_eq!(
            decided(image, KernelVersion::from_matched("6.1.0+")),
            (State::Ready, "fits")
        );
        assert_eq!(
            decided(image, KernelVersion::new("6.1.0+")),
            (State::WillNotLoad, "noMapping")
        );
        assert_eq!(
            decided(r#""containerImage": """#, KernelVersion::from_matched("6.1.0+")),
            (State::WillNotLoad, "noImage")
        );
        let nothing = Compiled::new(&Module::default()).resolve(&KernelVersion::new("6.1.0"));
        let found = decide(nothing.as_ref(), &facts);
        assert_eq!((found.state, found.reason), (State::Ready, Reason::NothingToLoad));
    }

    #[test]
    fn a_reason_is_a_sentence_with_what_is_behind_it() {
        let why = vec!["KMM3001 opt: nothing".to_owned()];
        for (blocks_build, ending) in [(false, "fit the kernel"), (true, "only what is not there")] {
            let reason = Reason::DoesNotFit {
                why: why.clone(),
                blocks_build,
            };
            assert!(reason.to_string().ends_with(ending), "{reason}");
            assert_eq!(reason.details(), why);
        }
        let reason = Reason::NoAnswer("it is away".to_owned());
        assert_eq!(
            (reason.to_string().as_str(), reason.details()),
            ("it could not be told", &["it is away".to_owned()][..])
        );
        let reason = Reason::Resolve(ResolveError::NoModuleLoader);
        assert_eq!(reason.to_string(), ResolveError::NoModuleLoader.to_string());
        assert!(reason.details().is_empty());
        assert_eq!(
            State::ALL.map(|state| state.to_string()),
            ["ready", "must be built", "will not load", "not known"]
        );
    }
}
