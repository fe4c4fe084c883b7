//! The folder in which the kernel looks for firmware first.

use std::fs;
use std::io::Write;

use kmm_core::modprobe::Firmware;
use kmm_core::worker::Reason;

use crate::failure::Failure;
use crate::run::Run;

/// Sets it, where it was given and is another one; empty takes the setting back.
pub fn set(run: &mut Run) -> Result<(), Failure> {
    let Some(wanted) = run.options.firmware_path.clone() else {
        return Ok(());
    };
    run.begin("firmware-class")?;
    let given = run.options.firmware_class_file.clone();
    let path = given.unwrap_or_else(|| run.node.path(Firmware::CLASS_PATH));
    let failed = |what: &str, error: &std::io::Error| {
        let proof = format!("could not {what} `{}`: {error}", path.display());
        Failure::new(Reason::FirmwareClassPath, proof)
    };
    let bytes = fs::read(&path).map_err(|error| failed("read", &error))?;
    let there = String::from_utf8_lossy(&bytes);
    let there = there.trim_end_matches(['\n', '\0']);
    if there == wanted {
        run.info("already set", &[("path", &wanted)]);
        return Ok(());
    }
    // The kernel takes no notice of writing nothing, and keeps a line feed as a part of the path.
    let text = if wanted.is_empty() { "\0" } else { wanted.as_str() };
    fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| failed("write", &error))?;
    run.info("set", &[("path", &wanted), ("before", there)]);
    Ok(())
}
