//! The configuration file of a worker.
//!
//! YAML or JSON, read as the Go worker reads it. Surprises:
//!
//! - Keys fit without regard to case, as Go's JSON decoder has it: `modulename` is `moduleName`.
//! - A key that is not known, or stands twice, is an error.
//! - `null` is the same as nothing.
//! - A number or truth value where a text belongs is taken as text: `parameters: [1]` is `["1"]`.
//! - Of several documents the first counts.

use serde_json::Map;
use serde_json::Value as Json;
use thiserror::Error;

use crate::api::ModuleConfig;
use crate::diag::Part;
use crate::document;
use crate::document::Limits;
use crate::document::Mapping;
use crate::document::Node;
use crate::document::Value;

/// The most bytes that a configuration file may have: an annotation, where it comes from, has no more.
pub const LARGEST: usize = 1 << 20;

/// Why a configuration cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It is too large.
    #[error("{bytes} bytes, at most {LARGEST} are read")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// It is no YAML and no JSON.
    #[error("line {line}: {reason}")]
    Syntax {
        /// The line of the fault, from 1 on.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// It holds nothing.
    #[error("it is empty: `modprobe.moduleName` or `modprobe.rawArgs` is needed")]
    Empty,
    /// A key that is not known.
    #[error("unknown key `{path}`; known here are {known}")]
    UnknownKey {
        /// Where it stands.
        path: String,
        /// The keys that there are.
        known: String,
    },
    /// A key that stands twice.
    #[error("`{path}` stands twice")]
    Duplicate {
        /// The key.
        path: String,
    },
    /// A value of the wrong type.
    #[error("`{path}` is {found}, expected {expected}")]
    Type {
        /// The key.
        path: String,
        /// What it is.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// Neither a module nor a command line is named.
    #[error("`modprobe.moduleName` is empty, and there is no `modprobe.rawArgs`")]
    NoModule,
    /// A value that no command line can hold.
    #[error("`{path}` has a NUL character in it")]
    Nul {
        /// The key.
        path: String,
    },
}

/// What a field holds.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Flag,
    Texts,
    Object(&'static [(&'static str, Shape)]),
}

const ARGS: &[(&str, Shape)] = &[("load", Shape::Texts), ("unload", Shape::Texts)];

const MODPROBE: &[(&str, Shape)] = &[
    ("moduleName", Shape::Text),
    ("parameters", Shape::Texts),
    ("dirName", Shape::Text),
    ("args", Shape::Object(ARGS)),
    ("rawArgs", Shape::Object(ARGS)),
    ("firmwarePath", Shape::Text),
    ("modulesLoadingOrder", Shape::Texts),
];

const CONFIG: &[(&str, Shape)] = &[
    ("kernelVersion", Shape::Text),
    ("containerImage", Shape::Text),
    ("imagePullPolicy", Shape::Text),
    ("insecurePull", Shape::Flag),
    ("inTreeModulesToRemove", Shape::Texts),
    ("inTreeModuleToRemove", Shape::Text),
    ("modprobe", Shape::Object(MODPROBE)),
];

/// Reads a configuration file.
///
/// # Errors
///
/// When it is too large, no YAML or JSON, has keys that are not known or stand twice, values of another type, a NUL
/// character in a value, or names nothing to load.
///
/// # Example: a key that nobody knows
///
/// ```
/// use kmm_core::worker::config;
///
/// let read = config::read("modprobe: {moduleName: nic, dirName: /opt}")?;
/// assert_eq!(read.modprobe.module_name, "nic");
/// let error = config::read("modprobe: {moduleNam: nic}").unwrap_err();
/// assert!(error.to_string().starts_with("unknown key `modprobe.moduleNam`; known here are `moduleName`, "));
/// # Ok::<(), config::ConfigError>(())
/// ```
pub fn read(text: &str) -> Result<ModuleConfig, ConfigError> {
    if text.len() > LARGEST {
        return Err(ConfigError::TooLarge { bytes: text.len() });
    }
    let stream = document::read(text, &Limits::default());
    let document = stream.documents.first();
    // Findings about whole texts and keys: those of later documents do not matter, as these do not count.
    let fault = stream.findings.iter().find(|found| {
        found.diagnostic.severity == crate::diag::Severity::Error
            && found.diagnostic.code != "KMM0002"
            && found.document.is_none_or(|index| index == 0)
    });
    if let Some(fault) = fault {
        let at = match &fault.diagnostic.part {
            Part::Source(span) => span.start,
            Part::Value | Part::Key | Part::Within(_) => 0,
        };
        let before = text.get(..at.min(text.len())).unwrap_or(text);
        return Err(ConfigError::Syntax {
            line: before.matches('\n').count() + 1,
            reason: fault.diagnostic.message.clone(),
        });
    }
    let root = &document.ok_or(ConfigError::Empty)?.root;
    let json = match object(root, CONFIG, "")? {
        Json::Null => return Err(ConfigError::Empty),
        json => json,
    };
    // The value has the shape of the type by now.
    let config: ModuleConfig = serde_json::from_value(json).map_err(|error| ConfigError::Syntax {
        line: 1,
        reason: error.to_string(),
    })?;
    if config.modprobe.module_name.is_empty() && config.modprobe.raw_args.is_none() {
        return Err(ConfigError::NoModule);
    }
    Ok(config)
}

fn object(node: &Node, shape: &[(&str, Shape)], path: &str) -> Result<Json, ConfigError> {
    let mapping = match &node.value {
        Value::Null => return Ok(Json::Null),
        Value::Mapping(mapping) => mapping,
        _ => {
            return Err(ConfigError::Type {
                path: if path.is_empty() {
                    "the file".to_owned()
                } else {
                    path.to_owned()
                },
                found: kind(node),
                expected: "an object",
            });
        }
    };
    fields(mapping, shape, path).map(Json::Object)
}

