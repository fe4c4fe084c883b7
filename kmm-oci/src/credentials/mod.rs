//! Passwords and tokens for registries, and where they are kept.
//!
//! A [`Keychain`] holds the places in the order in which they are asked:
//! 1. what was given by hand ([`Keychain::with_credential`]);
//! 2. Kubernetes pull secrets ([`PullSecrets`]), in the order given: every entry that matches is a candidate, and they are
//!    tried one after another, as a kubelet does;
//! 3. docker's and podman's files ([`ConfigFile`]), in the order given: the first that has something for the image.
//!
//! Where nothing matches, the registry is asked without a name. Where something matches and the registry takes none
//! of it, the answer is "unauthorised": a public image is not pulled behind the back of a wrong password.

mod config_file;
mod glob;
mod helper;
mod pull_secret;

use std::fmt;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::GeneralPurpose;
use base64::engine::GeneralPurposeConfig;

use crate::reference::ImageName;

pub use config_file::ConfigFile;
pub use config_file::config_files;
pub use helper::Helper;
pub use pull_secret::PullSecrets;

/// The largest file or secret with credentials that is read, in bytes; a Secret of Kubernetes holds no more.
pub const CREDENTIALS_LIMIT: usize = 1 << 20;

/// Base64 with or without padding, as docker and the kubelet read it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// What a registry is told about who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A name and a password.
    Basic {
        /// Who.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A refresh token, which the token server changes into an access token (`identitytoken`).
    IdentityToken(Secret),
    /// An access token, sent to the registry as it is (`registrytoken`).
    RegistryToken(Secret),
}

/// A credential, and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The place, for messages: a file and its key, or a secret.
    pub origin: String,
    /// The credential.
    pub credential: Credential,
}

/// Why credentials could not be read.
#[derive(Debug, thiserror::Error)]
#[error("credentials from `{origin}`: {reason}")]
pub struct CredentialError {
    origin: String,
    reason: String,
}

impl CredentialError {
    pub(crate) fn new(origin: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            reason: reason.into(),
        }
    }
}

/// The places with credentials, in the order in which they are asked.
#[derive(Debug, Clone, Default)]
pub struct Keychain {
    given: Vec<Candidate>,
    secrets: PullSecrets,
    files: Vec<ConfigFile>,
}

impl Keychain {
    /// A keychain that knows nothing: every registry is asked without a name.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Adds a credential that was given by hand, for every registry; nothing else is asked then.
    #[must_use]
    pub fn with_credential(mut self, origin: impl Into<String>, credential: Credential) -> Self {
        self.given.push(Candidate {
            origin: origin.into(),
            credential,
        });
        self
    }

    /// Sets the pull secrets.
    #[must_use]
    pub fn with_pull_secrets(mut self, secrets: PullSecrets) -> Self {
        self.secrets = secrets;
        self
    }

    /// Adds a file of docker or podman.
    #[must_use]
    pub fn with_file(mut self, file: ConfigFile) -> Self {
        self.files.push(file);
        self
    }

    /// What may be tried for an image, in order; nothing means that the registry is asked without a name.
    ///
    /// # Errors
    ///
    /// A credential helper that fails, takes too long or answers with nonsense.
    pub async fn candidates(&self, image: &ImageName) -> Result<Vec<Candidate>, CredentialError> {
        if !self.given.is_empty() {
            return Ok(self.given.clone());
        }
        let found = self.secrets.matching(image);
        if !found.is_empty() {
            return Ok(found);
        }
        for file in &self.files {
            if let Some(candidate) = file.find(image).await? {
                return Ok(vec![candidate]);
            }
        }
        Ok(Vec::new())
    }
}

/// One entry of `auths` (docker, podman) or of a pull secret: they have the same form.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
struct Entry {
    username: Option<String>,
    password: Option<Secret>,
    auth: Option<Secret>,
    identitytoken: Option<Secret>,
    registrytoken: Option<Secret>,
}

