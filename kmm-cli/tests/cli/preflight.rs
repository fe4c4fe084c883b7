//! `kmm preflight` asks a registry that has nothing.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::Output;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::command;
use super::data;
use super::stderr;
use super::stdout;

/// A registry of plain HTTP that answers every question with 404; it ends when dropped.
struct Empty {
    addr: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Empty {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if asked.load(Ordering::SeqCst) {
                    return;
                }
                // A client may go at any time.
                let _ = stream.and_then(answer);
            }
        });
        Self {
            addr,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Empty {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.addr);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = Vec::new();
    // The start of a TLS handshake is no line of a request, and may have no end.
    if reader.fill_buf()?.first() != Some(&0x16) {
        while reader.read_until(b'\n', &mut line)? > 2 {
            line.clear();
        }
    }
    stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// What `kmm preflight` says of the Modules of `preflight.yaml`, whose images are in an empty registry.
pub(crate) fn of_an_empty_registry(arguments: &[&str]) -> Output {
    let registry = Empty::start();
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(super::workspace().join(data("preflight.yaml"))).unwrap();
    let file = folder.path().join("modules.yaml");
    std::fs::write(&file, text.replace("registry.example.com", &registry.addr)).unwrap();
    let file = file.to_str().unwrap();
    let output = command(&[&["preflight", "-f", file, "-k", "6.1.0-38-amd64"], arguments].concat())
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1")
        .env("HOME", folder.path())
        .env_remove("REGISTRY_AUTH_FILE")
        .env_remove("XDG_RUNTIME_DIR")
        .output()
        .unwrap();
    // The port is another one each time.
    Output {
        stdout: stdout(&output)
            .replace(&registry.addr, "registry.example.com")
            .into_bytes(),
        ..output
    }
}

#[test]
fn what_is_not_there_must_be_built() {
    let output = of_an_empty_registry(&["--plain-http"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(
        stdout(&output),
        "drivers/nic: must be built\n  registry.example.com/nic:6.1.0-38-amd64\n  \
         the image is not there, and the operator builds it\n\
         drivers/gpu: will not load\n  \
         failed to find mapping for kernel 6.1.0-38-amd64: kernel mapping not found\n\
         drivers/plugin: ready\n  it has no module loader, so that nothing is loaded\n\n\
         To build for kernel 6.1.0-38-amd64:\n  \
         registry.example.com/nic:6.1.0-38-amd64 (built for drivers/nic)\n    \
         from registry.example.com/headers:6.1.0-38-amd64, which is not there: making it will fail\n    \
         from registry.example.com/base:1, which is not there: making it will fail\n"
    );
    assert!(
        stderr(&output).contains("3 Modules on 6.1.0-38-amd64: 1 ready, 1 must be built, 1 will not load"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn plain_http_that_was_not_asked_for_is_no_answer() {
    let output = of_an_empty_registry(&["-m", "nic"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("it seems to speak plain HTTP"),
        "{}",
        stdout(&output)
    );
}

/// A registry of plain HTTP that holds its answers about manifests back until this many were asked for at once.
fn answer_together(
    mut stream: TcpStream,
    wanted: usize,
    asked: &(Mutex<usize>, Condvar),
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut request, mut line) = (String::new(), Vec::new());
    if reader.fill_buf()?.first() != Some(&0x16) {
        while reader.read_until(b'\n', &mut line)? > 2 {
            request.push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
    if request.contains("/manifests/") {
        let (count, changed) = asked;
        *count.lock().unwrap() += 1;
        changed.notify_all();
        let waiting = count.lock().unwrap();
        let waited = changed
            .wait_timeout_while(waiting, Duration::from_secs(20), |count| *count < wanted)
            .unwrap()
            .1;
        assert!(!waited.timed_out(), "one question after the other");
    }
    stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

#[test]
fn registries_are_asked_several_questions_at_once_and_the_order_stays() {
    let names = ["d", "b", "c", "a"];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::new((Mutex::new(0), Condvar::new()));
    let (stopped, all) = (Arc::clone(&stop), Arc::clone(&asked));
    let server = std::thread::spawn(move || {
        let mut answers = Vec::new();
        for stream in listener.incoming().flatten() {
            if stopped.load(Ordering::SeqCst) {
                break;
            }
            let all = Arc::clone(&all);
            answers.push(std::thread::spawn(move || {
                answer_together(stream, names.len(), &all)
            }));
        }
        let whole = answers.into_iter().all(|answer| answer.join().is_ok());
        assert!(whole, "an answer was not given");
    });
    let module = |name: &&str| {
        format!(
            "apiVersion: kmm.sigs.x-k8s.io/v1beta1\nkind: Module\nmetadata: {{name: {name}, namespace: drivers}}\nspec:\n  \
             selector: {{a: b}}\n  moduleLoader:\n    container:\n      modprobe: {{moduleName: {name}}}\n      \
             kernelMappings:\n      - {{literal: '6.1.0', containerImage: '{address}/team/{name}:1'}}\n---\n"
        )
    };
    let manifests: String = names.iter().map(module).collect();
    let output = command(&[
        "preflight",
        "-f",
        "-",
        "-k",
        "6.1.0",
        "--plain-http",
        "-o",
        "json",
    ])
    .stdin(manifests)
    .env("NO_PROXY", "127.0.0.1")
    .env("REGISTRY_AUTH_FILE", "/nonexistent")
    .output()
    .unwrap();
    stop.store(true, Ordering::SeqCst);
    let _ = TcpStream::connect(address);
    server.join().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let modules = answer["modules"].as_array().unwrap();
    let order: Vec<&str> = modules
        .iter()
        .map(|judged| judged["module"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(order, names);
    assert!(
        modules.iter().all(|judged| judged["reason"] == "noSuchImage"),
        "{answer:#}"
    );
    // Each was asked for once, and the first answers came when all were.
    assert_eq!(*asked.0.lock().unwrap(), names.len());
}
