//! The configuration file of the operator, and what else it knows of its installation.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::naming::dns1123_subdomain;

/// The configuration file, with the keys of the Go operator and a few more (marked so).
///
/// A key that nobody knows and a value of the wrong kind are errors, and the operator does not start with them; the Go
/// operator takes all its defaults then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorConfig {
    /// Where `/healthz` and `/readyz` are served.
    pub health_probe_bind_address: String,
    /// Port of the webhooks.
    pub webhook_port: u16,
    /// The webhooks besides their port. Not a key of the Go operator.
    pub webhooks: Webhooks,
    /// Leader election.
    pub leader_election: LeaderElection,
    /// Metrics.
    pub metrics: Metrics,
    /// Worker pods.
    pub worker: Worker,
    /// Build and sign pods.
    pub job: Job,
    /// Looking for images. Not a key of the Go operator.
    pub images: Images,
}

/// The webhooks besides their port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhooks {
    /// Whether the operator serves them too; `kmm webhook` always does.
    pub enabled: bool,
    /// Address of the machine where they are served; empty for every one.
    pub bind_address: String,
    /// Folder with `tls.crt` and `tls.key`.
    pub cert_dir: String,
}

/// Leader election.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaderElection {
    /// Whether there is one.
    pub enabled: bool,
    /// Name of the Lease.
    #[serde(rename = "resourceID")]
    pub resource_id: String,
}

/// Metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// Where they are served; `0` for nowhere.
    pub bind_address: String,
    /// Whether the API server is asked who reads them.
    pub enable_authn_authz: bool,
    /// Whether they are served over TLS.
    pub secure_serving: bool,
}

/// Worker pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Worker {
    /// User of the worker; only 0 may load modules.
    pub run_as_user: Option<i64>,
    /// SELinux type of the worker; empty for none.
    pub se_linux_type: String,
    /// Firmware folder of the host; `None` where there is none.
    pub firmware_host_path: Option<String>,
}

/// Build and sign pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// How long pods that succeeded are kept after they were deleted.
    pub gc_delay: Duration,
}

/// Looking for images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Images {
    /// How.
    pub check: ImageCheck,
}

/// How it is found out whether an image exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ImageCheck {
    /// A pod on a node of the Module pulls it, as with the Go operator. The default: it sees what the nodes will see, their
    /// mirrors, the credentials of their kubelets and their way to the registry.
    #[default]
    Pod,
    /// The operator asks the registry, with the Module's credentials and TLS options. Quicker, and needs no pod; but the
    /// operator has to reach the registry, and knows nothing of mirrors.
    Registry,
}

impl Default for OperatorConfig {
    fn default() -> Self {
        Self {
            health_probe_bind_address: ":8081".to_owned(),
            webhook_port: 9443,
            webhooks: Webhooks {
                enabled: false,
                bind_address: String::new(),
                cert_dir: "/tmp/k8s-webhook-server/serving-certs".to_owned(),
            },
            leader_election: LeaderElection {
                enabled: true,
                resource_id: "kmm.sigs.x-k8s.io".to_owned(),
            },
            metrics: Metrics {
                bind_address: "0.0.0.0:8443".to_owned(),
                enable_authn_authz: true,
                secure_serving: true,
            },
            worker: Worker {
                run_as_user: Some(0),
                se_linux_type: "spc_t".to_owned(),
                firmware_host_path: Some("/lib/firmware".to_owned()),
            },
            job: Job {
                gc_delay: Duration::ZERO,
            },
            images: Images {
                check: ImageCheck::Pod,
            },
        }
    }
}

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}{problem}", place(.path))]
pub struct ConfigError {
    /// The key, with those above it: `worker.runAsUser`. Empty where it is about all of them.
    pub path: String,
    /// What is wrong there, and what is allowed.
    pub problem: String,
}

fn place(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!("`{path}`: ")
    }
}

