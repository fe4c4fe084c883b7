//! Developer commands: `cargo xtask test`, `cargo xtask bench`, ...
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a developer's tool speaks on the terminal"
)]

mod bench;
mod demo;
mod differential;
mod generate;
mod images;
mod kernels;
mod oracle;
mod steps;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo                   run kmm on the examples
  test                   set up the real parts, then run every test
  differential [N [S]]   compare with Go on N random inputs of each kind, from seed S
  kernels                compare modinfo and depmod with kmod's on complete Debian kernels
  images                 compare images with what umoci unpacks, in every form that skopeo and buildah make
  bench                  run the benchmarks and print the ratios
  generate [--check]     write the generated documents, or check that they are up to date
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["demo"] => demo::run(),
        ["test"] => test::run(),
        ["differential", rest @ ..] => differential::command(rest),
        ["kernels"] => kernels::set_up().and_then(|parts| kernels::compare(&parts)),
        ["images"] => images::set_up().and_then(|parts| images::compare(&parts)),
        [images::READ, reference] => images::read(reference),
        ["bench", "images"] => images::set_up().and_then(|_| images::measure()),
        ["bench", rest @ ..] => bench::run(rest),
        ["generate"] => generate::run(generate::Mode::Write),
        ["generate", "--check"] => generate::run(generate::Mode::Check),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
