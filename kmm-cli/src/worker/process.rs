//! Running modprobe: its arguments as they are, no shell, each line of it into the log.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command as Process;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use kmm_core::modprobe::Command;
use kmm_core::worker::Reason;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;

use crate::failure::Failure;
use crate::run::Run;

/// How long modprobe may go on when the run is to stop: a module that is half way loaded is better loaded.
const GRACE: Duration = Duration::from_secs(8);
/// How often is looked whether the run is to stop.
const LOOK: Duration = Duration::from_millis(20);
/// How long is waited for the rest of the output when modprobe has ended and something else holds it open.
const REST: Duration = Duration::from_millis(200);
/// More than pipes hold: what comes behind this many bytes was written after modprobe's end.
const PIPE: usize = 4 << 20;
/// Lines that are kept to find the cause, the last ones, and the most bytes of them.
const KEPT: usize = 1000;
const KEPT_BYTES: usize = 1 << 20;
/// The most bytes that are logged: what modprobe says is a thousandth of it. It may go on behind that, until it is
/// stopped like one that says nothing.
const LOGGED: usize = 16 << 20;
/// The most bytes of one line of the log; longer ones take several, and nothing is lost.
const PIECE: usize = 1 << 20;
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

/// Runs modprobe to its end.
pub fn modprobe(run: &Run, command: &Command) -> Result<Outcome, Failure> {
    let program = &run.options.modprobe;
    run.info("running", &[("command", &command.to_string())]);
    let mut child = prepared(program).args(&command.args).spawn().map_err(|error| {
        Failure::new(
            Reason::ModprobeMissing,
            format!("could not start `{program}`: {error}"),
        )
    })?;
    let mut watch = Watch::new(run);
    let lines = follow(run, &mut child, &mut watch)?;
    let status = wait(program, &mut child, &mut watch)?;
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

/// A program that sees nothing of this one's environment but where programs are, with pipes for its output.
pub fn prepared(program: &str) -> Process {
    let path = std::env::var("PATH").unwrap_or_else(|_| PATH.to_owned());
    // With a path and no folder of its own it is started without a copy of this process.
    let mut process = Process::new(found(program, &path));
    process
        // `MODPROBE_OPTIONS` would add to the command line.
        .env_clear()
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    process
}

/// A program without a folder, as the first of those in `path`.
fn found(program: &str, path: &str) -> PathBuf {
    let mut places = path.split(':').map(|folder| Path::new(folder).join(program));
    let first = places.find(|place| !program.contains('/') && place.is_file());
    first.unwrap_or_else(|| PathBuf::from(program))
}

/// Logs what modprobe writes until nobody can write any more; returns the last of it.
fn follow(run: &Run, child: &mut Child, watch: &mut Watch<'_>) -> Result<VecDeque<String>, Failure> {
    let stdout = child.stdout.take().map(OwnedFd::from);
    let stderr = child.stderr.take().map(OwnedFd::from);
    let mut streams: Vec<Stream> = [("stdout", stdout), ("stderr", stderr)]
        .into_iter()
        .filter_map(|(name, fd)| Some(Stream::new(name, fd?)))
        .collect();
    let mut kept = Kept::default();
    let mut logged = 0;
    let mut ended = None;
    let mut after_end = 0;
    while !streams.is_empty() {
        let ready = ready(&streams);
        watch.look(child)?;
        // Something that modprobe started may hold its output open for ever, or write for ever.
        let gone = ended.is_some() || child.try_wait().ok().flatten().is_some();
        let since = gone.then(|| *ended.get_or_insert_with(Instant::now));
        let rest = !ready.contains(&true) || after_end > PIPE;
        if rest && since.is_some_and(|since| since.elapsed() >= REST) {
            break;
        }
        for (stream, _) in streams.iter_mut().zip(&ready).filter(|(_, ready)| **ready) {
            let lines = stream.lines();
            if gone {
                after_end += lines.iter().map(|line| line.len() + 1).sum::<usize>();
            }
            for line in lines {
                if logged <= LOGGED {
                    run.info(&line, &[("stream", stream.name)]);
                    logged += line.len() + 1;
                    if logged > LOGGED {
                        let bytes = LOGGED.to_string();
                        run.info(
                            "the rest of what modprobe says is not logged",
                            &[("bytes", &bytes)],
                        );
                    }
                }
                kept.push(line);
            }
        }
        streams.retain(|stream| stream.open);
    }
    Ok(kept.lines)
}

/// The last lines, bounded.
#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Kept {
    fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > KEPT || (self.bytes > KEPT_BYTES && self.lines.len() > 1) {
            let gone = self.lines.pop_front();
            self.bytes -= gone.map_or(0, |line| line.len());
        }
    }
}

