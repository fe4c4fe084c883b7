//! Questions to registries: whether they have an image, with the credentials and the TLS options of its Module.
//!
//! Secrets are fetched for the question and forgotten after it.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kmm_core::reconcile::RegistryQuestion;
use kmm_core::reconcile::images::RegistryOutcome;
use kmm_oci::ImageName;
use kmm_oci::credentials::Keychain;
use kmm_oci::credentials::PullSecrets;
use kmm_oci::manifest::Document;
use kmm_oci::registry::ErrorKind;
use kmm_oci::registry::Existence;
use kmm_oci::registry::Limits;
use kmm_oci::registry::Options;
use kmm_oci::registry::Registry;
use kmm_oci::registry::RegistryError;
use kmm_oci::registry::Tls;
use tokio::sync::Semaphore;

use crate::server::CallError;
use crate::server::Server;

/// Questions at the same time.
const ROOM: usize = 8;
/// How long an answer may take, with everything that is tried again within it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The way to registries; its options are those besides credentials and TLS.
pub(crate) struct Registries {
    server: Server,
    options: Options,
    room: Semaphore,
    asked: Mutex<BTreeSet<Asked>>,
}

/// What makes a question the same as another.
type Asked = (String, String, String, Option<i64>);

impl Registries {
    pub(crate) fn new(server: Server, options: Options) -> Self {
        Self {
            server,
            options,
            room: Semaphore::new(ROOM),
            asked: Mutex::default(),
        }
    }

    /// Notes a question; whether it is a new one, and not one that is asked at the moment.
    pub(crate) fn note(&self, question: &RegistryQuestion) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(identity(question))
    }

    /// Asks a question that was noted.
    pub(crate) async fn ask(&self, question: &RegistryQuestion) -> RegistryOutcome {
        // The semaphore is never closed.
        let room = self.room.acquire().await;
        let answer = tokio::time::timeout(PATIENCE, self.answer(question)).await;
        drop(room);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.remove(&identity(question));
        answer.unwrap_or_else(|_| RegistryOutcome::Failed {
            message: format!("no answer within {} s", PATIENCE.as_secs()),
        })
    }

    async fn answer(&self, question: &RegistryQuestion) -> RegistryOutcome {
        let failed = |message: String| RegistryOutcome::Failed { message };
        let image: ImageName = match question.image.parse() {
            Ok(image) => image,
            Err(error) => return failed(format!("`{}`: {error}", question.image)),
        };
        // A kubelet without the Secret asks without a name too, and says so when that fails.
        let (secrets, lacks) = match self.secrets(question).await {
            Ok(secrets) => (secrets, String::new()),
            Err(problem) => (PullSecrets::default(), format!(" ({problem})")),
        };
        let options = Options {
            keychain: Keychain::anonymous().with_pull_secrets(secrets),
            tls: Tls {
                insecure: question.tls.insecure,
                skip_verify: question.tls.insecure_skip_tls_verify,
            },
            limits: Limits {
                manifest: PATIENCE,
                ..self.options.limits
            },
            ..self.options.clone()
        };
        let registry = match Registry::new(options) {
            Ok(registry) => registry,
            Err(error) => return failed(error.to_string()),
        };
        match look(&registry, &image, &question.architectures).await {
            Ok(outcome) => outcome,
            Err(error) => failed(format!("{error}{lacks}: {}", error.help())),
        }
    }

    async fn secrets(&self, question: &RegistryQuestion) -> Result<PullSecrets, String> {
        let mut secrets = PullSecrets::default();
        let Some(secret) = &question.secret else {
            return Ok(secrets);
        };
        let full = format!("{}/{}", question.asker.namespace, secret.name);
        let path = format!("/api/v1/namespaces/{}/secrets", question.asker.namespace);
        let object = self.server.read(&path, &secret.name).await;
        let object = object.map_err(|error| match error {
            CallError::Conflict(_) => format!("there is no Secret `{full}`"),
            error => format!("the Secret `{full}` was not had: {error}"),
        })?;
        let kind = object["type"].as_str().unwrap_or_default();
        for (key, value) in object["data"].as_object().into_iter().flatten() {
            let value = STANDARD.decode(value.as_str().unwrap_or_default());
            let value = value.map_err(|_| format!("`{key}` of the Secret `{full}` is not base64"))?;
            let added = secrets.add(&full, kind, key, &value);
            added.map_err(|error| error.to_string())?;
        }
        Ok(secrets)
    }
}

fn identity(question: &RegistryQuestion) -> Asked {
    let asker = &question.asker;
    let image = question.image.clone();
    (
        asker.namespace.clone(),
        asker.name.clone(),
        image,
        question.generation,
    )
}

/// Whether there is the image, for one of the architectures where some are known.
async fn look(
    registry: &Registry,
    image: &ImageName,
    architectures: &[String],
) -> Result<RegistryOutcome, RegistryError> {
    if architectures.is_empty() {
        return Ok(match registry.exists(image).await? {
            Existence::Exists { .. } => RegistryOutcome::Found,
            Existence::Missing => RegistryOutcome::Missing,
        });
    }
    let manifest = match registry.manifest(image).await {
        Ok(manifest) => manifest,
        Err(error) if error.kind() == ErrorKind::Missing => return Ok(RegistryOutcome::Missing),
        Err(error) => return Err(error),
    };
    Ok(
        match Document::parse(&manifest.bytes, manifest.media_type.as_deref()) {
            Ok(Document::Image(_)) => RegistryOutcome::Found,
            Ok(Document::Index(entries)) => {
                let serves = |name: &String| {
                    let mut platforms = entries.iter().filter_map(|entry| entry.platform.as_ref());
                    platforms.any(|platform| platform.os == "linux" && platform.architecture == *name)
                };
                // Those that say nothing of their platform may be for any.
                let any = entries.iter().any(|entry| entry.platform.is_none());
                if any || architectures.iter().any(serves) {
                    RegistryOutcome::Found
                } else {
                    let message = format!("the image is not for linux/{}", architectures.join(" or linux/"));
                    RegistryOutcome::Failed { message }
                }
            }
            Err(error) => RegistryOutcome::Failed {
                message: error.to_string(),
            },
        },
    )
}
