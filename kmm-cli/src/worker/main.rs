//! `kmm-worker`: loads and unloads a kernel module on a node, and proves that it did.
#![allow(
    unreachable_pub,
    reason = "a binary has no public interface: `pub` means another module of it"
)]

mod arguments;
mod cause;
mod class_path;
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

use std::io::Write;
use std::process::ExitCode;

use arguments::Request;
use arguments::Verb;
use kmm_core::worker::Kind;
use log::Level;
use run::Run;

fn main() -> ExitCode {
    match arguments::read(std::env::args_os().skip(1)) {
        Ok(Request::Print(text)) => match std::io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(2),
        },
        Ok(Request::Kmod(verb, options)) => kmod(verb, options),
        Err(error) => {
            let message = format!("{error}; `kmm-worker --help` says what there is");
            log::line(Level::Error, "arguments", &message, &[]);
            ExitCode::from(2)
        }
    }
}

fn kmod(verb: Verb, options: arguments::Options) -> ExitCode {
    let mut run = Run::new(verb, options);
    let ended = match verb {
        Verb::Load => load::load(&mut run),
        Verb::Unload => unload::unload(&mut run),
    };
    match run.end(ended) {
        Kind::Done => ExitCode::SUCCESS,
        Kind::Failed => ExitCode::from(1),
        Kind::Stopped => ExitCode::from(2),
    }
}
