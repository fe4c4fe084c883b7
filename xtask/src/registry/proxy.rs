//! A proxy on the loopback that leads to one registry, whatever host it is asked for.

use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use super::certificates::NAME;

/// The largest head of a request.
const LONGEST: usize = 16 << 10;

/// A running proxy; stopped when dropped. It tunnels (`CONNECT`), and forwards requests of plain HTTP.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) addr: String,
    stop: Arc<AtomicBool>,
    used: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy that reaches [`NAME`] at `registry`, and every other host by its own address.
    pub(super) fn start(registry: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = listener.local_addr()?.to_string();
        let (stop, used) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (asked, counter, registry) = (Arc::clone(&stop), Arc::clone(&used), registry.to_owned());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if asked.load(Ordering::SeqCst) {
                    return;
                }
                let (counter, registry) = (Arc::clone(&counter), registry.clone());
                std::thread::spawn(move || {
                    if let Err(error) = forward(stream, &registry, &counter) {
                        println!("proxy: {error:#}");
                    }
                });
            }
        });
        Ok(Self {
            addr,
            stop,
            used,
            thread: Some(thread),
        })
    }

    /// How many connections went through.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread up.
        let _ = TcpStream::connect(&self.addr);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn forward(mut client: TcpStream, registry: &str, used: &AtomicUsize) -> Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(30)))?;
    let (head, rest) = head(&mut client)?;
    if head.is_empty() {
        return Ok(());
    }
    let mut words = head.split(' ');
    let (method, target) = (
        words.next().context("no method")?,
        words.next().context("no target")?,
    );
    let host = target.strip_prefix("http://").unwrap_or(target);
    let host = host.split('/').next().unwrap_or_default();
    let known = host == NAME || host.starts_with(&format!("{NAME}:"));
    let mut server = TcpStream::connect(if known { registry } else { host })
        .with_context(|| format!("asked for `{target}`"))?;
    server.set_read_timeout(Some(Duration::from_secs(30)))?;
    used.fetch_add(1, Ordering::SeqCst);
    if method == "CONNECT" {
        client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    } else {
        // A server takes the whole URL in a request's first line too.
        server.write_all(head.as_bytes())?;
    }
    server.write_all(&rest)?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let there = std::thread::spawn(move || {
        // Either side may go at any time.
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    let _ = there.join();
    Ok(())
}

/// The head of the first request, and what came with it.
fn head(client: &mut TcpStream) -> Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8(bytes)?, rest));
        }
        let count = client.read(&mut piece)?;
        if count == 0 || bytes.len() > LONGEST {
            match bytes.is_empty() {
                true => return Ok(Default::default()),
                false => bail!("a request without an end"),
            }
        }
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
}
