//! Files and standard input, bounded.

use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

/// What standard input is called.
pub const STDIN: &str = "<stdin>";

/// What comes from standard input is gone then: whoever reads it again would find nothing in it.
static STDIN_IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// A text, and what to call it.
#[derive(Debug)]
pub struct Source {
    /// The path as it was given, or `<stdin>`.
    pub name: String,
    /// The text.
    pub text: String,
}

/// Reads a file, or standard input for `-`.
///
/// # Errors
///
/// When it cannot be read, is larger than `most` bytes, or is not UTF-8.
pub fn read(path: &Path, most: u64) -> Result<Source> {
    let (name, bytes) = read_bytes(path, most)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source { name, text }),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            bail!("`{name}` is not UTF-8 text: the byte at offset {at} is no part of a character")
        }
    }
}

/// As [`read`], but what is no UTF-8 becomes `\u{fffd}`: logs may hold any bytes.
///
/// # Errors
///
/// When it cannot be read, or is larger than `most` bytes.
pub fn read_lossy(path: &Path, most: u64) -> Result<Source> {
    let (name, bytes) = read_bytes(path, most)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Source { name, text })
}

/// The bytes of a file, and what to call it.
///
/// # Errors
///
/// When it cannot be read, or is larger than `most` bytes.
pub fn read_bytes(path: &Path, most: u64) -> Result<(String, Vec<u8>)> {
    let (name, bytes) = if path == Path::new("-") {
        if STDIN_IS_TAKEN.swap(true, Ordering::Relaxed) {
            bail!("standard input can be read once: `-` stands twice");
        }
        (STDIN.to_owned(), take(io::stdin().lock(), most))
    } else {
        (
            path.display().to_string(),
            File::open(path).and_then(|file| take(file, most)),
        )
    };
    let bytes = bytes.with_context(|| format!("could not read `{name}`"))?;
    if bytes.len() as u64 > most {
        bail!("`{name}` is too large: at most {} MiB are read", most >> 20);
    }
    Ok((name, bytes))
}

fn take(reader: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
