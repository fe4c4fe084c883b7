//! `kmm image`.

mod answer;
mod check;
mod inspect;
mod plan;
mod sarif;
mod text;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use anyhow::Result;
use kmm_core::sign::Verifier;
use kmm_files::Certificates;
use kmm_files::Decompressors;
use kmm_oci::ScanOptions;

use crate::input;

pub use check::run as check;
pub use inspect::run as inspect;

/// The most that a file of certificates may have.
const CERTIFICATE_BYTES: u64 = 1 << 20;

/// How images are read.
pub fn scan_options(platform: Option<&str>, certificates: &[PathBuf]) -> Result<ScanOptions<'static>> {
    let mut options = ScanOptions::new(&Decompressors);
    options.platform = platform.map(str::parse).transpose().context("--platform")?;
    if !certificates.is_empty() {
        let mut known = Certificates::default();
        for path in certificates {
            let (name, bytes) = input::read_bytes(path, CERTIFICATE_BYTES)?;
            known.add(&bytes).with_context(|| format!("`{name}`"))?;
        }
        options.verifier = Some(Arc::new(known) as Arc<dyn Verifier>);
    }
    Ok(options)
}
