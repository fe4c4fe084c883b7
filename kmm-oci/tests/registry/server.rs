//! A scripted HTTP server on the loopback: each request is answered by a closure, and written down.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use kmm_oci::Digest;
use kmm_oci::ImageName;
use kmm_oci::credentials::Credential;
use kmm_oci::credentials::Keychain;
use kmm_oci::credentials::PullSecrets;
use kmm_oci::credentials::Secret;
use kmm_oci::registry::Limits;
use kmm_oci::registry::Options;
use kmm_oci::registry::Registry;
use kmm_oci::registry::Tls;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.headers.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

/// What is sent back, piece by piece; the connection is closed after it.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    Bytes(Vec<u8>),
    /// Sent again and again until the other side has enough.
    Endless(Vec<u8>),
    /// Nothing more, with the connection open.
    Silence,
}

/// An answer with a body and its length.
pub(crate) fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<Piece> {
    let length = body.len().to_string();
    let mut all = headers.to_vec();
    all.push(("Content-Length", &length));
    let mut bytes = head(status, &all);
    bytes.extend_from_slice(body);
    vec![Piece::Bytes(bytes)]
}

/// The head of an answer.
pub(crate) fn head(status: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    text += "\r\n";
    text.into_bytes()
}

/// A running server; it ends when dropped.
pub(crate) struct Server {
    pub(crate) addr: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers request after request; the closure is given its number, from 0.
    pub(crate) async fn start(answer: impl Fn(&Seen, usize) -> Vec<Piece> + Send + Sync + 'static) -> Self {
        Self::serve(None, answer).await
    }

    pub(crate) async fn start_tls(
        tls: tokio_rustls::TlsAcceptor,
        answer: impl Fn(&Seen, usize) -> Vec<Piece> + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Some(tls), answer).await
    }

    async fn serve(
        tls: Option<tokio_rustls::TlsAcceptor>,
        answer: impl Fn(&Seen, usize) -> Vec<Piece> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (log, answer, tls) = (Arc::clone(&log), Arc::clone(&answer), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => one(stream, &log, &*answer).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => one(stream, &log, &*answer).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { addr, seen, task }
    }

    /// What was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// An image of this server.
    pub(crate) fn image(&self, rest: &str) -> ImageName {
        format!("{}/{rest}", self.addr).parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn one(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    log: &Mutex<Vec<Seen>>,
    answer: &(dyn Fn(&Seen, usize) -> Vec<Piece> + Send + Sync),
) -> Option<()> {
    let mut bytes = Vec::with_capacity(16 << 10);
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        // TLS where plain HTTP is spoken: told so at once, as real servers do.
        if bytes.first() == Some(&0x16) {
            stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").await.ok()?;
            stream.shutdown().await.ok()?;
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let (first, headers) = text.split_once("\r\n")?;
    let mut words = first.split(' ');
    let mut seen = Seen {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        headers: headers.to_owned(),
        body: String::new(),
    };
    let length = seen
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + length {
        stream.read_buf(&mut bytes).await.ok()?;
    }
    seen.body = String::from_utf8_lossy(&bytes[end..]).into_owned();
    let number = {
        let mut log = log.lock().unwrap();
        log.push(seen.clone());
        log.len() - 1
    };
    for piece in answer(&seen, number) {
        match piece {
            Piece::Bytes(bytes) => stream.write_all(&bytes).await.ok()?,
            Piece::Endless(bytes) => while stream.write_all(&bytes).await.is_ok() {},
            Piece::Silence => std::future::pending().await,
        }
    }
    stream.shutdown().await.ok()
}

/// Limits that make tests end soon.
pub(crate) fn limits() -> Limits {
    Limits {
        backoff: Duration::from_millis(1),
        ..Limits::default()
    }
}

/// Options for a server of plain HTTP.
pub(crate) fn plain() -> Options {
    Options {
        tls: Tls {
            insecure: true,
            skip_verify: false,
        },
        limits: limits(),
        ..Options::default()
    }
}

pub(crate) fn client(options: Options) -> Registry {
    Registry::new(options).unwrap()
}

/// A keychain with one password, whatever the registry.
pub(crate) fn password(user: &str, password: &str) -> Keychain {
    let credential = Credential::Basic {
        user: user.to_owned(),
        password: Secret::new(password),
    };
    Keychain::anonymous().with_credential("the command line", credential)
}

/// A keychain with these users, all with the password `pw`, as pull secrets of one host.
pub(crate) fn secrets(host: &str, users: &[&str]) -> Keychain {
    let mut secrets = PullSecrets::default();
    for user in users {
        let json = format!(r#"{{"auths":{{"{host}":{{"username":"{user}","password":"pw"}}}}}}"#);
        let kind = "kubernetes.io/dockerconfigjson";
        secrets
            .add(user, kind, ".dockerconfigjson", json.as_bytes())
            .unwrap();
    }
    Keychain::anonymous().with_pull_secrets(secrets)
}

pub(crate) const MANIFEST: &[u8] = br#"{"schemaVersion":2}"#;

/// The manifest, with its digest.
pub(crate) fn manifest() -> Vec<Piece> {
    let digest = Digest::sha256(MANIFEST).to_string();
    let kind = "application/vnd.oci.image.manifest.v1+json";
    answer(
        "200 OK",
        &[("Content-Type", kind), ("Docker-Content-Digest", &digest)],
        MANIFEST,
    )
}
