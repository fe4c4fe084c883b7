//! The operator: watches, decisions, writes.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kmm_core::reconcile::Installation;
use kmm_core::reconcile::OperatorConfig;
use kmm_oci::registry::Options;
use kube::Client;
use kube::Config;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use thiserror::Error;
use tokio::sync::oneshot;

use crate::adapter::Adapter;
use crate::adapter::Parts;
use crate::http::Served;
use crate::leader::Candidate;
use crate::leader::Term;
use crate::metrics::Metrics;
use crate::observe;
use crate::observe::Readiness;
use crate::questions::Registries;
use crate::server::Server;
use crate::tls::CertificateError;
use crate::webhook;
use crate::words::ClientError;

/// What an operator needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configuration file.
    pub config: OperatorConfig,
    /// Image of the worker.
    pub worker_image: String,
    /// Namespace of the Lease by which a leader is elected; `None` for that of the service account or the kubeconfig.
    pub namespace: Option<String>,
    /// What the process calls itself in the Lease. No other process may have the same name.
    pub identity: String,
    /// The way to registries, where the operator asks them itself: proxies, mirrors, certificates. Credentials and TLS
    /// options are those of Modules.
    pub registries: Options,
}

/// Why the operator or the webhooks do not start, or do not go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The kubeconfig cannot be used.
    #[error("no way to a cluster")]
    Kubeconfig(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The API server gives no answer.
    #[error("the API server `{server}` gives no answer")]
    Unreachable {
        /// Its address.
        server: String,
        /// Why.
        source: Box<ClientError>,
    },
    /// The credentials are not taken.
    #[error(
        "the API server `{server}` does not know who asks: the credentials are missing, wrong or too old"
    )]
    Unknown {
        /// Its address.
        server: String,
    },
    /// An address cannot be listened at.
    #[error("could not serve {what} at `{address}`")]
    Listen {
        /// What was to be served.
        what: &'static str,
        /// Where.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// There is no certificate.
    #[error("no certificate to serve with")]
    Certificate(#[from] CertificateError),
    /// A part of the operator ended that has no end.
    #[error("the operator cannot go on")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The operator was the leader and could not stay it. What it had under way was dropped.
    #[error("the Lease `{lease}` was lost: another operator may be the leader now")]
    LeaseLost {
        /// Name of the Lease.
        lease: String,
    },
}

/// The way to a cluster.
#[derive(Clone)]
pub struct Connection {
    /// What asks the API server.
    pub client: Client,
    /// Address of the API server, for people.
    pub server: String,
}

/// The way to a cluster: a kubeconfig, or without one what `kubectl` would use, or the service account of the pod.
///
/// # Errors
///
/// When there is no such file or context, or it cannot be used.
pub async fn connect(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Connection, StartError> {
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let file = match (kubeconfig, context) {
        (Some(path), _) => Some(Kubeconfig::read_from(path).map_err(unusable)?),
        (None, Some(_)) => Some(Kubeconfig::read().map_err(unusable)?),
        (None, None) => None,
    };
    let config = match file {
        Some(file) => {
            known(&file, context)?;
            Config::from_custom_kubeconfig(file, &options)
                .await
                .map_err(unusable)
        }
        None => Config::infer().await.map_err(|error| {
            unusable(format!(
                "neither a kubeconfig (`--kubeconfig`, KUBECONFIG) nor the service account of a pod can be used: {error}"
            ))
        }),
    };
    let mut config = config?;
    // Longer than a watch lasts. Without it, a server that is gone without a word is waited for for ever.
    config.read_timeout = Some(Duration::from_secs(330));
    // Whoever asks knows better when to ask again, and what was decided in between.
    config.default_retry = false;
    let server = config.cluster_url.to_string();
    Ok(Connection {
        client: Client::try_from(config).map_err(unusable)?,
        server,
    })
}

/// Sees that a context is one of the kubeconfig.
fn known(file: &Kubeconfig, context: Option<&str>) -> Result<(), StartError> {
    let names: Vec<&str> = file.contexts.iter().map(|known| known.name.as_str()).collect();
    match context {
        Some(context) if names.is_empty() => Err(unusable(format!(
            "the kubeconfig has no context `{context}`, and no other one"
        ))),
        Some(context) if !names.contains(&context) => Err(unusable(format!(
            "the kubeconfig has no context `{context}`: it has `{}`",
            names.join("`, `")
        ))),
        Some(_) | None => Ok(()),
    }
}

fn unusable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StartError {
    StartError::Kubeconfig(error.into())
}

fn no_answer(server: String, error: kube::Error) -> StartError {
    match error {
        kube::Error::Api(status) if status.code == 401 => StartError::Unknown { server },
        error => StartError::Unreachable {
            server,
            source: Box::new(error.into()),
        },
    }
}

/// Runs the operator until `stop` is ready. What is being written then is finished, and the Lease is given away.
///
/// # Errors
///
/// When the API server cannot be reached at the start (later it is waited for), when something cannot be served, and when
/// the operator was the leader and is so no more, or when a part of it breaks down.
pub async fn run(
    connection: Connection,
    settings: Settings,
    stop: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let Connection {
        client,
        server: address,
    } = connection;
    let version = client.apiserver_version().await;
    let version = version.map_err(|error| no_answer(address, error))?;
    tracing::info!(kubernetes = version.git_version, "the API server answers");
    let (metrics, readiness) = (Metrics::new(), Readiness::default());
    let server = Server::new(client.clone());
    let mut served = Served::nothing();
    let config = &settings.config;
    observe::start(config, &server, &metrics, &readiness, &mut served).await?;
    if config.webhooks.enabled {
        webhook::start(client.clone(), config, &metrics, &mut served).await?;
    }
    let office = Office {
        server,
        metrics,
        readiness,
        settings,
    };
    let mut stop = std::pin::pin!(stop);
    let worked = if office.settings.config.leader_election.enabled {
        office.work_if_elected(client, &mut stop).await
    } else {
        office.work(Term::without_end(), &mut stop).await
    };
    served.finish().await;
    worked
}

/// What work needs.
struct Office {
    server: Server,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    settings: Settings,
}

impl Office {
    async fn work_if_elected(
        self,
        client: Client,
        stop: &mut (impl Future<Output = ()> + Unpin),
    ) -> Result<(), StartError> {
        let lease = self.settings.config.leader_election.resource_id.clone();
        let namespace = self.settings.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| client.default_namespace().to_owned());
        let mut candidate = Candidate::new(client, &namespace, &lease, &self.settings.identity);
        let metrics = Arc::clone(&self.metrics);
        metrics.leads(&lease, false);
        tokio::select! {
            () = candidate.win() => {}
            () = &mut *stop => return Ok(()),
        }
        tracing::info!(
            namespace,
            lease,
            identity = self.settings.identity,
            "this is the leader"
        );
        metrics.leads(&lease, true);
        let term = candidate.term();
        // A task of its own: long decisions do not keep it from renewing.
        let (resign, resigned) = oneshot::channel::<()>();
        let mut keeper = tokio::spawn(async move {
            tokio::select! {
                () = candidate.stay() => {}
                _ = resigned => candidate.release().await,
            }
        });
        let worked = tokio::select! {
            biased;
            _ = &mut keeper => None,
            worked = self.work(term, stop) => Some(worked),
        };
        metrics.leads(&lease, false);
        let Some(worked) = worked else {
            return Err(StartError::LeaseLost { lease });
        };
        drop(resign);
        // The Lease is given away, or runs out.
        let _ = keeper.await;
        worked
    }

    async fn work(self, term: Term, stop: &mut (impl Future<Output = ()> + Unpin)) -> Result<(), StartError> {
        let Self {
            server,
            metrics,
            readiness,
            settings,
        } = self;
        readiness.lacks("the lists are not complete yet");
        let installation = Installation {
            config: settings.config,
            worker_image: settings.worker_image,
            // What each kubelet says counts for its node.
            image_volumes: true,
        };
        let parts = Parts {
            registries: Registries::new(server.clone(), settings.registries),
            server,
            term,
            metrics: Arc::clone(&metrics),
            readiness,
        };
        let adapter = Arc::new(Adapter::new(parts, installation));
        let measured = Arc::downgrade(&adapter);
        metrics.watch(move || {
            measured
                .upgrade()
                .map(|adapter| adapter.snapshot())
                .unwrap_or_default()
        });
        let worked = adapter.run(stop).await;
        worked.map_err(|broken| StartError::Broken(Box::new(broken)))
    }
}
