//! Firmware files of the image in the firmware folder of the host.
//!
//! [`kmm_core::worker::firmware`] decides; here files are looked at, kept, put, restored and removed. Nothing is done
//! outside of either folder: paths are followed by `openat2` with `RESOLVE_BENEATH`, or step by step on kernels that
//! have no such call. Whole files appear in one step (a rename), so that nobody sees half of one.

mod folder;
mod source;
mod state;

use std::io;
use std::io::Read;

use cap_std::fs::Dir;
use cap_std::fs::MetadataExt;
use kmm_core::worker::Reason;
use kmm_core::worker::firmware::Content;
use kmm_core::worker::firmware::Digest;

use crate::beneath;
use crate::failure::Failure;

pub use folder::Folder;
pub use source::Source;

/// Bytes that are copied at a time.
const PIECE: usize = 64 << 10;
/// What counts of a file's mode.
const PERMISSIONS: u32 = 0o777;

/// What lies at a path; an error where it is neither file nor link, and `Interrupted` where `goes_on` says no.
fn content(dir: &Dir, path: &str, goes_on: &dyn Fn() -> bool) -> io::Result<Content> {
    let data = match dir.symlink_metadata(path) {
        Ok(data) => data,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::Absent),
        Err(error) => return Err(error),
    };
    if data.is_symlink() {
        let target = dir.read_link_contents(path)?;
        let target = target
            .into_os_string()
            .into_string()
            .map_err(|_| io::Error::other("the link's target is no UTF-8"))?;
        return Ok(Content::Link { target });
    }
    if !data.is_file() {
        let kind = beneath::kind(data.mode());
        return Err(io::Error::other(format!("{kind} lies there")));
    }
    let mut file = beneath::plain_in(dir, path)?;
    let mut digest = Digest::default();
    let mut size = 0;
    let mut buffer = vec![0; PIECE];
    loop {
        if !goes_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        digest.update(buffer.get(..length).unwrap_or_default());
        size += length as u64;
    }
    Ok(Content::File {
        digest: digest.finish(),
        size,
        mode: data.mode() & PERMISSIONS,
    })
}

fn failed(reason: Reason, what: &str, path: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(reason, format!("{what} `{path}`: {error}"))
}
