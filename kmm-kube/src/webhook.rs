//! The admission and conversion webhooks, served.

use std::path::Path;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use http::Method;
use http::Request;
use http::StatusCode;
use hyper::body::Incoming;
use kmm_core::reconcile::OperatorConfig;
use kmm_core::validate::Cluster;
use kube::Client;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::admission;
use crate::admission::Webhook;
use crate::http::Answer;
use crate::http::Handler;
use crate::http::Memory;
use crate::http::Served;
use crate::http::content;
use crate::http::text;
use crate::metrics::Metrics;
use crate::observe;
use crate::observe::Readiness;
use crate::operator::StartError;
use crate::server::Server;
use crate::tls::Certificate;
use crate::words::words;

/// Largest request that is read: an object and the one that it replaces, of at most 3 MiB each.
const LARGEST: usize = 7 << 20;
/// Bytes of requests that are kept at the same time.
const MEMORY: usize = 4 * LARGEST;
/// Requests that are worked on at the same time.
const ROOM: usize = 4;
/// How long it is served on after the end was asked for: until nobody sends anything here any more.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often it is looked whether the cluster has another version.
const VERSION: Duration = Duration::from_secs(600);
/// The same, as long as it is not known.
const UNKNOWN_VERSION: Duration = Duration::from_secs(10);

/// Serves the webhooks, and health and metrics where the configuration says, until `stop` is ready.
///
/// # Errors
///
/// When there is no certificate, or an address cannot be listened at.
pub async fn run(
    client: Client,
    config: &OperatorConfig,
    stop: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let metrics = Metrics::new();
    let mut served = Served::nothing();
    observe::start(
        config,
        &Server::new(client.clone()),
        &metrics,
        &Readiness::default(),
        &mut served,
    )
    .await?;
    start(client, config, &metrics, &mut served).await?;
    stop.await;
    tokio::time::sleep(FAREWELL).await;
    served.finish().await;
    Ok(())
}

/// Serves the webhooks in `served`.
pub(crate) async fn start(
    client: Client,
    config: &OperatorConfig,
    metrics: &Arc<Metrics>,
    served: &mut Served,
) -> Result<(), StartError> {
    let certificate = Certificate::read(Path::new(&config.webhooks.cert_dir))?;
    let address = format!("{}:{}", config.webhooks.bind_address, config.webhook_port);
    if let Some(listener) = observe::listener("webhooks", &address).await? {
        let desk = Arc::new(Desk {
            cluster: RwLock::default(),
            memory: Memory::new(MEMORY, LARGEST),
            room: Arc::new(Semaphore::new(ROOM)),
            metrics: Arc::clone(metrics),
        });
        served.serve(listener, Some(certificate.acceptor()), Arc::clone(&desk));
        served.beside(async move { desk.follow_version(client).await });
        served.beside(async move { certificate.follow().await });
    }
    Ok(())
}

struct Desk {
    cluster: RwLock<Cluster>,
    memory: Memory,
    room: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl Desk {
    /// Some rules hold for old clusters only.
    async fn follow_version(&self, client: Client) {
        loop {
            let wait = match client.apiserver_version().await {
                Ok(version) => {
                    let digits = |text: &str| text.trim_end_matches('+').parse().ok();
                    let kubernetes = digits(&version.major).zip(digits(&version.minor));
                    *self.cluster.write().unwrap_or_else(PoisonError::into_inner) = Cluster { kubernetes };
                    VERSION
                }
                Err(error) => {
                    tracing::warn!(error = words(&error), "the version of the cluster is not known");
                    UNKNOWN_VERSION
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn review(&self, webhook: Webhook, request: Request<Incoming>) -> Answer {
        let begun = Instant::now();
        let body = match self.memory.body(request).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        // Only now: whoever sends slowly keeps nobody from being worked for. The semaphore is never closed.
        let permit = Arc::clone(&self.room).acquire_owned().await;
        let cluster = self
            .cluster
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        // A large object takes its time; connections do not wait for it.
        let answered = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            // All of it, with its memory: whoever asked may go before this is done.
            let body = body;
            admission::answer(webhook, &body.bytes, &cluster)
        });
        match answered.await {
            Ok(Ok(answered)) => {
                let name = webhook.name();
                self.metrics.admitted(name, answered.answer, begun.elapsed());
                tracing::debug!(webhook = name, answer = answered.answer, "reviewed");
                content(StatusCode::OK, "application/json", answered.review.to_string())
            }
            Ok(Err(problem)) => text(StatusCode::BAD_REQUEST, problem),
            Err(error) => {
                tracing::error!(%error, "a review failed");
                text(StatusCode::INTERNAL_SERVER_ERROR, "the review failed")
            }
        }
    }
}

impl Handler for Desk {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path();
        let Some(webhook) = Webhook::ALL.into_iter().find(|webhook| webhook.path() == path) else {
            return text(StatusCode::NOT_FOUND, "there is no such webhook");
        };
        if request.method() != Method::POST {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only POST");
        }
        self.review(webhook, request).await
    }
}