/// Which streams have something to read, or have ended; none of them after [`LOOK`].
fn ready(streams: &[Stream]) -> Vec<bool> {
    let mut fds: Vec<PollFd<'_>> = streams
        .iter()
        .map(|stream| PollFd::new(&stream.file, PollFlags::IN))
        .collect();
    let look = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(LOOK.subsec_nanos()),
    };
    match rustix::event::poll(&mut fds, Some(&look)) {
        Ok(_) => fds.iter().map(|fd| !fd.revents().is_empty()).collect(),
        // A signal came.
        Err(_) => vec![false; streams.len()],
    }
}

/// Waits for the end of a process that has closed its output: it comes at once, as a rule.
fn wait(program: &str, child: &mut Child, watch: &mut Watch<'_>) -> Result<ExitStatus, Failure> {
    let mut pause = Duration::from_micros(50);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => {
                watch.look(child)?;
                std::thread::sleep(pause);
                pause = (pause * 2).min(LOOK);
            }
            Err(error) => {
                let proof = format!("could not wait for `{program}`: {error}");
                return Err(Failure::new(Reason::ModprobeFailed, proof));
            }
        }
    }
}

/// A stream of lines.
struct Stream {
    name: &'static str,
    file: File,
    /// What has no end of a line yet.
    rest: Vec<u8>,
    open: bool,
}

impl Stream {
    fn new(name: &'static str, fd: OwnedFd) -> Self {
        Self {
            name,
            file: File::from(fd),
            rest: Vec::new(),
            open: true,
        }
    }

    /// Reads once; the lines that are whole by then.
    fn lines(&mut self) -> Vec<String> {
        let mut buffer = [0; 16 << 10];
        match self.file.read(&mut buffer) {
            Ok(0) => self.open = false,
            Ok(length) => self
                .rest
                .extend_from_slice(buffer.get(..length).unwrap_or_default()),
            Err(error) => self.open = error.kind() == std::io::ErrorKind::Interrupted,
        }
        cut(&mut self.rest, !self.open)
    }
}

/// Takes whole lines, and pieces of long ones; at the end, what is left too.
fn cut(rest: &mut Vec<u8>, at_end: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut begin = 0;
    loop {
        let left = rest.get(begin..).unwrap_or_default();
        let piece = left.get(..PIECE).unwrap_or(left);
        let (line, behind) = match piece.iter().position(|byte| *byte == b'\n') {
            Some(end) => (piece.get(..end).unwrap_or_default(), end + 1),
            None if piece.len() == PIECE || (at_end && !piece.is_empty()) => (piece, piece.len()),
            None => break,
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        lines.push(String::from_utf8_lossy(line).into_owned());
        begin += behind;
    }
    rest.drain(..begin);
    lines
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
        let text = [&b"a\r\n\n"[..], &vec![b'x'; PIECE + 5], b"\nlast"].concat();
        for step in [1 << 10, 16 << 10, text.len()] {
            let mut rest = Vec::new();
            let mut lengths = Vec::new();
            for part in text.chunks(step) {
                rest.extend_from_slice(part);
                lengths.extend(cut(&mut rest, false).iter().map(String::len));
            }
            assert_eq!(lengths, [1, 0, PIECE, 5]);
            assert_eq!(cut(&mut rest, true), ["last"]);
            assert_eq!(cut(&mut rest, true), Vec::<String>::new());
        }
    }

    #[test]
    fn the_last_lines_are_kept() {
        let mut kept = Kept::default();
        for number in 0..3 * KEPT {
            kept.push(number.to_string());
        }
        assert_eq!(kept.lines.len(), KEPT);
        assert_eq!(kept.lines.back(), Some(&(3 * KEPT - 1).to_string()));
        for _ in 0..10 {
            kept.push("x".repeat(KEPT_BYTES / 2));
        }
        assert_eq!((kept.lines.len(), kept.bytes), (2, KEPT_BYTES));
        // One line is always kept: what modprobe said last.
        kept.push("y".repeat(2 * KEPT_BYTES));
        assert_eq!(kept.lines.len(), 1);
    }

    #[test]
    fn programs_are_found_in_the_path() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tool"), "").unwrap();
        let path = format!("/no/such/folder:{}:/", folder.path().display());
        assert_eq!(found("tool", &path), folder.path().join("tool"));
        assert_eq!(found("other", &path), Path::new("other"));
        assert_eq!(found("./tool", &path), Path::new("./tool"));
    }
}
