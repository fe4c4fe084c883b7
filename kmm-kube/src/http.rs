//! A small HTTP server: everything about it has a bound.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::Response;
use http::StatusCode;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Connections at the same time; more have to wait.
const CONNECTIONS: usize = 256;
/// How long a client may take for its TLS greeting, or for the head of a request. An idle connection lasts as long.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an answer may take, with the reading of the request.
const ANSWER: Duration = Duration::from_secs(10);

/// What answers.
pub(crate) trait Handler: Send + Sync + 'static {
    /// The answer to a request.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Answer> + Send;
}

/// An answer.
pub(crate) type Answer = Response<Full<Bytes>>;

/// An answer in plain text.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Answer {
    content(status, "text/plain; charset=utf-8", text.into())
}

/// An answer of some type.
pub(crate) fn content(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    let kind = http::HeaderValue::from_static(kind);
    answer.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    answer
}

/// The body of a request.
///
/// # Errors
///
/// The answer to give where it is larger than `most` bytes, or breaks.
pub(crate) async fn body(request: Request<Incoming>, most: usize) -> Result<Bytes, Answer> {
    let body = Limited::new(request.into_body(), most).collect().await;
    let collected = body.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            let problem = format!("at most {most} bytes are read");
            text(StatusCode::PAYLOAD_TOO_LARGE, problem)
        } else {
            text(StatusCode::BAD_REQUEST, error.to_string())
        }
    })?;
    Ok(collected.to_bytes())
}

/// Listens at an address as Go writes them: `:8081` is every address of the machine.
pub(crate) async fn listen(address: &str) -> io::Result<TcpListener> {
    let Some(port) = address.strip_prefix(':') else {
        return TcpListener::bind(address).await;
    };
    // Where there is no IPv6, the other has to do.
    match TcpListener::bind(format!("[::]:{port}")).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind(format!("0.0.0.0:{port}")).await,
    }
}

/// Serves for ever.
pub(crate) async fn serve<H: Handler>(listener: TcpListener, tls: Option<TlsAcceptor>, handler: Arc<H>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    // The semaphore is never closed.
    while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, from)) => {
                let (tls, handler) = (tls.clone(), Arc::clone(&handler));
                connections.spawn(connection(stream, from, tls, handler, permit));
            }
            Err(error) => {
                // Too many open files, most likely.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection<H: Handler>(
    stream: TcpStream,
    from: SocketAddr,
    tls: Option<TlsAcceptor>,
    handler: Arc<H>,
    _permit: OwnedSemaphorePermit,
) {
    let Some(tls) = tls else {
        return speak(stream, from, handler).await;
    };
    match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
        Ok(Ok(stream)) => speak(stream, from, handler).await,
        Ok(Err(error)) => tracing::debug!(%from, %error, "no TLS"),
        Err(_) => tracing::debug!(%from, "no TLS in time"),
    }
}

async fn speak<H: Handler>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    from: SocketAddr,
    handler: Arc<H>,
) {
    let service = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        async move {
            let answer = tokio::time::timeout(ANSWER, handler.answer(request)).await;
            Ok::<_, Infallible>(
                answer.unwrap_or_else(|_| text(StatusCode::REQUEST_TIMEOUT, "it took too long")),
            )
        }
    });
    let spoken = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = spoken {
        tracing::debug!(%from, %error, "a connection broke");
    }
}
