//! YAML for annotations, written as the Go operator writes it, and read back.

use serde_json::Value;

use crate::api::ModuleConfig;
use crate::api::Toleration;
use crate::document;
use crate::document::Limits;
use crate::document::Scalar;
use crate::document::resolve_scalar;

/// A value as YAML: keys in their order, lists not indented, strings plain where they read back as strings.
pub(super) fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => block(value, 0, &mut out),
        Value::Array(list) if !list.is_empty() => block(value, 0, &mut out),
        Value::Object(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => {
            scalar(value, &mut out);
            out.push('\n');
        }
    }
    out
}

/// Reads what [`write`] wrote, or the Go operator.
///
/// Without the feature `yaml` only JSON is read.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let stream = document::read(text, &Limits::default());
    if let Some(found) = stream.findings.first() {
        return Err(found.diagnostic.message.clone());
    }
    let document = stream.documents.first();
    Ok(document.map_or(Value::Null, |document| document.root.to_json()))
}

/// The configuration of a worker, from an annotation.
pub(super) fn read_config(text: &str) -> Result<ModuleConfig, String> {
    match read(text)? {
        value @ Value::Object(_) => {
            known_keys(&value, &CONFIG_KEYS)?;
            known_keys(&value["modprobe"], &MODPROBE_KEYS)?;
            serde_json::from_value(value).map_err(|error| error.to_string())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err("it is no mapping".to_owned())
        }
    }
}

const CONFIG_KEYS: [&str; 7] = [
    "containerImage",
    "imagePullPolicy",
    "inTreeModuleToRemove",
    "inTreeModulesToRemove",
    "insecurePull",
    "kernelVersion",
    "modprobe",
];

const MODPROBE_KEYS: [&str; 7] = [
    "args",
    "dirName",
    "firmwarePath",
    "moduleName",
    "modulesLoadingOrder",
    "parameters",
    "rawArgs",
];

/// What is not understood was not loaded by anybody that is understood.
fn known_keys(value: &Value, known: &[&str]) -> Result<(), String> {
    let mut keys = value.as_object().into_iter().flatten().map(|(key, _)| key);
    match keys.find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown key `{key}`")),
        None => Ok(()),
    }
}

/// Tolerations, from an annotation.
pub(super) fn read_tolerations(text: &str) -> Result<Vec<Toleration>, String> {
    // A document has to be an object; a list below a key stands as it would alone.
    let mut value = read(&format!("list:\n{text}"))?;
    serde_json::from_value(value["list"].take()).map_err(|error| error.to_string())
}

fn block(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) => {
            for (place, (key, value)) in map.iter().enumerate() {
                if place > 0 {
                    pad(indent, out);
                }
                string(key, out);
                out.push(':');
                match value {
                    Value::Object(inner) if !inner.is_empty() => {
                        out.push('\n');
                        pad(indent + 2, out);
                        block(value, indent + 2, out);
                    }
                    Value::Array(inner) if !inner.is_empty() => {
                        out.push('\n');
                        pad(indent, out);
                        block(value, indent, out);
                    }
                    Value::Object(_)
                    | Value::Array(_)
                    | Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_) => line(value, out),
                }
            }
        }
        Value::Array(list) => {
            for (place, value) in list.iter().enumerate() {
                if place > 0 {
                    pad(indent, out);
                }
                out.push('-');
                match value {
                    Value::Object(inner) if !inner.is_empty() => {
                        out.push(' ');
                        block(value, indent + 2, out);
                    }
                    Value::Array(inner) if !inner.is_empty() => {
                        out.push(' ');
                        block(value, indent + 2, out);
                    }
                    Value::Object(_)
                    | Value::Array(_)
                    | Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_) => line(value, out),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => line(value, out),
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn line(value: &Value, out: &mut String) {
    out.push(' ');
    scalar(value, out);
    out.push('\n');
}

fn scalar(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => string(text, out),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            out.push_str(&value.to_string());
        }
    }
}

/// A string: plain where that reads back as it, in single quotes where its characters forbid that, in double quotes where
/// it would be something else or has characters that only these can hold.
fn string(text: &str, out: &mut String) {
    let special = text
        .chars()
        .any(|c| c.is_control() || c == '\u{feff}' || !(c.is_ascii() || c.is_alphanumeric()));
    if special || resolve_scalar(text) != Scalar::String || is_sexagesimal(text) || document_date(text) {
        // JSON strings are YAML strings, too, but for characters that only escapes may stand for.
        for c in Value::from(text).to_string().chars() {
            match u32::from(c) {
                0x20..=0x7e => out.push(c),
                code @ 0..=0xffff => out.push_str(&format!("\\u{code:04x}")),
                code => out.push_str(&format!("\\U{code:08x}")),
            }
        }
    } else if is_plain(text) {
        out.push_str(text);
    } else {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    }
}

fn is_plain(text: &str) -> bool {
    let indicators = [
        '#', ',', '[', ']', '{', '}', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`',
    ];
    let alone = text.len() == 1 || text.chars().nth(1) == Some(' ');
    let taken = text.starts_with("---")
        || text.starts_with("...")
        || text.starts_with(' ')
        || text.starts_with(indicators)
        || (text.starts_with(['?', ':', '-']) && alone);
    !(taken || text.ends_with([' ', ':']) || text.contains(": ") || text.contains(" #"))
}

/// Numbers with colons, which YAML 1.1 takes for minutes and seconds.
fn is_sexagesimal(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    digits.contains(':')
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, ':' | '.' | '_'))
}

/// What YAML 1.1 takes for a date.
fn document_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 8
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes[5].is_ascii_digit()
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || "-:.tTzZ +".contains(c))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn as_go_writes_it() {
        let value = json!({
            "containerImage": "img.example:5000/x:1", "imagePullPolicy": "", "insecurePull": false,
            "kernelVersion": "5.10", "modprobe": {"dirName": "/opt", "parameters": ["a=1", "yes", "b: c", "-x", "* y"]},
            "none": [], "map": {},
        });
        let text = "containerImage: img.example:5000/x:1\nimagePullPolicy: \"\"\ninsecurePull: false\n\
                    kernelVersion: \"5.10\"\nmap: {}\nmodprobe:\n  dirName: /opt\n  parameters:\n  - a=1\n  - \"yes\"\n  \
                    - 'b: c'\n  - -x\n  - '* y'\nnone: []\n";
        assert_eq!(write(&value), text);
    }

    #[cfg(feature = "yaml")]
    #[test]
    fn tolerations_read_back() {
        let tolerations = crate::module::internal_tolerations().to_vec();
        assert_eq!(read_tolerations(&write(&json!(tolerations))), Ok(tolerations));
    }

    #[cfg(feature = "yaml")]
    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig {
            failure_persistence: None,
            ..proptest::prelude::ProptestConfig::default()
        })]

        #[test]
        fn what_is_written_reads_back(text in ".{0,12}", other in "[-0-9a-z:.#'\" ?]{0,8}", flag: bool) {
            let value = json!({"a": text, "b": [other, flag, {"c": [other], "d": {"e": text}}], "f": [[text]]});
            proptest::prop_assert_eq!(read(&write(&value)), Ok(value));
        }
    }
}