impl Entry {
    /// The credential it holds: none for an entry that is only a mark (`{}`), as docker leaves beside a helper.
    fn credential(&self) -> Result<Option<Credential>, String> {
        let given = |secret: &Option<Secret>| secret.clone().filter(|secret| !secret.expose().is_empty());
        if let Some(token) = given(&self.registrytoken) {
            return Ok(Some(Credential::RegistryToken(token)));
        }
        if let Some(token) = given(&self.identitytoken) {
            return Ok(Some(Credential::IdentityToken(token)));
        }
        let (user, password) = match given(&self.auth) {
            Some(auth) => decode(auth.expose())?,
            None => (
                self.username.clone().unwrap_or_default(),
                self.password.as_ref().map_or("", Secret::expose).to_owned(),
            ),
        };
        Ok(
            (!user.is_empty() || !password.is_empty()).then_some(Credential::Basic {
                user,
                password: Secret(password),
            }),
        )
    }
}

/// Takes the `auth` of an entry apart: base64 of `USER:PASSWORD`.
fn decode(auth: &str) -> Result<(String, String), String> {
    let bytes = BASE64
        .decode(auth.trim())
        .map_err(|_| "`auth` is not base64".to_owned())?;
    let text = String::from_utf8(bytes).map_err(|_| "`auth` is not UTF-8 inside its base64".to_owned())?;
    // Docker pads some passwords with zero bytes.
    let (user, password) = text
        .split_once(':')
        .ok_or_else(|| "`auth` has no `:` inside its base64; expected `USER:PASSWORD`".to_owned())?;
    Ok((user.to_owned(), password.trim_end_matches('\0').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_holds_a_password_shows_it() {
        // `auth` is `name:hunter2-auth`.
        let auths = r#"{
            "a.example.com": {"username": "name", "password": "hunter2-password"},
            "b.example.com": {"auth": "bmFtZTpodW50ZXIyLWF1dGg="},
            "c.example.com": {"identitytoken": "hunter2-identity"},
            "d.example.com": {"registrytoken": "hunter2-registry"}
        }"#;
        let json = format!(r#"{{"auths": {auths}}}"#);
        let entries: std::collections::BTreeMap<String, Entry> = serde_json::from_str(auths).unwrap();
        let file = ConfigFile::parse("file", json.as_bytes()).unwrap();
        let mut secrets = PullSecrets::default();
        let kind = "kubernetes.io/dockerconfigjson";
        secrets
            .add("a/b", kind, ".dockerconfigjson", json.as_bytes())
            .unwrap();
        let mut shown = vec![format!("{entries:?} {file:?} {secrets:?}")];
        let mut credentials = Vec::new();
        for entry in entries.values() {
            credentials.push(entry.credential().unwrap().unwrap());
        }
        shown.push(format!("{credentials:#?}"));
        let mut keychain = Keychain::anonymous().with_file(file).with_pull_secrets(secrets);
        for credential in credentials {
            keychain = keychain.with_credential("given", credential);
        }
        shown.push(format!("{keychain:?}"));
        for text in shown {
            assert!(text.contains("Secret(…)"), "{text}");
            assert!(!text.contains("hunter2") && !text.contains("bmFtZ"), "{text}");
        }
        for wrong in [
            r#"{"auths": {"a": {"auth": "hunter2"}}}"#,
            r#"{"auths": {"a": {"auth": "aHVudGVyMg=="}}}"#,
            r#"{"auths": {"a": {"password": ["hunter2"]}}}"#,
            r#"{"auths": {"a": {"password": "hunter2"}"#,
        ] {
            let error = PullSecrets::default()
                .add("a/b", kind, ".dockerconfigjson", wrong.as_bytes())
                .unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(
                !shown.contains("hunter2") && !shown.contains("aHVudGVyMg"),
                "{shown}"
            );
        }
    }
}
