//! The images that a build pulls.

use thiserror::Error;

use crate::api::BuildArg;
use crate::node::image_name;

use super::Dockerfile;
use super::words;

/// The longest image name that variables are expanded to, in bytes; a registry takes far less.
const LONGEST: usize = 4096;

/// The deepest nesting of variables in the defaults of others.
const DEEPEST: usize = 16;

/// Names that the builder sets itself, from the platforms of the machine and of the image.
const PLATFORM: [&str; 8] = [
    "BUILDARCH",
    "BUILDOS",
    "BUILDPLATFORM",
    "BUILDVARIANT",
    "TARGETARCH",
    "TARGETOS",
    "TARGETPLATFORM",
    "TARGETVARIANT",
];

/// An image that a build pulls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The image as it is written, variables included.
    pub written: String,
    /// What pulls it.
    pub by: PulledBy,
    /// The image with variables expanded.
    pub image: Result<String, UnknownImage>,
}

/// What pulls an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PulledBy {
    /// `FROM` of this stage, counted from 0.
    From(usize),
    /// `COPY --from`, the instruction counted from 0.
    Copy(usize),
}

/// Why the name of an image cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnknownImage {
    /// A variable has no value, and without one there is no name.
    #[error("`{name}` has no value: no `ARG` above the first `FROM` gives one, and neither does `buildArgs`")]
    NoValue {
        /// The variable.
        name: String,
    },
    /// A variable that the builder sets from the platform.
    #[error("`{name}` depends on the platform of the machine that builds")]
    Platform {
        /// The variable.
        name: String,
    },
    /// A form of expansion that builders do not agree on, or one that never ends.
    #[error("`{text}` is no expansion that every builder knows")]
    Expansion {
        /// As it is written.
        text: String,
    },
    /// The result is longer than any image name.
    #[error("expanded it is longer than {LONGEST} bytes")]
    TooLong,
    /// The result is no image name.
    #[error("`{image}` is no image name: {fault}")]
    NoName {
        /// The result.
        image: String,
        /// What is wrong with it.
        fault: String,
    },
}

impl Dockerfile {
    /// The images that a build of all stages pulls, in order: bases of stages, then what `COPY --from` names.
    ///
    /// `arguments` are what the build is given, such as [`Resolved::build_args`](crate::resolve::Resolved::build_args).
    /// Of `RUN --mount=from` nothing is known: the operator's builder does not look at it.
    ///
    /// # Example: a version from the kernel
    ///
    /// ```
    /// use kmm_core::api::BuildArg;
    /// use kmm_core::build::Dockerfile;
    ///
    /// let file = Dockerfile::read(
    ///     "ARG KERNEL_VERSION\nARG BASE=registry.example.com/headers\n\
    ///      FROM ${BASE}:${KERNEL_VERSION} AS builder\nFROM scratch\nCOPY --from=builder /opt /opt\n",
    /// );
    /// let arguments = [BuildArg { name: "KERNEL_VERSION".into(), value: "6.1.0-37-amd64".into() }];
    /// let pulled = file.pulled(&arguments);
    /// assert_eq!(pulled.len(), 1);
    /// assert_eq!(pulled[0].image.as_deref(), Ok("registry.example.com/headers:6.1.0-37-amd64"));
    /// ```
    pub fn pulled(&self, arguments: &[BuildArg]) -> Vec<Pulled> {
        let values = Values::new(self, arguments);
        let mut pulled = Vec::new();
        let mut names: Vec<Option<&str>> = Vec::new();
        for (index, stage) in self.stages.iter().enumerate() {
            let image = values.image(&stage.from.text);
            let is_earlier = |name: &str| {
                names
                    .iter()
                    .flatten()
                    .any(|known| known.eq_ignore_ascii_case(name))
            };
            let is_image = !matches!(&image, Ok(name) if name == "scratch" || is_earlier(name));
            if is_image {
                pulled.push(Pulled {
                    written: stage.from.text.clone(),
                    by: PulledBy::From(index),
                    image: image.and_then(named),
                });
            }
            names.push(stage.name.as_deref());
        }
        for copy in &self.copies {
            let Some(from) = &copy.from else {
                continue;
            };
            let is_stage = from.text.parse().is_ok_and(|number: usize| number < names.len())
                || names
                    .iter()
                    .flatten()
                    .any(|known| known.eq_ignore_ascii_case(&from.text));
            if is_stage {
                continue;
            }
            // Builders do not agree on variables here.
            let image = match from.text.contains('$') {
                true => Err(UnknownImage::Expansion {
                    text: from.text.clone(),
                }),
                false => Ok(from.text.clone()),
            };
            pulled.push(Pulled {
                written: from.text.clone(),
                by: PulledBy::Copy(copy.instruction),
                image: image.and_then(named),
            });
        }
        pulled
    }
}

