//! Running modprobe: its arguments as they are, no shell, each line of it into the log.

use std::collections::VecDeque;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::process::Command as Process;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::SyncSender;
use std::time::Duration;
use std::time::Instant;

use kmm_core::modprobe::Command;
use kmm_core::worker::Reason;

use crate::failure::Failure;
use crate::run::Run;

/// How long modprobe may go on when the run is to stop: a module that is half way loaded is better loaded.
const GRACE: Duration = Duration::from_secs(8);
/// How often is looked whether the run is to stop.
const LOOK: Duration = Duration::from_millis(20);
/// How long is waited for the rest of the output when modprobe has ended and something else holds it open.
const REST: Duration = Duration::from_millis(200);
/// Lines that are kept to find the cause; all are logged.
const KEPT: usize = 1000;
/// The most bytes of one line of the log; longer ones take several, and nothing is lost.
const PIECE: u64 = 1 << 20;
/// Where programs are when the environment does not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How modprobe ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it ended well.
    pub success: bool,
    /// How, in words.
    pub status: String,
    /// The last lines that it wrote.
    pub lines: VecDeque<String>,
}

/// What the threads that read its output send.
enum Event {
    Line(&'static str, String),
    End,
}

/// Runs modprobe to its end.
pub fn modprobe(run: &Run, command: &Command) -> Result<Outcome, Failure> {
    let program = &run.options.modprobe;
    run.info("running", &[("command", &command.to_string())]);
    let path = std::env::var("PATH").unwrap_or_else(|_| PATH.to_owned());
    let spawned = Process::new(program)
        .args(&command.args)
        // `MODPROBE_OPTIONS` would add to the command line.
        .env_clear()
        .env("PATH", path)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.map_err(|error| {
        Failure::new(
            Reason::ModprobeMissing,
            format!("could not start `{program}`: {error}"),
        )
    })?;
    let (sender, receiver) = mpsc::sync_channel(256);
    let mut open = 0;
    if let Some(stdout) = child.stdout.take() {
        open += 1;
        follow("stdout", stdout, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        open += 1;
        follow("stderr", stderr, sender);
    }
    let mut watch = Watch::new(run);
    let mut lines = VecDeque::new();
    let mut ended = None;
    while open > 0 {
        match receiver.recv_timeout(LOOK) {
            Ok(Event::Line(stream, line)) => {
                run.info(&line, &[("stream", stream)]);
                if lines.len() == KEPT {
                    lines.pop_front();
                }
                lines.push_back(line);
            }
            Ok(Event::End) => open -= 1,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                watch.look(&mut child)?;
                // Something that modprobe started may hold its output open for ever.
                let gone = child.try_wait().ok().flatten().is_some();
                let since = gone.then(|| *ended.get_or_insert_with(Instant::now));
                if since.is_some_and(|since| since.elapsed() >= REST) {
                    break;
                }
            }
        }
    }
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => {
                watch.look(&mut child)?;
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => {
                let proof = format!("could not wait for `{program}`: {error}");
                return Err(Failure::new(Reason::ModprobeFailed, proof));
            }
        }
    };
    run.info("ended", &[("status", &status.to_string())]);
    if watch.killed {
        let proof = format!(
            "told to stop, and modprobe did not end within {} s",
            GRACE.as_secs()
        );
        return Err(Failure::new(Reason::Interrupted, proof));
    }
    // A terminal's ctrl-c is for both.
    if run.is_to_stop() && status.signal().is_some() {
        return Err(Failure::new(
            Reason::Interrupted,
            "told to stop, and modprobe with it",
        ));
    }
    Ok(Outcome {
        success: status.success(),
        status: status.to_string(),
        lines,
    })
}

/// Sends the lines of a stream, then its end.
fn follow(name: &'static str, stream: impl Read + Send + 'static, sender: SyncSender<Event>) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        while let Ok(Some(line)) = next_line(&mut reader) {
            if sender.send(Event::Line(name, line)).is_err() {
                return;
            }
        }
        let _ = sender.send(Event::End);
    });
}

/// The next line, or the next piece of a long one; `None` at the end.
fn next_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if reader.by_ref().take(PIECE).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Ends modprobe when it takes too long, or when the run is to stop.
struct Watch<'a> {
    run: &'a Run,
    begin: Instant,
    told: Option<Instant>,
    killed: bool,
}

impl<'a> Watch<'a> {
    fn new(run: &'a Run) -> Self {
        Self {
            run,
            begin: Instant::now(),
            told: None,
            killed: false,
        }
    }

    /// An error where modprobe cannot be waited for any longer: the kernel does not let it go while the initialisation
    /// of a module runs.
    fn look(&mut self, child: &mut Child) -> Result<(), Failure> {
        if self.begin.elapsed() > self.run.options.timeout {
            let _ = child.kill();
            let seconds = self.run.options.timeout.as_secs();
            let proof = format!("modprobe did not end within {seconds} s");
            return Err(Failure::new(Reason::ModprobeTimeout, proof));
        }
        if self.told.is_none() && self.run.is_to_stop() {
            self.run.info("told to stop: waiting for modprobe", &[]);
            self.told = Some(Instant::now());
        }
        let Some(told) = self.told else {
            return Ok(());
        };
        if told.elapsed() >= GRACE && !self.killed {
            self.killed = true;
            let _ = child.kill();
        }
        if told.elapsed() >= GRACE + Duration::from_secs(1) {
            let proof = "told to stop, and the kernel does not let modprobe go".to_owned();
            return Err(Failure::new(Reason::Interrupted, proof));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_come_in_pieces() {
        let text = [&b"a\r\n\n"[..], &vec![b'x'; PIECE as usize + 5], b"\nlast"].concat();
        let mut reader = text.as_slice();
        let mut lengths = Vec::new();
        while let Some(line) = next_line(&mut reader).unwrap() {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [1, 0, PIECE as usize, 5, 4]);
    }
}
