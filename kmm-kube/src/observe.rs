//! Health and metrics, served.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use http::Method;
use http::Request;
use http::StatusCode;
use hyper::body::Incoming;
use kmm_core::reconcile::OperatorConfig;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::http::Answer;
use crate::http::Handler;
use crate::http::Served;
use crate::http::content;
use crate::http::listen;
use crate::http::text;
use crate::metrics::Metrics;
use crate::operator::StartError;
use crate::server::CallError;
use crate::server::Server;
use crate::tls;

/// What Prometheus is told that it gets.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Readers that are asked about at the same time.
const QUESTIONS: usize = 4;

/// Whether the process does its work; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readiness {
    /// What is missing.
    missing: Arc<Mutex<Option<&'static str>>>,
}

impl Readiness {
    pub(crate) fn lacks(&self, what: &'static str) {
        *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }

    pub(crate) fn is_there(&self) {
        *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn missing(&self) -> Option<&'static str> {
        *self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves health and metrics where the configuration says, in `served`.
pub(crate) async fn start(
    config: &OperatorConfig,
    server: &Server,
    metrics: &Arc<Metrics>,
    readiness: &Readiness,
    served: &mut Served,
) -> Result<(), StartError> {
    if let Some(listener) = listener("health", &config.health_probe_bind_address).await? {
        let health = Health {
            readiness: readiness.clone(),
        };
        served.serve(listener, None, Arc::new(health));
    }
    if let Some(listener) = listener("metrics", &config.metrics.bind_address).await? {
        let tls = config.metrics.secure_serving.then(tls::self_signed).transpose()?;
        let page = Page {
            metrics: Arc::clone(metrics),
            guard: config.metrics.enable_authn_authz.then(|| Guard {
                server: server.clone(),
                room: Semaphore::new(QUESTIONS),
            }),
        };
        served.serve(listener, tls, Arc::new(page));
    }
    Ok(())
}

/// Listens, unless the address is that of nothing.
pub(crate) async fn listener(what: &'static str, address: &str) -> Result<Option<TcpListener>, StartError> {
    if matches!(address, "" | "0") {
        return Ok(None);
    }
    let failed = |source| StartError::Listen {
        what,
        address: address.to_owned(),
        source,
    };
    let listener = listen(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    tracing::info!(%address, "serving {what}");
    Ok(Some(listener))
}

struct Health {
    readiness: Readiness,
}

impl Handler for Health {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        match request.uri().path() {
            "/healthz" => text(StatusCode::OK, "ok"),
            "/readyz" => match self.readiness.missing() {
                None => text(StatusCode::OK, "ok"),
                Some(missing) => text(StatusCode::SERVICE_UNAVAILABLE, missing),
            },
            _ => text(StatusCode::NOT_FOUND, "there are /healthz and /readyz"),
        }
    }
}

struct Page {
    metrics: Arc<Metrics>,
    guard: Option<Guard>,
}

impl Handler for Page {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        if request.uri().path() != "/metrics" {
            return text(StatusCode::NOT_FOUND, "there is /metrics");
        }
        if request.method() != Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET");
        }
        if let Some(guard) = &self.guard
            && let Err(refusal) = guard.check(&request).await
        {
            return refusal;
        }
        match self.metrics.text() {
            Ok(metrics) => content(StatusCode::OK, OPENMETRICS, metrics),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

/// Asks the API server who may read.
struct Guard {
    server: Server,
    room: Semaphore,
}

impl Guard {
    async fn check(&self, request: &Request<Incoming>) -> Result<(), Answer> {
        let header = request.headers().get(http::header::AUTHORIZATION);
        let token = header.and_then(|header| header.to_str().ok()?.strip_prefix("Bearer "));
        let Some(token) = token else {
            return Err(text(StatusCode::UNAUTHORIZED, "a bearer token is needed"));
        };
        match self.may_read(token).await {
            Ok(None) => Err(text(StatusCode::UNAUTHORIZED, "the token is not valid")),
            Ok(Some(true)) => Ok(()),
            Ok(Some(false)) => {
                let need = "not allowed: the right to get the URL /metrics is needed";
                Err(text(StatusCode::FORBIDDEN, need))
            }
            Err(error) => {
                tracing::warn!(%error, "it cannot be told who may read metrics");
                let why = "the API server does not say who may read";
                Err(text(StatusCode::INTERNAL_SERVER_ERROR, why))
            }
        }
    }

    /// Whether the owner of a token may read metrics; `None` where the token is nobody's.
    async fn may_read(&self, token: &str) -> Result<Option<bool>, CallError> {
        // The semaphore is never closed.
        let _room = self.room.acquire().await;
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token},
        });
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        let review = self.server.post(path, &review).await?;
        if review["status"]["authenticated"] != Value::Bool(true) {
            return Ok(None);
        }
        let user = &review["status"]["user"];
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {
                "user": user["username"], "groups": user["groups"], "uid": user["uid"], "extra": user["extra"],
                "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
            },
        });
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let review = self.server.post(path, &review).await?;
        Ok(Some(review["status"]["allowed"] == Value::Bool(true)))
    }
}
