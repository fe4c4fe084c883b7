//! What the kernel said while modprobe ran.

use std::fs::File;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::os::unix::fs::OpenOptionsExt;

use kmm_core::worker::privilege::Capability;
use rustix::fs::OFlags;

use crate::node::Node;

/// The most records that are read: the kernel's ring holds fewer.
const MOST: usize = 10_000;
/// A record has no more bytes than this.
const RECORD: usize = 16 << 10;

/// The kernel's log, from the moment on at which it was opened.
#[derive(Debug)]
pub struct KernelLog {
    file: Result<File, String>,
}

impl KernelLog {
    /// Opens `/dev/kmsg` behind its last record.
    pub fn open(node: &Node) -> Self {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(node.path("/dev/kmsg"))
            .and_then(|mut file| {
                file.seek(SeekFrom::End(0))?;
                Ok(file)
            });
        Self {
            file: opened.map_err(|error| why(node, &error)),
        }
    }

    /// The messages since then.
    ///
    /// # Errors
    ///
    /// Why the log cannot be read.
    pub fn messages(&mut self) -> Result<Vec<String>, String> {
        let file = self.file.as_mut().map_err(|why| why.clone())?;
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
        Ok(messages)
    }
}

fn why(node: &Node, error: &std::io::Error) -> String {
    match (error.kind(), node.facts().missing(Capability::Syslog)) {
        (ErrorKind::PermissionDenied, Some((_, proof))) => format!("/dev/kmsg: {error}: {proof}"),
        (ErrorKind::NotFound, _) => {
            "/dev/kmsg is not there: a container has it only when it is privileged".to_owned()
        }
        _ => format!("/dev/kmsg: {error}"),
    }
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
}
