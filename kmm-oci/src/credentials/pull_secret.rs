//! Kubernetes pull secrets: which of their entries a kubelet would try for an image.
//!
//! What surprises:
//! - an entry's path is a prefix of letters, not of path segments: `quay.io/par` also matches `quay.io/partial/x`;
//! - keys are tried in descending order of their text, so that a longer path comes before a shorter one and a glob
//!   (`*` sorts below letters) after both;
//! - a glob stands for one label of the host: `*.quay.io` matches neither `quay.io` nor `a.b.quay.io`;
//! - Docker Hub is `index.docker.io` here, though `docker.io` is understood too.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::CREDENTIALS_LIMIT;
use super::Candidate;
use super::Credential;
use super::CredentialError;
use super::Entry;
use super::glob;
use crate::reference::ImageName;

const HUB_HOSTS: [&str; 2] = ["index.docker.io", "docker.io"];

/// The entries of pull secrets.
///
/// # Example: the kubelet's choice
///
/// ```
/// use kmm_oci::credentials::PullSecrets;
///
/// let mut secrets = PullSecrets::default();
/// let json = br#"{"auths":{"*.example.com":{"auth":"YTpi"},"r.example.com/team":{"auth":"Yzpk"}}}"#;
/// secrets.add("kmm/pull", "kubernetes.io/dockerconfigjson", ".dockerconfigjson", json)?;
/// let found = secrets.matching(&"r.example.com/team/driver:1".parse()?);
/// assert_eq!(found.len(), 2);
/// assert_eq!(found[0].origin, "secret `kmm/pull`, entry `r.example.com/team`");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct PullSecrets {
    /// From the key `HOST[:PORT][/PATH]` to its credentials, in the order of the secrets.
    entries: BTreeMap<String, Vec<Candidate>>,
}

#[derive(Deserialize)]
struct DockerConfigJson {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

impl PullSecrets {
    /// Adds one key of a secret. Any other pair of type and key than `kubernetes.io/dockerconfigjson` with
    /// `.dockerconfigjson` and `kubernetes.io/dockercfg` with `.dockercfg` holds no credentials and is passed over.
    ///
    /// # Errors
    ///
    /// Where the value is not the JSON that its type promises, or an `auth` in it cannot be read.
    pub fn add(&mut self, name: &str, kind: &str, key: &str, value: &[u8]) -> Result<(), CredentialError> {
        let origin = format!("secret `{name}`");
        let refuse = |reason: String| CredentialError::new(format!("secret {name}"), reason);
        if value.len() > CREDENTIALS_LIMIT {
            return Err(refuse(format!(
                "`{key}` is larger than {CREDENTIALS_LIMIT} bytes"
            )));
        }
        let json = |error: serde_json::Error| {
            refuse(format!(
                "`{key}` is not what its type promises: {}",
                place(&error)
            ))
        };
        let auths = match (kind, key) {
            ("kubernetes.io/dockerconfigjson", ".dockerconfigjson") => {
                serde_json::from_slice::<DockerConfigJson>(value)
                    .map_err(json)?
                    .auths
            }
            ("kubernetes.io/dockercfg", ".dockercfg") => serde_json::from_slice(value).map_err(json)?,
            _ => return Ok(()),
        };
        for (given, entry) in auths {
            let credential = entry
                .credential()
                .map_err(|reason| refuse(format!("entry `{given}`: {reason}")))?;
            // An entry without anything counts as well: a kubelet sends an empty name and password then, which
            // registries take for nobody.
            let Some(credential) = credential else { continue };
            let candidate = Candidate {
                origin: format!("{origin}, entry `{given}`"),
                credential,
            };
            self.entries
                .entry(normalised(&given))
                .or_default()
                .push(candidate);
        }
        Ok(())
    }

