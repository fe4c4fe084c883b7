//! A line that tells how much was read, while it takes long.

use std::env;
use std::io;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::Sender;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use kmm_oci::Progress;

use crate::printer::Printer;

/// Who is done sooner sees no line.
const FIRST: Duration = Duration::from_secs(1);

/// How often it is written anew.
const AGAIN: Duration = Duration::from_millis(250);

/// Writes the line until it is dropped, and removes it then.
pub struct ProgressLine {
    writer: Option<(Sender<()>, JoinHandle<()>)>,
}

impl ProgressLine {
    /// Begins to watch, where standard error is a terminal.
    pub fn start(progress: &Arc<Progress>, printer: &Printer) -> Self {
        let plain = env::var_os("TERM").is_some_and(|kind| kind == "dumb");
        if plain || !io::stderr().is_terminal() {
            return Self { writer: None };
        }
        let (progress, printer) = (Arc::clone(progress), *printer);
        let (stop, stopped) = mpsc::channel();
        let write = move || {
            let mut wait = FIRST;
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                printer.line_so_far(&text(progress.read(), progress.all()));
                wait = AGAIN;
            }
            if wait == AGAIN {
                printer.line_so_far("");
            }
        };
        Self {
            writer: Some((stop, thread::spawn(write))),
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if let Some((stop, writer)) = self.writer.take() {
            drop(stop);
            // It only writes: what it could not write, nobody misses.
            let _ = writer.join();
        }
    }
}

/// `read 12 of 345 MiB`; only what was read, where nobody knows how much there is.
fn text(read: u64, all: u64) -> String {
    let mib = |bytes: u64| bytes >> 20;
    match all {
        0 => format!("read {} MiB", mib(read)),
        _ => format!("read {} of {} MiB", mib(read), mib(all.max(read))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_what_is_known() {
        assert_eq!(text(5 << 20, 0), "read 5 MiB");
        assert_eq!(text(5 << 20, 90 << 20), "read 5 of 90 MiB");
        assert_eq!(text(91 << 20, 90 << 20), "read 91 of 91 MiB");
    }
}
