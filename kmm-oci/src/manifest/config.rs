//! The configuration of an image.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::digest::Digest;
use crate::manifest::LARGEST;
use crate::manifest::ManifestError;
use crate::manifest::Platform;

/// What is used of the configuration of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageConfig {
    /// What it says that it is built for; empty where it does not say.
    pub platform: Platform,
    /// What the layers unpack to, the lowest one first.
    pub diff_ids: Vec<Digest>,
    /// When it was made, as it is written there.
    pub created: Option<String>,
    /// `PATH` of its environment, where programs are looked for.
    pub search_path: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(flatten)]
    platform: Platform,
    rootfs: Option<RootFs>,
    created: Option<String>,
    config: Option<Inner>,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Option<Vec<Digest>>,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, Option<String>>>,
    #[serde(rename = "Env")]
    environment: Option<Vec<String>>,
}

impl ImageConfig {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// When it is too large, or not the JSON of a configuration.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() as u64 > LARGEST {
            return Err(ManifestError::TooLarge {
                size: bytes.len() as u64,
            });
        }
        let raw: Raw = serde_json::from_slice(bytes).map_err(|e| ManifestError::json(&e))?;
        let (labels, environment) = raw
            .config
            .map(|config| (config.labels, config.environment))
            .unwrap_or_default();
        // The last one counts, as in every environment.
        let search_path = environment
            .iter()
            .flatten()
            .rev()
            .find_map(|pair| pair.strip_prefix("PATH="));
        Ok(Self {
            platform: raw.platform,
            diff_ids: raw.rootfs.and_then(|rootfs| rootfs.diff_ids).unwrap_or_default(),
            created: raw.created,
            search_path: search_path.map(str::to_owned),
            labels: labels
                .into_iter()
                .flatten()
                .map(|(key, value)| (key, value.unwrap_or_default()))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_is_read_and_the_rest_may_be_anything() {
        let diff = Digest::sha256(b"");
        let text = format!(
            r#"{{"architecture":"arm","os":"linux","variant":"v7","config":{{"Labels":{{"a":"b"}},"Cmd":7,"Env":["PATH=/a","X=1","PATH=/b"]}},
               "history":"none","rootfs":{{"type":"layers","diff_ids":["{diff}"]}}}}"#
        );
        let config = ImageConfig::parse(text.as_bytes()).unwrap();
        assert_eq!(config.platform.to_string(), "linux/arm/v7");
        assert_eq!(config.diff_ids, [diff]);
        assert_eq!(config.search_path.as_deref(), Some("/b"));
        assert_eq!(config.labels.get("a").map(String::as_str), Some("b"));
        assert!(ImageConfig::parse(b"{}").unwrap().diff_ids.is_empty());
        assert!(ImageConfig::parse(br#"{"rootfs":{"diff_ids":["sha256:../x"]}}"#).is_err());
        assert!(ImageConfig::parse(&vec![b' '; (4 << 20) + 1]).is_err());
    }
}
