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
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Connections at the same time; more have to wait.
const CONNECTIONS: usize = 256;
/// How long a client may take for its TLS greeting.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take for the head of a request, and a connection may be idle: an API server keeps its for 90 seconds.
const IDLE: Duration = Duration::from_secs(100);
/// How long a connection lasts at most; whoever does not read its answers would keep it for ever.
const LIFE: Duration = Duration::from_secs(600);
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

/// Memory for the bodies of requests, all together.
///
/// Each body takes memory as it comes in, so that whoever sends slowly keeps nothing from others. Several that are half
/// there may then wait for each other. So the memory of one whole body is kept apart: one that finds no other gets it, and
/// gives back what it had.
#[derive(Debug)]
pub(crate) struct Memory {
    /// What all share.
    free: Arc<Semaphore>,
    /// Whether what is kept apart is free.
    whole: Arc<Semaphore>,
    /// Bytes of the largest body.
    most: usize,
}

/// A body, with the memory that it takes.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    /// Given back when this is dropped.
    _taken: Taken,
}

/// The memory of a body.
#[derive(Debug, Default)]
struct Taken {
    permit: Option<OwnedSemaphorePermit>,
    /// Whether it is what is kept apart: then it is enough.
    whole: bool,
}

impl Memory {
    /// So many bytes, of which one body may have `most`.
    pub(crate) fn new(bytes: usize, most: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(bytes.saturating_sub(most))),
            whole: Arc::new(Semaphore::new(1)),
            most,
        }
    }

    /// The body of a request.
    ///
    /// # Errors
    ///
    /// The answer to give where it is too large, or breaks.
    pub(crate) async fn body<B>(&self, request: Request<B>) -> Result<Body, Answer>
    where
        B: hyper::body::Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let most = self.most;
        let mut incoming = std::pin::pin!(Limited::new(request.into_body(), most));
        let (mut bytes, mut taken) = (Vec::new(), Taken::default());
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| {
                if error.is::<http_body_util::LengthLimitError>() {
                    let problem = format!("at most {most} bytes are read");
                    text(StatusCode::PAYLOAD_TOO_LARGE, problem)
                } else {
                    text(StatusCode::BAD_REQUEST, error.to_string())
                }
            })?;
            let Ok(data) = frame.into_data() else { continue };
            taken = self.take(taken, data.len()).await;
            bytes.extend_from_slice(&data);
        }
        Ok(Body { bytes, _taken: taken })
    }

    /// Takes more memory. Waits for others to be done, at most as long as an answer may take.
    async fn take(&self, mut taken: Taken, bytes: usize) -> Taken {
        if taken.whole {
            return taken;
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        // The semaphores are never closed.
        tokio::select! {
            biased;
            Ok(more) = Arc::clone(&self.free).acquire_many_owned(bytes) => {
                match &mut taken.permit {
                    Some(permit) => permit.merge(more),
                    none => *none = Some(more),
                }
                taken
            }
            Ok(permit) = Arc::clone(&self.whole).acquire_owned() => Taken {
                permit: Some(permit),
                whole: true,
            },
            else => taken,
        }
    }
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

/// Servers, and what runs beside them. All of it ends when this is dropped.
pub(crate) struct Served {
    servers: JoinSet<()>,
    beside: JoinSet<()>,
    /// Dropped when they are to end.
    stop: watch::Sender<()>,
}

impl Served {
    /// Nothing yet.
    pub(crate) fn nothing() -> Self {
        Self {
            servers: JoinSet::new(),
            beside: JoinSet::new(),
            stop: watch::Sender::new(()),
        }
    }

    /// Serves at an address that is listened at.
    pub(crate) fn serve<H: Handler>(
        &mut self,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        handler: Arc<H>,
    ) {
        let stop = self.stop.subscribe();
        self.servers.spawn(serve(listener, tls, handler, stop));
    }

    /// Does something for the servers as long as they are.
    pub(crate) fn beside(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.beside.spawn(work);
    }

    /// Takes no more connections, and gives the answers that are under way.
    pub(crate) async fn finish(self) {
        let Self {
            mut servers,
            beside: _beside,
            stop,
        } = self;
        drop(stop);
        let landing = async { while servers.join_next().await.is_some() {} };
        if tokio::time::timeout(ANSWER, landing).await.is_err() {
            tracing::warn!("some answers were not given in time");
        }
    }
}

async fn serve<H: Handler>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    handler: Arc<H>,
    mut stop: watch::Receiver<()>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            // Nothing is ever sent: it ends.
            _ = stop.changed() => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, from)) => {
                let speaker = Speaker {
                    from,
                    handler: Arc::clone(&handler),
                    stop: stop.clone(),
                };
                let tls = tls.clone();
                connections.spawn(async move {
                    let _permit = permit;
                    speaker.connection(stream, tls).await;
                });
            }
            Err(error) => {
                // Too many open files, most likely.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// One side of a connection.
struct Speaker<H> {
    from: SocketAddr,
    handler: Arc<H>,
    stop: watch::Receiver<()>,
}

impl<H: Handler> Speaker<H> {
    async fn connection(mut self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let from = self.from;
        let Some(tls) = tls else {
            return self.speak(stream).await;
        };
        let accepted = tokio::select! {
            _ = self.stop.changed() => return,
            accepted = tokio::time::timeout(PATIENCE, tls.accept(stream)) => accepted,
        };
        match accepted {
            Ok(Ok(stream)) => self.speak(stream).await,
            Ok(Err(error)) => tracing::debug!(%from, %error, "no TLS"),
            Err(_) => tracing::debug!(%from, "no TLS in time"),
        }
    }

    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Self {
            from,
            handler,
            mut stop,
        } = self;
        let service = service_fn(move |request| {
            let handler = Arc::clone(&handler);
            async move {
                let answer = tokio::time::timeout(ANSWER, handler.answer(request)).await;
                let late = |_| text(StatusCode::REQUEST_TIMEOUT, "it took too long");
                Ok::<_, Infallible>(answer.unwrap_or_else(late))
            }
        });
        let spoken = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .serve_connection(TokioIo::new(stream), service);
        let mut spoken = std::pin::pin!(spoken);
        let spoken = tokio::select! {
            spoken = spoken.as_mut() => spoken,
            () = async { tokio::select! { _ = stop.changed() => {}, () = tokio::time::sleep(LIFE) => {} } } => {
                spoken.as_mut().graceful_shutdown();
                let Ok(spoken) = tokio::time::timeout(ANSWER, spoken).await else {
                    return tracing::debug!(%from, "the answer was not taken");
                };
                spoken
            }
        };
        if let Err(error) = spoken {
            tracing::debug!(%from, %error, "a connection broke");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Gives back what it is sent, as soon as it may.
    struct Echo {
        memory: Memory,
        may: Semaphore,
        arrived: Semaphore,
    }

    impl Handler for Echo {
        async fn answer(&self, request: Request<Incoming>) -> Answer {
            let body = self.memory.body(request).await;
            self.arrived.add_permits(1);
            let _permit = self.may.acquire().await;
            body.map_or_else(
                |refusal| refusal,
                |body| content(StatusCode::OK, "text/plain", body.bytes),
            )
        }
    }

    async fn start(permits: usize) -> (Served, Arc<Echo>, SocketAddr) {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let echo = Arc::new(Echo {
            memory: Memory::new(10, 5),
            may: Semaphore::new(permits),
            arrived: Semaphore::new(0),
        });
        let mut served = Served::nothing();
        served.serve(listener, None, Arc::clone(&echo));
        (served, echo, address)
    }

    async fn send(address: SocketAddr, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .unwrap();
        stream
    }

    #[tokio::test]
    async fn what_is_too_large_is_not_read() {
        let (_served, _echo, address) = start(1).await;
        for (body, begin) in [("12345", "HTTP/1.1 200"), ("123456", "HTTP/1.1 413")] {
            let mut stream = send(address, body).await;
            let mut answer = vec![0; begin.len()];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&answer), begin);
        }
    }

    /// Those who send slowly keep the memory for what they sent, and no more.
    #[tokio::test]
    async fn slow_senders_do_not_keep_others_from_an_answer() {
        let (_served, _echo, address) = start(1).await;
        let mut slow = Vec::new();
        for _ in 0..5 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n1";
            stream.write_all(head).await.unwrap();
            slow.push(stream);
        }
        let mut stream = send(address, "12345").await;
        let mut answer = vec![0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 200");
    }

    /// What is read at the same time is bounded: the next one waits until there is memory again.
    #[tokio::test]
    async fn memory_for_bodies_is_bounded() {
        let memory = Memory::new(12, 5);
        let request = || Request::new(Full::new(Bytes::from_static(b"12345")));
        let first = memory.body(request()).await.unwrap();
        let _second = memory.body(request()).await.unwrap();
        let mut third = std::pin::pin!(memory.body(request()));
        assert!(futures::poll!(third.as_mut()).is_pending());
        drop(first);
        let third = third.await.unwrap();
        assert_eq!(third.bytes, b"12345");
        drop(third);
        assert_eq!(memory.free.available_permits(), 7);
    }

    /// Each has a part of what all need: one of them is read to its end, and then the others are.
    #[tokio::test]
    async fn large_bodies_do_not_wait_for_each_other() {
        let memory = Memory::new(12, 6);
        let mut senders = Vec::new();
        let mut bodies = Vec::new();
        for _ in 0..3 {
            let (sender, frames) = futures::channel::mpsc::unbounded::<Result<Frame<Bytes>, Infallible>>();
            senders.push(sender);
            let body = memory.body(Request::new(StreamBody::new(frames)));
            bodies.push(async { body.await.map(|body| body.bytes.clone()) });
        }
        let mut all = std::pin::pin!(futures::future::join_all(bodies));
        for part in [&b"12"[..], b"3456"] {
            for sender in &senders {
                sender
                    .unbounded_send(Ok(Frame::data(Bytes::from_static(part))))
                    .unwrap();
            }
            assert!(futures::poll!(all.as_mut()).is_pending());
        }
        drop(senders);
        // All that they wait for now is each other.
        let mut read = futures::poll!(all.as_mut());
        for _ in 0..10 {
            if read.is_pending() {
                read = futures::poll!(all.as_mut());
            }
        }
        let Poll::Ready(read) = read else {
            panic!("they wait for each other");
        };
        for body in read {
            assert_eq!(body.unwrap(), b"123456");
        }
        assert_eq!(
            (memory.free.available_permits(), memory.whole.available_permits()),
            (6, 1)
        );
    }

    #[tokio::test]
    async fn answers_under_way_are_given_at_the_end() {
        let (served, echo, address) = start(0).await;
        let mut stream = send(address, "hello").await;
        let _arrived = echo.arrived.acquire().await.unwrap();
        let finish = tokio::spawn(served.finish());
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        echo.may.add_permits(1);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("hello"), "{answer}");
        finish.await.unwrap();
    }
}
