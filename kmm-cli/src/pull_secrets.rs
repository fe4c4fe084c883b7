//! Pull secrets of Kubernetes, from files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kmm_core::diag::Severity;
use kmm_core::document;
use kmm_core::document::Limits;
use kmm_oci::credentials::PullSecrets;
use serde::Deserialize;

use crate::input;

/// The most that a file of secrets may have: one secret has 1 MiB at the most.
const BYTES: u64 = 8 << 20;

/// The parts of a Secret that count.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    string_data: BTreeMap<String, String>,
}

/// Reads the pull secrets of these files, YAML or JSON.
///
/// # Errors
///
/// When a file cannot be read, holds no pull secret, or one that is damaged. What is in it is never shown.
pub fn read(paths: &[PathBuf]) -> Result<PullSecrets> {
    let mut secrets = PullSecrets::default();
    for path in paths {
        let source = input::read(path, BYTES)?;
        let stream = document::read(&source.text, &Limits::default());
        let mut findings = stream.findings.iter();
        if findings.any(|found| found.diagnostic.severity == Severity::Error) {
            bail!("`{}` is neither YAML nor JSON", source.name);
        }
        let mut found = 0;
        for object in stream.objects().filter(|object| object.kind == "Secret") {
            let name = format!(
                "{}/{}",
                object.namespace.unwrap_or("default"),
                object.name.unwrap_or_default()
            );
            let secret: Secret = serde_json::from_value(object.node.to_json())
                .ok()
                .with_context(|| format!("`{}`: the Secret `{name}` cannot be read", source.name))?;
            found += usize::from(add(&mut secrets, &name, &secret)?);
        }
        if found == 0 {
            bail!(
                "`{}` holds no pull secret: expected a Secret of the type `kubernetes.io/dockerconfigjson` or \
                 `kubernetes.io/dockercfg`",
                source.name
            );
        }
    }
    Ok(secrets)
}

/// Adds a Secret; whether it is a pull secret.
fn add(secrets: &mut PullSecrets, name: &str, secret: &Secret) -> Result<bool> {
    let key = match secret.kind.as_str() {
        "kubernetes.io/dockerconfigjson" => ".dockerconfigjson",
        "kubernetes.io/dockercfg" => ".dockercfg",
        _ => return Ok(false),
    };
    // What is written as text counts more, as for the API server.
    let value = match (secret.string_data.get(key), secret.data.get(key)) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(encoded)) => {
            let text: String = encoded.split_ascii_whitespace().collect();
            let decoded = STANDARD.decode(text).ok();
            decoded.with_context(|| format!("Secret `{name}`: `{key}` is not base64"))?
        }
        (None, None) => bail!(
            "Secret `{name}`: a secret of the type `{}` has the key `{key}`",
            secret.kind
        ),
    };
    secrets.add(name, &secret.kind, key, &value)?;
    Ok(true)
}