/// The name, if it is one.
fn named(image: String) -> Result<String, UnknownImage> {
    match image_name::fault(&image) {
        None => Ok(image),
        Some(fault) => Err(UnknownImage::NoName { image, fault }),
    }
}

/// The values that `FROM` sees: those of `ARG` above the first one.
struct Values {
    escape: char,
    known: Vec<(String, Result<Option<String>, UnknownImage>)>,
}

impl Values {
    fn new(file: &Dockerfile, arguments: &[BuildArg]) -> Self {
        let mut values = Self {
            escape: file.escape,
            known: Vec::new(),
        };
        for argument in file.arguments.iter().filter(|argument| argument.stage.is_none()) {
            let name = &argument.name.text;
            // The last of a name wins, as on the command line of the builder.
            let given = arguments.iter().rev().find(|given| given.name == *name);
            let value = match (given, &argument.value) {
                (Some(given), _) => Ok(Some(given.value.clone())),
                (None, Some(default)) => values.expand(default, 0).map(|(value, _)| Some(value)),
                (None, None) => Ok(None),
            };
            values.known.push((name.clone(), value));
        }
        values
    }

    /// The text with its variables expanded; where one of them has no value and there is no name, that is why.
    fn image(&self, text: &str) -> Result<String, UnknownImage> {
        let (image, unset) = self.expand(text, 0)?;
        match unset {
            Some(name) if image_name::fault(&image).is_some() => Err(UnknownImage::NoValue { name }),
            Some(_) | None => Ok(image),
        }
    }

    fn value(&self, name: &str) -> Result<Option<&str>, UnknownImage> {
        match self.known.iter().rev().find(|(known, _)| known == name) {
            Some((_, Ok(Some(value)))) => Ok(Some(value)),
            Some((_, Err(error))) => Err(error.clone()),
            Some((_, Ok(None))) | None if PLATFORM.contains(&name) => Err(UnknownImage::Platform {
                name: name.to_owned(),
            }),
            Some((_, Ok(None))) | None => Ok(None),
        }
    }

    /// The text expanded, and the first variable in it that has no value.
    fn expand(&self, text: &str, depth: usize) -> Result<(String, Option<String>), UnknownImage> {
        let refused = || UnknownImage::Expansion {
            text: text.chars().take(80).collect(),
        };
        if depth > DEEPEST {
            return Err(refused());
        }
        let mut out = String::new();
        let mut unset = None;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            let (piece, next) = if c == self.escape && after.starts_with('$') {
                ("$".to_owned(), &after[1..])
            } else if c != '$' {
                (c.to_string(), after)
            } else if let Some(inner) = after.strip_prefix('{') {
                let close = closing(inner).ok_or_else(refused)?;
                let (piece, missing) = self.braced(&inner[..close], depth)?;
                unset = unset.or(missing);
                (piece, &inner[close + 1..])
            } else {
                let length = words::name_length(after);
                let name = after.get(..length).filter(|name| !name.is_empty());
                let name = name.ok_or_else(refused)?;
                let value = self.value(name)?;
                if value.is_none() {
                    unset = unset.or_else(|| Some(name.to_owned()));
                }
                (value.unwrap_or_default().to_owned(), &after[length..])
            };
            out.push_str(&piece);
            rest = next;
            if out.len() > LONGEST {
                return Err(UnknownImage::TooLong);
            }
        }
        Ok((out, unset))
    }

    /// What stands between `{` and `}`: `NAME`, or with `-`, `:-`, `+`, `:+` and a word.
    fn braced(&self, inner: &str, depth: usize) -> Result<(String, Option<String>), UnknownImage> {
        let (name, operation) = inner.split_at(words::name_length(inner));
        let refused = || UnknownImage::Expansion {
            text: format!("${{{}}}", inner.chars().take(80).collect::<String>()),
        };
        if name.is_empty() {
            return Err(refused());
        }
        let value = self.value(name)?;
        let (colon, operation) = match operation.strip_prefix(':') {
            Some(operation) => (true, operation),
            None => (false, operation),
        };
        let is_set = value.is_some_and(|value| !(colon && value.is_empty()));
        let given = value.unwrap_or_default().to_owned();
        match operation.chars().next() {
            None if !colon => Ok((given, value.is_none().then(|| name.to_owned()))),
            Some('-') if is_set => Ok((given, None)),
            Some('-') => self.expand(&operation[1..], depth + 1),
            Some('+') if is_set => self.expand(&operation[1..], depth + 1),
            Some('+') => Ok((String::new(), None)),
            _ => Err(refused()),
        }
    }
}

