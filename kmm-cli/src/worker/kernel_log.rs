//! What the kernel said while modprobe ran.
//!
//! `/dev/kmsg` shows it, which a container has only when it is privileged. Where it is not there, `syslog(2)` does, for
//! which `CAP_SYSLOG` is enough. That call needs a buffer given by address, and no crate that is small and kept well has it
//! behind a safe function (rustix has none, libc's is unsafe; rmesg brings a parser of command lines and one of regular
//! expressions). So `dmesg` does the call, of busybox or util-linux, where the worker's image has it.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::os::unix::fs::OpenOptionsExt;

use kmm_core::worker::privilege::Capability;
use rustix::fs::OFlags;

use crate::node::Node;
use crate::process;

/// The most records that are read: the kernel's ring holds fewer.
const MOST: usize = 10_000;
/// A record has no more bytes than this.
const RECORD: usize = 16 << 10;
/// The kernel's ring is no larger, as a rule: what comes after this is not read.
const RING: u64 = 32 << 20;
/// How many of the last lines must stand together to be taken for those that were last before.
const MARK: usize = 8;

/// The kernel's log, from the moment on at which it was opened.
#[derive(Debug)]
pub struct KernelLog {
    source: Result<Source, String>,
}

#[derive(Debug)]
enum Source {
    /// `/dev/kmsg`, behind its last record.
    Device(File),
    /// A program that calls `syslog(2)`, and the last lines that it printed before.
    Program(Dmesg, Vec<String>),
}

impl KernelLog {
    /// Takes the last record for the one before the first.
    pub fn open(node: &Node) -> Self {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(node.path("/dev/kmsg"))
            .and_then(|mut file| {
                file.seek(SeekFrom::End(0))?;
                Ok(file)
            });
        let source = match opened {
            Ok(file) => Ok(Source::Device(file)),
            Err(error) => by_call(node).map_err(|why| format!("{}; {why}", no_device(&error))),
        };
        Self { source }
    }

    /// The messages since then.
    ///
    /// # Errors
    ///
    /// Why the log cannot be read.
    pub fn messages(&mut self) -> Result<Vec<String>, String> {
        match self.source.as_mut().map_err(|why| why.clone())? {
            Source::Device(file) => Ok(records(file)),
            Source::Program(dmesg, before) => {
                let lines = dmesg.lines()?;
                let new = behind(&lines, before);
                Ok(new.iter().map(|line| without_head(line).to_owned()).collect())
            }
        }
    }
}

fn no_device(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => {
            "/dev/kmsg is not there: a container has it only when it is privileged".to_owned()
        }
        _ => format!("/dev/kmsg: {error}"),
    }
}

/// The way by `syslog(2)`; an error says what is missing for it.
fn by_call(node: &Node) -> Result<Source, String> {
    let restricted = node.text("/proc/sys/kernel/dmesg_restrict");
    let restricted = restricted.as_deref().map(str::trim);
    let missing = node.facts().missing(Capability::Syslog);
    // A kernel without the restriction shows its log to everybody.
    if let (Some((_, proof)), Some("1")) = (&missing, restricted) {
        return Err(format!(
            "syslog(2) is for CAP_SYSLOG alone, as kernel.dmesg_restrict is 1: {proof}"
        ));
    }
    let dmesg = Dmesg {
        program: node.program("dmesg"),
    };
    let lines = dmesg.lines().map_err(|why| match missing {
        Some((_, proof)) => format!("{why}: {proof}"),
        None => why,
    })?;
    let from = lines.len().saturating_sub(MARK);
    let before = lines.get(from..).unwrap_or_default().to_vec();
    Ok(Source::Program(dmesg, before))
}

/// A program that prints the kernel's log as the kernel gives it.
#[derive(Debug)]
struct Dmesg {
    program: String,
}

impl Dmesg {
    /// All lines of the log.
    fn lines(&self) -> Result<Vec<String>, String> {
        let mut child = process::prepared(&self.program)
            .arg("-r")
            .spawn()
            .map_err(|error| format!("`dmesg`, which would call syslog(2), cannot be started: {error}"))?;
        let mut text = Vec::new();
        // It closes both at its end, and what it complains of fits a pipe.
        let read = child
            .stdout
            .take()
            .map_or(Ok(0), |stdout| stdout.take(RING).read_to_end(&mut text));
        let mut said = Vec::new();
        if let Some(stderr) = child.stderr.take() {
            let _ = stderr.take(RECORD as u64).read_to_end(&mut said);
        }
        let status = child.wait();
        match (read, status) {
            (Ok(_), Ok(status)) if status.success() => {
                let text = String::from_utf8_lossy(&text);
                Ok(text.lines().map(str::to_owned).collect())
            }
            (Ok(_), Ok(_)) => Err(format!("syslog(2): {}", String::from_utf8_lossy(&said).trim())),
            (Err(error), _) | (_, Err(error)) => Err(format!("`dmesg`: {error}")),
        }
    }
}

/// The lines behind those that were the last before; all of them where the ring holds those no more.
fn behind<'a>(lines: &'a [String], before: &[String]) -> &'a [String] {
    if before.is_empty() {
        return lines;
    }
    let at = lines.windows(before.len()).rposition(|window| window == before);
    lines
        .get(at.map_or(0, |at| at + before.len())..)
        .unwrap_or_default()
}

/// A line of the ring without its level and time: `<4>[   12.345678] message`.
fn without_head(line: &str) -> &str {
    let rest = line
        .strip_prefix('<')
        .and_then(|rest| rest.split_once('>'))
        .map_or(line, |(_, rest)| rest);
    let time = rest.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    match time {
        Some((time, rest)) if time.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '.')) => rest,
        _ => rest,
    }
}

/// What `/dev/kmsg` has more.
fn records(file: &mut File) -> Vec<String> {
    let mut messages = Vec::new();
    let mut buffer = vec![0; RECORD];
    while messages.len() < MOST {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
                messages.extend(text.lines().filter_map(message));
            }
            // Older records were overwritten; the next ones are there.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    messages
}

/// The message of a record (`6,339,5140900,-;message`); `None` for what follows it (` KEY=value`).
fn message(line: &str) -> Option<String> {
    let (head, text) = line.split_once(';')?;
    if line.starts_with(' ') || !head.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.push_str(before);
        match after
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        {
            // Bytes beyond ASCII come one by one; they matter for nothing here.
            Some(byte) => out.push(if byte.is_ascii() {
                char::from(byte)
            } else {
                '\u{fffd}'
            }),
            None => out.push_str("\\x"),
        }
        rest = after.get(2..).unwrap_or_default();
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        assert_eq!(
            message("4,339,51,-;nic: a;b\\x5cc").as_deref(),
            Some("nic: a;b\\c")
        );
        assert_eq!(message(" SUBSYSTEM=pci"), None);
        assert_eq!(message(" DEVICE=a;b"), None);
        assert_eq!(message(""), None);
    }

    #[test]
    fn what_is_new() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(behind(&lines("a b c d"), &lines("b c")), lines("d"));
        assert_eq!(behind(&lines("a b a b x"), &lines("a b")), lines("x"));
        assert_eq!(behind(&lines("c d"), &lines("a b")), lines("c d"));
        assert_eq!(behind(&lines("c d"), &[]), lines("c d"));
        assert!(behind(&lines("a b"), &lines("a b")).is_empty());
        assert_eq!(without_head("<4>[   12.345678] nic: a] b"), "nic: a] b");
        assert_eq!(without_head("<6>[drm] nic: a"), "[drm] nic: a");
        assert_eq!(without_head("nic: a"), "nic: a");
    }
}