impl OperatorConfig {
    /// Reads a configuration; what it does not say is as by default.
    ///
    /// # Errors
    ///
    /// All keys that are not known and all values that are not allowed, with their paths.
    ///
    /// # Example: a typing error is told
    ///
    /// ```
    /// use kmm_core::reconcile::OperatorConfig;
    ///
    /// let errors = OperatorConfig::read(&serde_json::json!({"worker": {"runAsUsr": 0}})).unwrap_err();
    /// assert_eq!(errors[0].path, "worker.runAsUsr");
    /// ```
    pub fn read(value: &Value) -> Result<Self, Vec<ConfigError>> {
        let mut config = Self::default();
        let mut reader = Reader::default();
        // It would be a fault for each of its keys.
        if value["apiVersion"].is_string() && value["kind"].is_string() {
            reader.fail(
                "this is an object of Kubernetes: the configuration is the text below a key of the `data` of a ConfigMap",
            );
            return Err(reader.errors);
        }
        reader.section("", value, |reader, key, value| {
            match key {
                "healthProbeBindAddress" => reader.address(value, &mut config.health_probe_bind_address),
                "webhookPort" => reader.port(value, &mut config.webhook_port),
                "webhooks" => {
                    let section = &mut config.webhooks;
                    reader.section(key, value, |reader, key, value| match key {
                        "enabled" => reader.flag(value, &mut section.enabled),
                        "bindAddress" => reader.text(value, &mut section.bind_address),
                        "certDir" => reader.text(value, &mut section.cert_dir),
                        _ => reader.unknown("bindAddress, certDir, enabled"),
                    });
                }
                "leaderElection" => {
                    let section = &mut config.leader_election;
                    let is_needed = value["enabled"] != false;
                    reader.section(key, value, |reader, key, value| match key {
                        "enabled" => reader.flag(value, &mut section.enabled),
                        "resourceID" if is_needed => reader.name(value, &mut section.resource_id),
                        "resourceID" => reader.text(value, &mut section.resource_id),
                        _ => reader.unknown("enabled, resourceID"),
                    });
                }
                "metrics" => {
                    let section = &mut config.metrics;
                    reader.section(key, value, |reader, key, value| match key {
                        "bindAddress" => reader.address(value, &mut section.bind_address),
                        "enableAuthnAuthz" => reader.flag(value, &mut section.enable_authn_authz),
                        "secureServing" => reader.flag(value, &mut section.secure_serving),
                        _ => reader.unknown("bindAddress, enableAuthnAuthz, secureServing"),
                    });
                }
                "worker" => reader.section(key, value, |reader, key, value| match key {
                    "runAsUser" => reader.user(value, &mut config.worker.run_as_user),
                    "seLinuxType" => reader.text(value, &mut config.worker.se_linux_type),
                    "firmwareHostPath" => reader.folder(value, &mut config.worker.firmware_host_path),
                    "setFirmwareClassPath" => reader.fail(
                        "no longer a key: name the folder with `firmwareHostPath`, the worker sets the path itself",
                    ),
                    _ => reader.unknown("firmwareHostPath, runAsUser, seLinuxType"),
                }),
                "job" => reader.section(key, value, |reader, key, value| match key {
                    "gcDelay" => reader.duration(value, &mut config.job.gc_delay),
                    _ => reader.unknown("gcDelay"),
                }),
                "images" => reader.section(key, value, |reader, key, value| match key {
                    "check" => match value.as_str() {
                        Some("pod") => config.images.check = ImageCheck::Pod,
                        Some("registry") => config.images.check = ImageCheck::Registry,
                        Some(_) | None => reader.fail(&format!("is {value}; allowed are `pod` and `registry`")),
                    },
                    _ => reader.unknown("check"),
                }),
                _ => reader.unknown(
                    "healthProbeBindAddress, images, job, leaderElection, metrics, webhookPort, webhooks, worker",
                ),
            }
        });
        if reader.errors.is_empty() {
            Ok(config)
        } else {
            Err(reader.errors)
        }
    }
}

/// Walks through a configuration and keeps what is wrong.
#[derive(Default)]
struct Reader {
    path: Vec<String>,
    errors: Vec<ConfigError>,
}