fn fields(mapping: &Mapping, shape: &[(&str, Shape)], path: &str) -> Result<Map<String, Json>, ConfigError> {
    let mut out = Map::new();
    for entry in &mapping.entries {
        let inner = if path.is_empty() {
            entry.key.clone()
        } else {
            format!("{path}.{}", entry.key)
        };
        let Some((name, shape)) = shape.iter().find(|(name, _)| fits(name, &entry.key)) else {
            let known: Vec<String> = shape.iter().map(|(name, _)| format!("`{name}`")).collect();
            return Err(ConfigError::UnknownKey {
                path: inner,
                known: known.join(", "),
            });
        };
        let value = match shape {
            Shape::Text => text(&entry.value, &inner)?,
            Shape::Flag => match &entry.value.value {
                Value::Null => Json::Null,
                Value::Bool(flag) => Json::Bool(*flag),
                _ => return Err(wrong(&entry.value, inner, "true or false")),
            },
            Shape::Texts => match &entry.value.value {
                Value::Null => Json::Null,
                Value::Sequence(items) => {
                    let item = |(index, item): (usize, &Node)| match text(item, &format!("{inner}[{index}]"))?
                    {
                        Json::Null => Ok(Json::String(String::new())),
                        text => Ok(text),
                    };
                    Json::Array(items.iter().enumerate().map(item).collect::<Result<_, _>>()?)
                }
                _ => return Err(wrong(&entry.value, inner, "a list of texts")),
            },
            Shape::Object(shape) => object(&entry.value, shape, &inner)?,
        };
        if out.insert((*name).to_owned(), value).is_some() {
            return Err(ConfigError::Duplicate { path: inner });
        }
    }
    Ok(out)
}

/// Whether Go's decoder takes `key` for the field `name`: ASCII letters in any case, and the two characters beyond
/// ASCII that fold to a letter.
fn fits(name: &str, key: &str) -> bool {
    let fold = |c: char| match c {
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        c => c.to_ascii_lowercase(),
    };
    name.chars().map(fold).eq(key.chars().map(fold))
}

fn text(node: &Node, path: &str) -> Result<Json, ConfigError> {
    let text = match &node.value {
        Value::Null => return Ok(Json::Null),
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Sequence(_) | Value::Mapping(_) => return Err(wrong(node, path.to_owned(), "a text")),
    };
    if text.contains('\0') {
        return Err(ConfigError::Nul {
            path: path.to_owned(),
        });
    }
    Ok(Json::String(text))
}

fn wrong(node: &Node, path: String, expected: &'static str) -> ConfigError {
    ConfigError::Type {
        path,
        found: kind(node),
        expected,
    }
}

fn kind(node: &Node) -> &'static str {
    match &node.value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "an object",
    }
}

#[cfg(test)]
#[cfg(feature = "yaml")]
mod tests {
    use super::*;

    #[test]
    fn all_keys() {
        let config = read(
            "kernelVersion: 6.1.0\ncontainerImage: a/b:1\nimagePullPolicy: Always\ninsecurePull: true\n\
             inTreeModulesToRemove: [ice, irdma]\ninTreeModuleToRemove: x\nmodprobe:\n  ModuleName: nic\n  \
             parameters: [a=1, 5, true]\n  dirname: /opt\n  args: {load: [-v], unload: null}\n  rawArgs: null\n  \
             firmwarePath: /fw\n  modulesLoadingOrder: [nic, bus]\n",
        )
        .unwrap();
        assert_eq!(config.modprobe.module_name, "nic");
        assert_eq!(config.modprobe.parameters, ["a=1", "5", "true"]);
        assert_eq!(config.modprobe.dir_name, "/opt");
        assert_eq!(config.modprobe.raw_args, None);
        assert_eq!(
            config.in_tree_modules_to_remove,
            Some(vec!["ice".to_owned(), "irdma".to_owned()])
        );
        assert!(config.insecure_pull);
    }

    #[test]
    fn json_is_read_too() {
        let config = read(r#"{"modprobe":{"rawArgs":{"load":["nic"]}}}"#).unwrap();
        assert_eq!(config.modprobe.raw_args.unwrap().load, ["nic"]);
    }

    #[test]
    fn what_is_refused() {
        for (given, words) in [
            ("", "it is empty"),
            ("null", "it is empty"),
            ("a: [", "line 1: "),
            ("[]", "is a list, not an object"),
            (
                "modprobe: {moduleName: a}\nmodprobes: {}",
                "unknown key `modprobes`",
            ),
            (
                "modprobe: {moduleName: a, modulename: b}",
                "`modprobe.modulename` stands twice",
            ),
            (
                "modprobe: {moduleName: a, moduleName: b}",
                "`modprobe.moduleName` stands twice",
            ),
            (
                "modprobe: {moduleName: [a]}",
                "`modprobe.moduleName` is a list, expected a text",
            ),
            (
                "modprobe: {moduleName: a, parameters: x=1}",
                "`modprobe.parameters` is a text, expected a list of texts",
            ),
            (
                "insecurePull: maybe\nmodprobe: {moduleName: a}",
                "`insecurePull` is a text, expected true or false",
            ),
            ("modprobe: {parameters: [a]}", "`modprobe.moduleName` is empty"),
            (
                "modprobe: {moduleName: \"a\\0b\"}",
                "`modprobe.moduleName` has a NUL",
            ),
        ] {
            let error = read(given).unwrap_err().to_string();
            assert!(error.contains(words), "{given}: {error}");
        }
        assert!(matches!(
            read(&" ".repeat(LARGEST + 1)),
            Err(ConfigError::TooLarge { .. })
        ));
    }
}
