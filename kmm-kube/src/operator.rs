//! The operator: watches, decisions, writes.

use std::path::Path;
use std::sync::Arc;

use kmm_core::reconcile::ConfigError;
use kmm_core::reconcile::ImageCheck;
use kmm_core::reconcile::Installation;
use kmm_core::reconcile::OperatorConfig;
use kube::Client;
use kube::Config;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use thiserror::Error;

use crate::adapter::Adapter;
use crate::server::Server;
use crate::watch;

/// What an operator needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configuration file.
    pub config: OperatorConfig,
    /// Image of the worker.
    pub worker_image: String,
}

/// Why the operator does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The kubeconfig cannot be used.
    #[error("no way to a cluster")]
    Kubeconfig(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The API server gives no answer.
    #[error("the API server gives no answer")]
    Unreachable(#[source] Box<kube::Error>),
}

/// What the configuration asks for and this operator cannot do. It is better not to start than to leave it out.
///
/// # Example: two operators cannot share a cluster yet
///
/// ```
/// use kmm_core::reconcile::OperatorConfig;
/// use kmm_kube::operator;
///
/// let config = OperatorConfig::default();
/// assert_eq!(operator::unsupported(&config)[0].path, "leaderElection.enabled");
/// ```
pub fn unsupported(config: &OperatorConfig) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    let mut refuse = |path: &str, problem: &str| {
        errors.push(ConfigError {
            path: path.to_owned(),
            problem: problem.to_owned(),
        });
    };
    if config.leader_election.enabled {
        refuse(
            "leaderElection.enabled",
            "there is no leader election: set it to false, and run one operator only",
        );
    }
    match config.images.check {
        ImageCheck::Pod => {}
        ImageCheck::Registry => refuse(
            "images.check",
            "the operator cannot ask registries itself: use `pod`",
        ),
    }
    errors
}

/// The way to a cluster: a kubeconfig, or without one what `kubectl` would use, or the service account of the pod.
///
/// # Errors
///
/// When there is no such file or context, or it cannot be used.
pub async fn connect(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Client, StartError> {
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(unusable)?;
            Config::from_custom_kubeconfig(file, &options)
                .await
                .map_err(unusable)
        }
        None if context.is_some() => Config::from_kubeconfig(&options).await.map_err(unusable),
        None => Config::infer().await.map_err(unusable),
    };
    Client::try_from(config?).map_err(unusable)
}

fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> StartError {
    StartError::Kubeconfig(Box::new(error))
}

/// Runs the operator until `stop` is ready. What is being written then is finished.
///
/// # Errors
///
/// When the API server cannot be reached at the start. Later it is waited for.
pub async fn run(
    client: Client,
    settings: Settings,
    stop: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let unreachable = |error| StartError::Unreachable(Box::new(error));
    let version = client.apiserver_version().await.map_err(unreachable)?;
    // Kubelets may be older than the API server. Those of nodes that join later are taken to be as new as these.
    let kubelets = watch::kubelets(&client).await.map_err(unreachable)?;
    let image_volumes = kubelets
        .iter()
        .chain([&version.git_version])
        .all(|version| has_image_volumes(version));
    tracing::info!(
        kubernetes = version.git_version,
        nodes = kubelets.len(),
        image_volumes,
        "the API server answers"
    );
    let installation = Installation {
        config: settings.config,
        worker_image: settings.worker_image,
        image_volumes,
    };
    let adapter = Arc::new(Adapter::new(Server::new(client), installation));
    adapter.run(stop).await;
    Ok(())
}

/// Whether a Kubernetes of this version (`v1.35.2`, `v1.34.1+k3s1`) mounts images as volumes without being asked to.
fn has_image_volumes(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse::<u32>().ok()
    });
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= (1, 35),
        (Some(_) | None, None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_mount_images() {
        for version in ["v1.35.0", "v1.36.3", "v1.35.2+k3s1", "v2.0.0", "1.35"] {
            assert!(has_image_volumes(version), "{version}");
        }
        for version in ["v1.34.9", "v1.9.35", "", "v1", "vX.Y"] {
            assert!(!has_image_volumes(version), "{version}");
        }
    }

    #[test]
    fn what_cannot_be_met_is_refused() {
        let mut config = OperatorConfig::default();
        config.images.check = ImageCheck::Registry;
        let paths: Vec<String> = unsupported(&config).into_iter().map(|error| error.path).collect();
        assert_eq!(paths, ["leaderElection.enabled", "images.check"]);
        config.leader_election.enabled = false;
        config.images.check = ImageCheck::Pod;
        assert_eq!(unsupported(&config), []);
    }
}
