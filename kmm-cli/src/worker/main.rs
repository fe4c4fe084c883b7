//! `kmm-worker`: loads and unloads a kernel module on a node, and proves that it did.
#![allow(
    unreachable_pub,
    reason = "a binary has no public interface: `pub` means another module of it"
)]

mod arguments;
mod beneath;
mod cause;
mod class_path;
mod copy;
mod failure;
mod firmware;
mod image;
mod in_tree;
mod kernel_log;
mod load;
mod log;
mod node;
mod process;
mod run;
mod unload;
mod users;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use arguments::Request;
use arguments::Verb;
use failure::Failure;
use kmm_core::worker::Kind;
use kmm_core::worker::Reason;
use log::Level;
use run::Run;

fn main() -> ExitCode {
    match arguments::read(std::env::args_os().skip(1)) {
        Ok(Request::Print(text)) => match std::io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(2),
        },
        Ok(Request::Kmod(verb, options)) => kmod(verb, options),
        Ok(Request::Copy { from, to, options }) => copy_files(&from, &to, options),
        Err(error) => {
            let message = format!("{error}; `kmm-worker --help` says what there is");
            log::line(Level::Error, "arguments", &message, &[]);
            ExitCode::from(2)
        }
    }
}

fn kmod(verb: Verb, options: arguments::Options) -> ExitCode {
    let mut run = Run::new(verb.name(), options);
    let ended = match verb {
        Verb::Load => load::load(&mut run),
        Verb::Unload => unload::unload(&mut run),
    };
    code(run.end(ended))
}

fn copy_files(from: &Path, to: &Path, options: arguments::Options) -> ExitCode {
    let mut run = Run::new("copy", options);
    let ended = copied(&mut run, from, to);
    code(run.end(ended))
}

fn copied(run: &mut Run, from: &Path, to: &Path) -> Result<(Reason, String), Failure> {
    run.begin("copy")?;
    let copied = copy::copy(from, to, &|| run.is_to_stop());
    let copied = copied.map_err(|error| Failure::new(error.reason(), error.to_string()))?;
    for link in &copied.left_out {
        run.info("a link to headers is left out", &[("link", link)]);
    }
    let proof = format!(
        "`{}` has {} files, folders and links with {} bytes{}",
        to.display(),
        copied.entries,
        copied.bytes,
        if copied.changed { "" } else { ", as before" }
    );
    Ok((Reason::Copied, proof))
}

fn code(kind: Kind) -> ExitCode {
    match kind {
        Kind::Done => ExitCode::SUCCESS,
        Kind::Failed => ExitCode::from(1),
        Kind::Stopped => ExitCode::from(2),
    }
}