impl Reader {
    /// Every key of a mapping; `name` is for its own errors.
    fn section(&mut self, name: &str, value: &Value, mut each: impl FnMut(&mut Self, &str, &Value)) {
        let Value::Object(map) = value else {
            let what = if name.is_empty() {
                "the configuration"
            } else {
                "the section"
            };
            return self.fail(&format!("{what} is {value} and has to be a mapping"));
        };
        for (key, value) in map {
            self.path.push(key.clone());
            each(self, key, value);
            self.path.pop();
        }
    }

    fn fail(&mut self, problem: &str) {
        self.errors.push(ConfigError {
            path: self.path.join("."),
            problem: problem.to_owned(),
        });
    }

    fn unknown(&mut self, known: &str) {
        self.fail(&format!("unknown key; known are {known}"));
    }

    fn text(&mut self, value: &Value, into: &mut String) {
        match value.as_str() {
            Some(text) => text.clone_into(into),
            None => self.fail(&format!("is {value} and has to be a string")),
        }
    }

    /// An address as Go writes them, or nothing.
    fn address(&mut self, value: &Value, into: &mut String) {
        let is_port = |port: &str| port.parse::<u16>().is_ok();
        match value.as_str() {
            Some(text)
                if matches!(text, "" | "0")
                    || text.rsplit_once(':').is_some_and(|(_, port)| is_port(port)) =>
            {
                text.clone_into(into);
            }
            Some(_) | None => self.fail(&format!(
                "is {value} and has to be an address with a port, such as `:8081` or `127.0.0.1:8081`; `\"0\"`, with the quotes, serves nothing"
            )),
        }
    }

    /// The name of an object.
    fn name(&mut self, value: &Value, into: &mut String) {
        match value.as_str() {
            Some(text) if dns1123_subdomain(text).is_empty() => text.clone_into(into),
            Some(_) | None => self.fail(&format!(
                "is {value} and has to be the name of a Lease: at most 253 small letters, digits, `-` and `.`, with a \
                 letter or digit at both ends and beside each `.`"
            )),
        }
    }

    fn flag(&mut self, value: &Value, into: &mut bool) {
        match value.as_bool() {
            Some(flag) => *into = flag,
            None => self.fail(&format!("is {value} and has to be true or false")),
        }
    }

    fn port(&mut self, value: &Value, into: &mut u16) {
        match value.as_u64().and_then(|port| u16::try_from(port).ok()) {
            Some(port) => *into = port,
            None => self.fail(&format!("is {value} and has to be a number from 0 to 65535")),
        }
    }

    fn user(&mut self, value: &Value, into: &mut Option<i64>) {
        match value {
            Value::Null => *into = None,
            Value::Number(number) if number.as_i64().is_some_and(|user| user >= 0) => *into = number.as_i64(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                self.fail(&format!("is {value} and has to be the number of a user"));
            }
        }
    }

    fn folder(&mut self, value: &Value, into: &mut Option<String>) {
        match value {
            Value::Null => *into = None,
            Value::String(path) if path.starts_with('/') => *into = Some(path.clone()),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                self.fail(&format!("is {value} and has to be an absolute path"));
            }
        }
    }

    fn duration(&mut self, value: &Value, into: &mut Duration) {
        match value.as_str().and_then(duration) {
            Some(duration) => *into = duration,
            None => self.fail(&format!(
                "is {value} and has to be a duration such as `2m` or `1h30m`"
            )),
        }
    }
}

/// A duration as Go writes it, not below zero.
fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .filter(|&end| end > 0)?;
        let (digits, after) = rest.split_at(number);
        let (unit, seconds) = [
            ("ns", 1e-9),
            ("us", 1e-6),
            ("µs", 1e-6),
            ("ms", 1e-3),
            ("h", 3600.0),
            ("m", 60.0),
            ("s", 1.0),
        ]
        .into_iter()
        .find(|(unit, _)| after.starts_with(unit))?;
        let part = Duration::try_from_secs_f64(digits.parse::<f64>().ok()? * seconds).ok()?;
        total = total.checked_add(part)?;
        rest = &after[unit.len()..];
    }
    (!text.is_empty()).then_some(total)
}

