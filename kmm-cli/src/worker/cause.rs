//! Why modprobe failed: what it says, what the kernel says, and what the files and `/proc` show.

use kmm_core::kmod::Compression;
use kmm_core::worker::Reason;
use kmm_core::worker::decode;
use kmm_core::worker::decode::Decoded;

use crate::failure::Failure;
use crate::image::Image;
use crate::kernel_log::KernelLog;
use crate::process::Outcome;
use crate::run::Run;

/// How many lines of one reason are named.
const NAMED: usize = 8;

/// Finds the cause.
pub fn of(run: &Run, outcome: &Outcome, log: &mut KernelLog, image: &Image) -> Failure {
    let (kernel, heard) = match log.messages() {
        Ok(messages) => {
            for message in &messages {
                run.info(message, &[("stream", "kernel")]);
            }
            (messages, true)
        }
        Err(why) => {
            run.info("the kernel's log cannot be read", &[("why", &why)]);
            (Vec::new(), false)
        }
    };
    let lines: Vec<&str> = outcome.lines.iter().chain(&kernel).map(String::as_str).collect();
    let decoded = decode::text(&lines.join("\n"));
    let Some(strongest) = decode::strongest(&decoded.found) else {
        let last = outcome.lines.back().map_or("it said nothing", String::as_str);
        let proof = format!("modprobe: {}: {last}", outcome.status);
        return Failure::new(Reason::ModprobeFailed, proof);
    };
    let proof = named(&decoded, strongest.reason, strongest.strong);
    if strongest.strong {
        return Failure::new(strongest.reason, proof);
    }
    by_facts(run, strongest.reason, &proof, heard, image)
}

/// The lines of a reason, each once.
fn named(decoded: &Decoded, reason: Reason, strong: bool) -> String {
    let mut proofs: Vec<&str> = Vec::new();
    for found in &decoded.found {
        let fits = found.reason == reason && found.strong == strong;
        if fits && proofs.len() < NAMED && !proofs.contains(&found.proof.as_str()) {
            proofs.push(&found.proof);
        }
    }
    proofs.join("; ")
}

/// modprobe's words alone stand for many causes: what can be seen tells them apart.
fn by_facts(run: &Run, reason: Reason, said: &str, heard: bool, image: &Image) -> Failure {
    let unsigned = image.modules.iter().find(|module| module.is_unsigned());
    match reason {
        Reason::NotPermitted => {
            let (reason, proof) = run.node.facts().refused(unsigned.is_some());
            Failure::new(reason, format!("{said}; {proof}"))
        }
        Reason::SignatureKeyUnknown => match unsigned {
            Some(module) => {
                let proof = format!("{said}; `{}` has no signature", module.path.display());
                Failure::new(Reason::SignatureMissing, proof)
            }
            // The kernel has a line for every other reason.
            None if heard => {
                let proof = format!(
                    "{said}; there is a signature, and the kernel's log does not say that its key is unknown"
                );
                Failure::new(Reason::SignatureInvalid, proof)
            }
            None => {
                let proof = format!(
                    "{said}; likely an unknown key: only the kernel's log, which cannot be read, tells it from a wrong signature"
                );
                Failure::new(Reason::SignatureKeyUnknown, proof)
            }
        },
        Reason::NoModuleSupport | Reason::CompressionUnknown => no_such_call(run, reason, said, image),
        Reason::WrongKernel => {
            let packed = image
                .modules
                .iter()
                .find(|module| module.compression == Compression::Gzip);
            match packed {
                Some(module) => {
                    let proof = format!("{said}; `{}` is gzip data", module.path.display());
                    Failure::new(Reason::CompressionUnknown, proof)
                }
                None => Failure::new(reason, said),
            }
        }
        Reason::UnknownSymbol => symbols_or_firmware(run, said, image),
        reason => Failure::new(reason, said),
    }
}

/// modprobe has the same words where the kernel takes no modules, and where modprobe itself cannot unpack a file.
fn no_such_call(run: &Run, reason: Reason, said: &str, image: &Image) -> Failure {
    if let Some((reason, proof)) = run.node.facts().no_modules() {
        return Failure::new(reason, format!("{said}; {proof}"));
    }
    let packed = image
        .modules
        .iter()
        .find(|module| module.compression != Compression::None);
    match (packed, reason) {
        (Some(module), _) => {
            let proof = format!(
                "{said}; /proc/modules is there, and `{}` is compressed",
                module.path.display()
            );
            Failure::new(Reason::CompressionUnknown, proof)
        }
        (None, Reason::NoModuleSupport) => {
            let proof = format!(
                "{said}; /proc/modules is there and nothing is compressed: a filter of system calls may have answered"
            );
            Failure::new(Reason::NotPermitted, proof)
                .mended_by("Look at the seccomp profile of the container.")
        }
        (None, reason) => Failure::new(reason, said),
    }
}

/// "Unknown symbol" are modprobe's words for `ENOENT`, which a module also gives when its firmware is missing.
fn symbols_or_firmware(run: &Run, said: &str, image: &Image) -> Failure {
    let exported = |name: &str| {
        let objects = image.modules.iter().filter_map(|module| module.object.as_ref());
        objects
            .flat_map(|object| &object.exports)
            .any(|export| export.name == name)
    };
    let wanted: Vec<&str> = image
        .modules
        .iter()
        .filter_map(|module| module.object.as_ref())
        .flat_map(|object| &object.imports)
        .filter(|import| !import.weak && !exported(&import.name))
        .map(|import| import.name.as_str())
        .collect();
    let Some(known) = run.node.symbols(&wanted) else {
        return Failure::new(Reason::UnknownSymbol, said);
    };
    let mut missing: Vec<&str> = wanted.into_iter().filter(|name| !known.contains(name)).collect();
    missing.sort_unstable();
    missing.dedup();
    missing.truncate(NAMED);
    if !missing.is_empty() {
        let proof = format!("{said}; /proc/kallsyms has no {}", missing.join(", "));
        return Failure::new(Reason::UnknownSymbol, proof);
    }
    let firmware: Vec<String> = image
        .modules
        .iter()
        .filter_map(|module| module.object.as_ref())
        .flat_map(|object| object.info.values("firmware").map(std::borrow::Cow::into_owned))
        .take(NAMED)
        .collect();
    if firmware.is_empty() {
        return Failure::new(Reason::UnknownSymbol, said);
    }
    let files = firmware.join(", ");
    let proof = format!("{said}; every symbol is there, and the module asks for the firmware {files}");
    Failure::new(Reason::FirmwareMissing, proof)
}
