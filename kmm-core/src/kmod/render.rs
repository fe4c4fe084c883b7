//! What `modinfo` prints, as kmod 30 prints it, and the same as JSON.
//!
//! Surprises:
//! - Values start in column 17; for a key of more than 15 bytes the excess is padded with as many blanks again.
//! - Parameters come last, in the reverse of their order. One with a type but no description is `name:type`, but
//!   `name: (type)` with `-F parm`.
//! - With `-0`, pairs are `key=value`, while `filename:` and `parm:` keep their columns.
//! - `-F filename` prints the name it was given and looks at no file.

use serde_json::Value;
use serde_json::json;

use crate::kmod::ModuleInfo;
use crate::kmod::modinfo::RawParameter;
use crate::kmod::modinfo::is_parameter;

/// What is to be printed.
///
/// # Example: one field
///
/// ```
/// use kmm_core::kmod::Rendering;
///
/// let rendering = Rendering { field: Some("filename".to_owned()), ..Rendering::default() };
/// assert_eq!(rendering.heading("/tmp/a.ko"), b"/tmp/a.ko\n");
/// assert_eq!(Rendering::default().heading("/tmp/a.ko"), b"filename:       /tmp/a.ko\n");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendering {
    /// `-F FIELD`: the values of this field only.
    pub field: Option<String>,
    /// `-0`: lines end in NUL.
    pub nul: bool,
}

impl Rendering {
    /// What is printed before the file is looked at, and remains if it cannot be read.
    pub fn heading(&self, filename: &str) -> Vec<u8> {
        let mut out = Vec::new();
        match self.field.as_deref() {
            None => self.line(&mut out, &[b"filename:       ", filename.as_bytes()]),
            Some("filename") => self.line(&mut out, &[filename.as_bytes()]),
            Some(_) => {}
        }
        out
    }

    /// Everything that `modinfo` prints of a file.
    pub fn text(&self, filename: &str, info: &ModuleInfo) -> Vec<u8> {
        let mut out = self.heading(filename);
        let signature = signature_pairs(info);
        let signature = signature
            .iter()
            .map(|(key, value)| (key.as_bytes(), value.as_slice()));
        match self.field.as_deref() {
            Some("filename") => {}
            Some("parm") => {
                for parameter in info.raw_parameters().iter().rev() {
                    self.parameter(&mut out, b"", b": (", b")", parameter);
                }
            }
            Some(field) => {
                for (key, value) in info.pairs().chain(signature) {
                    if key == field.as_bytes() {
                        self.line(&mut out, &[value]);
                    }
                }
            }
            None => {
                for (key, value) in info
                    .pairs()
                    .chain(signature)
                    .filter(|(key, _)| !is_parameter(key))
                {
                    if self.nul {
                        self.line(&mut out, &[key, b"=", value]);
                    } else {
                        out.extend_from_slice(key);
                        out.push(b':');
                        out.resize(out.len() + key.len().abs_diff(15), b' ');
                        self.line(&mut out, &[value]);
                    }
                }
                for parameter in info.raw_parameters().iter().rev() {
                    self.parameter(&mut out, b"parm:           ", b":", b"", parameter);
                }
            }
        }
        out
    }

    fn parameter(
        &self,
        out: &mut Vec<u8>,
        heading: &[u8],
        open: &[u8],
        close: &[u8],
        parameter: &RawParameter<'_>,
    ) {
        let name = parameter.name;
        match (parameter.description, parameter.kind) {
            (None, kind) => self.line(out, &[heading, name, open, kind.unwrap_or_default(), close]),
            (Some(text), Some(kind)) => self.line(out, &[heading, name, b":", text, b" (", kind, b")"]),
            (Some(text), None) => self.line(out, &[heading, name, b":", text]),
        }
    }

    fn line(&self, out: &mut Vec<u8>, parts: &[&[u8]]) {
        for part in parts {
            out.extend_from_slice(part);
        }
        out.push(if self.nul { 0 } else { b'\n' });
    }
}

/// A file's information as JSON: every key with its values in `fields`, and `parameters` and `signature` taken apart.
pub fn json(filename: &str, info: &ModuleInfo) -> Value {
    let mut fields = serde_json::Map::new();
    for (key, value) in info.pairs().filter(|(key, _)| !is_parameter(key)) {
        let value = Value::from(String::from_utf8_lossy(value));
        let values = fields
            .entry(String::from_utf8_lossy(key))
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(values) = values {
            values.push(value);
        }
    }
    let parameters = info.parameters().into_iter().map(|parameter| {
        json!({ "name": parameter.name, "type": parameter.kind, "description": parameter.description })
    });
    let signature = info.signature().map(|signature| {
        json!({
            "idType": signature.id_type.to_string(),
            "signer": String::from_utf8_lossy(&signature.signer),
            "keyId": plain_hex(&signature.key_id),
            "hash": signature.hash,
            "keyAlgorithm": signature.key_algorithm,
            "signature": plain_hex(&signature.signature),
        })
    });
    json!({
        "filename": filename,
        "fields": fields,
        "parameters": parameters.collect::<Vec<_>>(),
        "signature": signature,
    })
}

/// The pairs that kmod adds for a signature.
fn signature_pairs(info: &ModuleInfo) -> Vec<(&'static str, Vec<u8>)> {
    let Some(signature) = info.signature().filter(|signature| signature.shown_by_modinfo()) else {
        return Vec::new();
    };
    vec![
        ("sig_id", signature.id_type.to_string().into_bytes()),
        ("signer", signature.signer.clone()),
        ("sig_key", columns(&signature.key_id)),
        ("sig_hashalgo", signature.hash.clone().into_bytes()),
        ("signature", columns(&signature.signature)),
    ]
}

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// `AB:CD:…`, 20 bytes a line.
fn columns(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() * 4);
    for (i, byte) in bytes.iter().enumerate() {
        if i > 0 {
            out.push(b':');
            if i % 20 == 0 {
                out.extend_from_slice(b"\n\t\t");
            }
        }
        out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    out
}

fn plain_hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]).to_ascii_lowercase())
        .collect()
}