/// What a controller knows of its installation besides the objects that it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installation {
    /// The configuration file.
    pub config: OperatorConfig,
    /// Image of the worker (`RELATED_IMAGE_WORKER`).
    pub worker_image: String,
    /// Whether every node can mount images as volumes (Kubernetes 1.35, or 1.33 with the feature turned on).
    pub image_volumes: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_configuration_is_the_default() {
        assert_eq!(OperatorConfig::read(&json!({})), Ok(OperatorConfig::default()));
    }

    #[test]
    fn every_key() {
        let config = OperatorConfig::read(&json!({
            "healthProbeBindAddress": ":1", "webhookPort": 2,
            "leaderElection": {"enabled": false, "resourceID": "x"},
            "metrics": {"bindAddress": "0", "enableAuthnAuthz": false, "secureServing": false},
            "worker": {"runAsUser": 7, "seLinuxType": "", "firmwareHostPath": "/var/lib/firmware"},
            "job": {"gcDelay": "1h30m"}, "images": {"check": "registry"},
            "webhooks": {"enabled": true, "bindAddress": "127.0.0.1", "certDir": "/certs"},
        }));
        let config = config.unwrap();
        assert_eq!(config.job.gc_delay, Duration::from_secs(5400));
        assert_eq!(config.images.check, ImageCheck::Registry);
        assert_eq!(config.worker.run_as_user, Some(7));
        assert_eq!(
            config.worker.firmware_host_path.as_deref(),
            Some("/var/lib/firmware")
        );
        assert_eq!((config.webhook_port, config.leader_election.enabled), (2, false));
        let webhooks = Webhooks {
            enabled: true,
            bind_address: "127.0.0.1".to_owned(),
            cert_dir: "/certs".to_owned(),
        };
        assert_eq!(config.webhooks, webhooks);
    }

    /// Row 6.29: nothing falls back to defaults in silence, and every fault is told at once.
    #[test]
    fn every_fault_is_told() {
        let errors = OperatorConfig::read(&json!({
            "webhookPort": 70_000, "metrics": [], "worker": {"runAsUser": "root", "firmwareHostPath": "x"},
            "job": {"gcDelay": "2"}, "images": {"check": "guess"}, "nothing": 1,
        }))
        .unwrap_err();
        let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "images.check",
                "job.gcDelay",
                "metrics",
                "nothing",
                "webhookPort",
                "worker.firmwareHostPath",
                "worker.runAsUser"
            ]
        );
        let whole = OperatorConfig::read(&json!([])).unwrap_err();
        assert_eq!(whole.len(), 1);
        assert_eq!(
            whole[0].to_string(),
            "the configuration is [] and has to be a mapping"
        );
    }

    /// They would be refused only when they are used: the Lease again and again, without an end.
    #[test]
    fn addresses_and_names_are_looked_at() {
        let errors = OperatorConfig::read(&json!({
            "healthProbeBindAddress": "8081", "metrics": {"bindAddress": "localhost:http"},
            "leaderElection": {"resourceID": "Bad Name"},
        }))
        .unwrap_err();
        let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "healthProbeBindAddress",
                "leaderElection.resourceID",
                "metrics.bindAddress"
            ]
        );
        let alone = json!({"leaderElection": {"enabled": false, "resourceID": ""}});
        assert!(OperatorConfig::read(&alone).is_ok(), "its Lease is not used");
        for address in ["", "0", ":8081", "127.0.0.1:0", "[::1]:8443", "localhost:8080"] {
            let config = OperatorConfig::read(&json!({"metrics": {"bindAddress": address}})).unwrap();
            assert_eq!(config.metrics.bind_address, address);
        }
    }

    #[test]
    fn a_config_map_is_none() {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": {}});
        let errors = OperatorConfig::read(&map).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert!(
            errors[0]
                .to_string()
                .starts_with("this is an object of Kubernetes")
        );
    }

    #[test]
    fn durations_of_go() {
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("0"), Some(Duration::ZERO));
        assert_eq!(duration("100ms"), Some(Duration::from_millis(100)));
        for text in ["", "5", "s", "-1s", "1x", "1..s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