/// Where the brace closes that was opened before the text.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pulled(text: &str, arguments: &[(&str, &str)]) -> Vec<String> {
        let arguments: Vec<BuildArg> = arguments
            .iter()
            .map(|(name, value)| BuildArg {
                name: (*name).to_owned(),
                value: (*value).to_owned(),
            })
            .collect();
        let pulled = Dockerfile::read(text).pulled(&arguments);
        let shown = pulled.into_iter().map(|one| match one.image {
            Ok(image) => image,
            Err(error) => format!("? {error}"),
        });
        shown.collect()
    }

    #[test]
    fn stages_and_scratch_are_no_images() {
        let text = "FROM img.example/a:1 AS Build\nFROM scratch\nFROM build AS next\nFROM ${X:-NEXT}\n\
                    COPY --from=build /a /a\nCOPY --from=0 /a /a\nCOPY --from=img.example/b:2 /a /a\n";
        assert_eq!(pulled(text, &[]), ["img.example/a:1", "img.example/b:2"]);
    }

    #[test]
    fn a_stage_is_known_only_below_its_line() {
        let text = "FROM later\nFROM img.example/a:1 AS later\n";
        assert_eq!(pulled(text, &[]), ["later", "img.example/a:1"]);
    }

    #[test]
    fn variables_as_builders_expand_them() {
        let head = "ARG TAG=1\nARG NAME=img.example/a:$TAG\nARG NONE\nARG EMPTY=\nARG OLD=x\nARG OLD=y\n";
        for (from, expected) in [
            ("$NAME", "img.example/a:1"),
            ("${NAME}-b", "img.example/a:1-b"),
            ("a:${NONE:-d$TAG}", "a:d1"),
            ("a:${EMPTY:-d}", "a:d"),
            ("a${EMPTY-:d}", "a"),
            ("a${TAG:+:set}", "a:set"),
            ("a${EMPTY:+:set}", "a"),
            ("a${EMPTY+:set}", "a:set"),
            ("a${NONE+:set}", "a"),
            ("a${NONE:-:${MORE:-b}c}", "a:bc"),
            ("a:$OLD", "a:y"),
            ("a$NONE", "a"),
            ("--platform=linux/amd64 a:$TAG", "a:1"),
        ] {
            assert_eq!(pulled(&format!("{head}FROM {from}\n"), &[]), [expected], "{from}");
        }
    }

    #[test]
    fn given_arguments_win_where_they_are_declared() {
        let given = [("TAG", "2"), ("TAG", "3"), ("OTHER", "4")];
        assert_eq!(pulled("ARG TAG=1\nFROM a:$TAG\n", &given), ["a:3"]);
        let inside = "FROM a:1\nARG TAG=1\nFROM a:${TAG}\n";
        let unknown =
            "? `TAG` has no value: no `ARG` above the first `FROM` gives one, and neither does `buildArgs`";
        assert_eq!(pulled(inside, &given), ["a:1", unknown]);
    }

    #[test]
    fn what_cannot_be_told_says_why() {
        for (text, expected) in [
            ("ARG DTK_AUTO\nFROM ${DTK_AUTO}\n", "`DTK_AUTO` has no value"),
            (
                "FROM --platform=$BUILDPLATFORM a:$TARGETARCH\n",
                "`TARGETARCH` depends",
            ),
            ("FROM a:${X?no}\n", "`${X?no}` is no expansion"),
            ("FROM a:${X\n", "is no expansion"),
            ("FROM A:1\n", "`A:1` is no image name: `A` has capital letters"),
            ("FROM a:1\nCOPY --from=b:$X / /\n", "`b:$X` is no expansion"),
        ] {
            let shown = pulled(text, &[]);
            let last = shown.last().map(String::as_str).unwrap_or_default();
            assert!(last.contains(expected), "{text}: {shown:?}");
        }
    }

    #[test]
    fn names_that_double_are_bounded() {
        let mut text = "ARG A0=aaaaaaaaaaaaaaaa\n".to_owned();
        for n in 1..60 {
            text += &format!("ARG A{n}=$A{0}$A{0}\n", n - 1);
        }
        text += "FROM $A59\n";
        assert_eq!(pulled(&text, &[]), ["? expanded it is longer than 4096 bytes"]);
        let deep = format!("FROM {}a{}\n", "${X:-".repeat(500), "}".repeat(500));
        assert_eq!(pulled(&deep, &[]).len(), 1);
    }

    proptest! {
        #[test]
        fn never_panics(text in "(ARG|FROM|COPY --from=)[ A-Z${}:+\\-\\\\='a\n]{0,60}") {
            let _ = Dockerfile::read(&text).pulled(&[]);
        }
    }
}
