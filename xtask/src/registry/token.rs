//! A token server as registries use them: a password in, a signed token with what it may do out.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use serde_json::json;

use super::certificates::Certificates;

/// The service that the tokens are for.
pub(super) const SERVICE: &str = "test-registry";
/// Who makes the tokens.
pub(super) const ISSUER: &str = "test-issuer";

const LIFE: u64 = 300;

/// A running token server; stopped when dropped.
#[derive(Debug)]
pub(super) struct TokenServer {
    pub(super) addr: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What it needs to answer.
struct Issuer {
    basic: String,
    user: String,
    key: PathBuf,
    /// The certificate of that key, DER in base64: the registry finds its way to the CA from there.
    certificate: String,
}

impl TokenServer {
    /// Starts it on a free port of the loopback.
    pub(super) fn start(certificates: &Certificates, user: &str, password: &str) -> Result<Self> {
        let issuer = Issuer {
            basic: format!("Basic {}", base64(format!("{user}:{password}").as_bytes())),
            user: user.to_owned(),
            key: certificates.key.clone(),
            certificate: pem_body(&std::fs::read_to_string(&certificates.certificate)?),
        };
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?.to_string();
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if asked.load(Ordering::SeqCst) {
                    return;
                }
                if let Err(error) = stream
                    .map_err(Into::into)
                    .and_then(|stream| issuer.answer(&stream))
                {
                    println!("token server: {error:#}");
                }
            }
        });
        Ok(Self {
            addr,
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread up.
        let _ = TcpStream::connect(&self.addr);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Issuer {
    fn answer(&self, stream: &TcpStream) -> Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut reader = BufReader::new(stream.take(64 * 1024));
        let mut first = String::new();
        reader.read_line(&mut first)?;
        let mut allowed = false;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            allowed |= name.eq_ignore_ascii_case("authorization") && value.trim() == self.basic;
        }
        let (status, body) = match allowed {
            true => (
                "200 OK",
                json!({ "token": self.token(&first)?, "expires_in": LIFE }),
            ),
            false => (
                "401 Unauthorized",
                json!({ "details": "incorrect username or password" }),
            ),
        };
        let body = body.to_string();
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        Ok(())
    }

    /// A token with what the request line asks for: `GET /token?service=...&scope=repository:NAME:pull,push HTTP/1.1`.
    fn token(&self, request: &str) -> Result<String> {
        let path = request.split(' ').nth(1).context("no request line")?;
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let access: Vec<serde_json::Value> = query
            .split('&')
            .filter_map(|pair| pair.strip_prefix("scope="))
            .map(|scope| scope.replace("%3A", ":").replace("%2F", "/").replace("%2C", ","))
            .filter_map(|scope| {
                let mut parts = scope.splitn(3, ':');
                let (kind, name, actions) = (parts.next()?, parts.next()?, parts.next()?);
                Some(json!({ "type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>() }))
            })
            .collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [self.certificate] });
        let claims = json!({
            "iss": ISSUER, "sub": self.user, "aud": SERVICE, "exp": now + LIFE, "nbf": now.saturating_sub(10),
            "iat": now, "jti": format!("{:016x}", fastrand::u64(..)), "access": access,
        });
        let text = format!(
            "{}.{}",
            url_safe(&base64(header.to_string().as_bytes())),
            url_safe(&base64(claims.to_string().as_bytes()))
        );
        let signature = sign(&self.key, text.as_bytes())?;
        Ok(format!("{text}.{}", url_safe(&base64(&signature))))
    }
}

/// RSA with SHA-256, as RS256 wants it.
fn sign(key: &Path, text: &[u8]) -> Result<Vec<u8>> {
    let mut child = Command::new("openssl")
        .args(["dgst", "-sha256", "-sign"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("could not start `openssl`")?;
    child
        .stdin
        .take()
        .context("openssl has no input")?
        .write_all(text)?;
    let out = child.wait_with_output()?;
    if !out.status.success() {
        bail!("`openssl dgst` ended with {}", out.status);
    }
    Ok(out.stdout)
}

fn pem_body(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

fn url_safe(base64: &str) -> String {
    base64.trim_end_matches('=').replace('+', "-").replace('/', "_")
}

/// Base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk
            .iter()
            .fold(0_u32, |number, byte| number << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= chunk.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    text
}