    /// Every credential whose key matches the image, in the order in which a kubelet tries them.
    pub fn matching(&self, image: &ImageName) -> Vec<Candidate> {
        let hosts = match image.registry() {
            "docker.io" => &HUB_HOSTS[..],
            other => &[other][..],
        };
        let mut found: Vec<Candidate> = Vec::new();
        for (key, candidates) in self.entries.iter().rev() {
            if hosts
                .iter()
                .any(|host| key_matches(key, host, image.repository()))
            {
                for candidate in candidates {
                    if !found
                        .iter()
                        .any(|other| same(&other.credential, &candidate.credential))
                    {
                        found.push(candidate.clone());
                    }
                }
            }
        }
        found
    }
}

/// The same credential need not be tried twice.
fn same(one: &Credential, other: &Credential) -> bool {
    one == other
}

/// Where in a JSON text an error is; its text could repeat a password.
fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

/// A key as it is compared: no scheme, no `/v1` or `/v2` in front of a path, no lone `/`.
fn normalised(given: &str) -> String {
    let rest = given
        .strip_prefix("https://")
        .or_else(|| given.strip_prefix("http://"));
    let rest = rest.unwrap_or(given);
    // What a URL has behind its path is no part of a key.
    let rest = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    let (host, path) = match rest.find('/') {
        Some(slash) => (&rest[..slash], &rest[slash..]),
        None => (rest, ""),
    };
    let path = match path.get(..4) {
        Some("/v1/" | "/v2/") => &path[3..],
        _ => path,
    };
    match path {
        "" | "/" => host.to_owned(),
        path => format!("{host}{path}"),
    }
}

/// Whether a key `HOST[:PORT][/PATH]`, its host with globs, matches `host/repository`.
fn key_matches(key: &str, host: &str, repository: &str) -> bool {
    let (key_host, path) = match key.find('/') {
        Some(slash) => (&key[..slash], &key[slash..]),
        None => (key, ""),
    };
    let (key_name, key_port) = split_port(key_host);
    let (name, port) = split_port(host);
    let labels = || key_name.split('.').zip(name.split('.'));
    key_port == port
        && key_name.split('.').count() == name.split('.').count()
        && labels().all(|(glob, label)| glob::matches(glob, label))
        && format!("/{repository}").starts_with(path)
}

/// A host and its port; a `:` inside the brackets of an address starts no port.
fn split_port(host: &str) -> (&str, &str) {
    let after = host.rfind(']').map_or(0, |bracket| bracket + 1);
    match host[after..].find(':') {
        Some(colon) => (&host[..after + colon], &host[after + colon + 1..]),
        None => (host, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each block of the data file: `key = user` lines, then `image -> users`.
    #[test]
    fn matches_as_a_kubelet_does() {
        let text = include_str!("../../tests/credentials/pull-secrets.txt");
        let mut cases = 0;
        let mut secrets = PullSecrets::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if let Some((key, user)) = line.split_once(" = ") {
                let json = serde_json::json!({ "auths": { key: { "username": user, "password": "p" } } });
                let value = json.to_string();
                secrets
                    .add(
                        "s",
                        "kubernetes.io/dockerconfigjson",
                        ".dockerconfigjson",
                        value.as_bytes(),
                    )
                    .unwrap();
            } else if let Some((image, users)) = line.split_once(" -> ") {
                let found = secrets.matching(&image.parse().unwrap());
                let found: Vec<_> = found
                    .iter()
                    .map(|candidate| match &candidate.credential {
                        Credential::Basic { user, .. } => user.as_str(),
                        other => panic!("{other:?}"),
                    })
                    .collect();
                let expected: Vec<_> = users
                    .split_whitespace()
                    .filter(|user| *user != "nobody")
                    .collect();
                assert_eq!(found, expected, "line {}: {line}", number + 1);
                cases += 1;
            } else if line.is_empty() {
                secrets = PullSecrets::default();
            } else {
                panic!("line {}: {line}", number + 1);
            }
        }
        assert!(cases > 30, "{cases}");
    }

    fn add(kind: &str, key: &str, value: &str) -> Result<usize, String> {
        let mut secrets = PullSecrets::default();
        let result = secrets.add("ns/s", kind, key, value.as_bytes());
        result.map_err(|error| error.to_string())?;
        Ok(secrets.entries.len())
    }

    #[test]
    fn types_and_keys_go_together() {
        let (new, old) = (
            r#"{"auths":{"a.io":{"auth":"YTpi"}}}"#,
            r#"{"a.io":{"auth":"YTpi"}}"#,
        );
        assert_eq!(
            add("kubernetes.io/dockerconfigjson", ".dockerconfigjson", new),
            Ok(1)
        );
        assert_eq!(add("kubernetes.io/dockercfg", ".dockercfg", old), Ok(1));
        assert_eq!(add("kubernetes.io/dockercfg", ".dockerconfigjson", new), Ok(0));
        assert_eq!(add("Opaque", ".dockerconfigjson", new), Ok(0));
        assert!(add("kubernetes.io/dockercfg", ".dockercfg", "{").is_err());
    }

    #[test]
    fn what_cannot_be_read_is_said_without_the_secret() {
        let refused = |entry: &str| {
            let value = format!(r#"{{"auths":{{"a.io":{entry}}}}}"#);
            add("kubernetes.io/dockerconfigjson", ".dockerconfigjson", &value).unwrap_err()
        };
        let no_colon = refused(r#"{"auth":"aHVudGVyMg=="}"#);
        assert!(
            no_colon.contains("entry `a.io`") && no_colon.contains("has no `:`"),
            "{no_colon}"
        );
        assert!(refused(r#"{"auth":"???"}"#).contains("not base64"));
        assert!(!refused(r#"{"password":["hunter2"]}"#).contains("hunter2"));
        assert!(!refused(r#""hunter2""#).contains("hunter2"));
    }

    #[test]
    fn auth_wins_over_username_and_needs_no_padding() {
        let mut secrets = PullSecrets::default();
        let json = br#"{"auths":{"a.io":{"username":"x","password":"y","auth":"dXNlcjpwYXNz"},
            "b.io":{"auth":"dTpw"},"c.io":{"identitytoken":"t","auth":"dTpw"},"d.io":{"registrytoken":"t"}}}"#;
        secrets
            .add("s", "kubernetes.io/dockerconfigjson", ".dockerconfigjson", json)
            .unwrap();
        let credential = |image: &str| secrets.matching(&image.parse().unwrap()).remove(0).credential;
        let basic = |user: &str, password: &str| Credential::Basic {
            user: user.into(),
            password: super::super::Secret::new(password),
        };
        assert_eq!(credential("a.io/x"), basic("user", "pass"));
        assert_eq!(credential("b.io/x"), basic("u", "p"));
        assert!(matches!(credential("c.io/x"), Credential::IdentityToken(_)));
        assert!(matches!(credential("d.io/x"), Credential::RegistryToken(_)));
        assert!(!format!("{secrets:?}").contains("pass\""));
    }
}
