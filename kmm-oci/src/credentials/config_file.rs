//! Docker's `config.json` and podman's `auth.json`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;

use super::CREDENTIALS_LIMIT;
use super::Candidate;
use super::CredentialError;
use super::Entry;
use super::Helper;
use crate::reference::ImageName;

/// The key of Docker Hub in docker's files, and what its helpers are asked for.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// A file with credentials, read.
///
/// For an image `HOST/A/B` the keys `HOST/A/B`, `HOST/A` and `HOST` are looked for, the longest first, whole segments only;
/// then keys of the old form, a URL of the host. A helper in `credHelpers` is asked before `auths`, the one in
/// `credsStore` after it.
#[derive(Debug, Clone, Default)]
pub struct ConfigFile {
    origin: String,
    content: Content,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Content {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

/// The files that podman and docker look into, in that order, for an environment: `$REGISTRY_AUTH_FILE` alone where it is
/// set, else `$XDG_RUNTIME_DIR/containers/auth.json`, `containers/auth.json` in the configuration folder,
/// `$DOCKER_CONFIG/config.json` (`~/.docker`).
pub fn config_files(variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let folder = |name: &str| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(file) = folder("REGISTRY_AUTH_FILE") {
        return vec![file];
    }
    let home = folder("HOME");
    let below = |name: &str| home.as_ref().map(|home| home.join(name));
    let files = [
        folder("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
        folder("XDG_CONFIG_HOME")
            .or_else(|| below(".config"))
            .map(|folder| folder.join("containers/auth.json")),
        folder("DOCKER_CONFIG")
            .or_else(|| below(".docker"))
            .map(|folder| folder.join("config.json")),
    ];
    files.into_iter().flatten().collect()
}

impl ConfigFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, is larger than [`CREDENTIALS_LIMIT`] or is not the JSON that docker writes.
    pub fn read(path: &Path) -> Result<Self, CredentialError> {
        use std::io::Read as _;

        let origin = path.display().to_string();
        let refuse = |error: std::io::Error| CredentialError::new(&origin, error.to_string());
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(refuse)?;
        file.take(CREDENTIALS_LIMIT as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(refuse)?;
        Self::parse(&origin, &bytes)
    }

    /// Reads the text of such a file; `origin` names it in messages.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn parse(origin: &str, text: &[u8]) -> Result<Self, CredentialError> {
        if text.len() > CREDENTIALS_LIMIT {
            return Err(CredentialError::new(
                origin,
                format!("larger than {CREDENTIALS_LIMIT} bytes"),
            ));
        }
        // The text of the error is left out: it could repeat a password.
        let content = serde_json::from_slice(text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            CredentialError::new(origin, format!("not a docker or podman configuration: {place}"))
        })?;
        Ok(Self {
            origin: origin.to_owned(),
            content,
        })
    }

    /// The credential for an image.
    ///
    /// # Errors
    ///
    /// Where the entry for it cannot be read, or its helper fails.
    pub async fn find(&self, image: &ImageName) -> Result<Option<Candidate>, CredentialError> {
        let keys = keys(image);
        for key in &keys {
            if let Some(helper) = self.content.cred_helpers.get(key).filter(|name| !name.is_empty()) {
                return self.ask(helper, server(key)).await;
            }
            if let Some(entry) = self.content.auths.get(key)
                && let Some(found) = self.credential(key, entry)?
            {
                return Ok(Some(found));
            }
        }
        let host = image.registry();
        let old = self
            .content
            .auths
            .iter()
            .filter(|(key, _)| old_host(key) == Some(host));
        for (key, entry) in old {
            if let Some(found) = self.credential(key, entry)? {
                return Ok(Some(found));
            }
        }
        match self.content.creds_store.as_str() {
            "" => Ok(None),
            helper => self.ask(helper, server(host)).await,
        }
    }

    fn credential(&self, key: &str, entry: &Entry) -> Result<Option<Candidate>, CredentialError> {
        let credential = entry
            .credential()
            .map_err(|reason| CredentialError::new(&self.origin, format!("entry `{key}`: {reason}")))?;
        Ok(credential.map(|credential| Candidate {
            origin: format!("`{}`, entry `{key}`", self.origin),
            credential,
        }))
    }

    async fn ask(&self, helper: &str, server: &str) -> Result<Option<Candidate>, CredentialError> {
        let helper = Helper::new(helper)?;
        let credential = helper.get(server).await?;
        Ok(credential.map(|credential| Candidate {
            origin: format!("helper `{}` of `{}`", helper.name(), self.origin),
            credential,
        }))
    }
}

/// The keys for an image, the longest first.
fn keys(image: &ImageName) -> Vec<String> {
    let full = image.full_repository();
    let mut keys = vec![full.clone()];
    let mut rest = full.as_str();
    while let Some((shorter, _)) = rest.rsplit_once('/') {
        keys.push(shorter.to_owned());
        rest = shorter;
    }
    keys
}

/// What a helper is asked for.
fn server(key: &str) -> &str {
    if key == "docker.io" { HUB_KEY } else { key }
}

/// The host of a key of the old form, a URL; none where the key has another path than `/v1/` or `/v2/`.
fn old_host(key: &str) -> Option<&str> {
    let rest = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"));
    let rest = rest.unwrap_or(key);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    match path.trim_end_matches('/') {
        "" | "v1" | "v2" => Some(match host {
            "index.docker.io" | "registry-1.docker.io" => "docker.io",
            host => host,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Credential;
    use super::*;

    /// Each block of the data file: `key = user` lines, then `image -> user`.
    #[tokio::test]
    async fn finds_what_podman_finds() {
        let text = include_str!("../../tests/credentials/config-file.txt");
        let mut cases = 0;
        let mut auths = serde_json::Map::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if let Some((key, user)) = line.split_once(" = ") {
                let entry = match user {
                    "mark" => serde_json::json!({}),
                    user => serde_json::json!({ "username": user, "password": "p" }),
                };
                auths.insert(key.to_owned(), entry);
            } else if let Some((image, user)) = line.split_once(" -> ") {
                let json = serde_json::json!({ "auths": auths }).to_string();
                let file = ConfigFile::parse("f", json.as_bytes()).unwrap();
                let found = file.find(&image.parse().unwrap()).await.unwrap();
                let found = match found.map(|candidate| candidate.credential) {
                    Some(Credential::Basic { user, .. }) => user,
                    None => "nobody".to_owned(),
                    Some(other) => panic!("{other:?}"),
                };
                assert_eq!(found, user, "line {}: {line}", number + 1);
                cases += 1;
            } else if line.is_empty() {
                auths.clear();
            } else {
                panic!("line {}: {line}", number + 1);
            }
        }
        assert!(cases > 15, "{cases}");
    }

    #[tokio::test]
    async fn helpers_that_cannot_be_run_are_errors() {
        let file = ConfigFile::parse(
            "f",
            br#"{"credHelpers":{"a.io":"../evil"},"credsStore":"not-there"}"#,
        )
        .unwrap();
        let error = file.find(&"a.io/x".parse().unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("the name of a helper"), "{error}");
        let error = file.find(&"b.io/x".parse().unwrap()).await.unwrap_err();
        assert!(
            error.to_string().contains("docker-credential-not-there"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_configuration_is_refused_without_its_text() {
        for text in ["", "{\"auths\":{\"a\":\"hunter2\"}}", "{\"auths\":[]}", "\u{0}"] {
            let error = ConfigFile::parse("f", text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("line ") && !error.contains("hunter2"), "{error}");
        }
        assert!(ConfigFile::parse("f", &vec![b' '; CREDENTIALS_LIMIT + 1]).is_err());
    }

    #[test]
    fn the_environment_says_where_files_are() {
        let with = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, OsString)> = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
                .collect();
            let files = config_files(&move |name| {
                pairs
                    .iter()
                    .find(|(key, _)| key == name)
                    .map(|(_, value)| value.clone())
            });
            files
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(with(&[]), "");
        assert_eq!(
            with(&[("HOME", "/h")]),
            "/h/.config/containers/auth.json /h/.docker/config.json"
        );
        assert_eq!(
            with(&[
                ("HOME", "/h"),
                ("XDG_RUNTIME_DIR", "/r"),
                ("XDG_CONFIG_HOME", "/c"),
                ("DOCKER_CONFIG", "/d")
            ]),
            "/r/containers/auth.json /c/containers/auth.json /d/config.json"
        );
        assert_eq!(with(&[("HOME", "/h"), ("REGISTRY_AUTH_FILE", "/f")]), "/f");
    }
}
