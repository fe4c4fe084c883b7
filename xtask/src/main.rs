//! Developer commands: `cargo xtask test`, `cargo xtask bench`, ...
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a developer's tool speaks on the terminal"
)]

mod bench;
mod cluster;
mod demo;
mod differential;
mod generate;
mod image_checks;
mod kernels;
mod kmods;
mod layers;
mod oracle;
mod registry;
mod soak;
mod steps;
mod test;
mod vm;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo                   run kmm on the examples
  test                   set up the real parts, then run every test
  differential [N [S]]   compare with Go on N random inputs of each kind, from seed S
  kmods HEADERS          compile the test modules against a folder of kernel headers, and print where they are
  image-checks           check images made from the test modules
  kernels                compare modinfo and depmod with kmod's on complete Debian kernels
  vm [NAME...]           run the worker's scenarios, or those named, on real kernels in virtual machines
  vm --shell [KERNEL]    a shell in such a machine
  registry               try Debian's docker-registry in every form that the tests use
  cluster                start a Kubernetes control plane, install the CRDs, and try the examples on it
  operator               run the operator on such a control plane: the life of a Module, and a takeover
  layers                 compare images with what umoci unpacks, in every form that skopeo and buildah make
  soak [N]               a million (or N) schedules of faults against the operator's decisions, other ones each time
  soak --seed SEED       one of them, told step by step where something does not hold
  soak --mistakes        see that each seeded mistake in the decisions is found
  bench                  run the benchmarks and print the ratios
  generate [--check]     write the generated documents, or check that they are up to date
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["demo"] => demo::run(demo::Output::Shown),
        ["test"] => test::run(),
        ["differential", rest @ ..] => differential::command(rest),
        ["kernels"] => kernels::set_up().and_then(|parts| kernels::compare(&parts)),
        ["vm", rest @ ..] => vm::command(rest),
        ["kmods", headers] => {
            kmods::build(std::path::Path::new(headers)).map(|folder| println!("{}", folder.display()))
        }
        ["image-checks"] => kernels::set_up().and_then(|parts| image_checks::compare(&parts.headers)),
        ["registry"] => registry::check(),
        ["cluster"] => cluster::command(),
        ["operator"] => cluster::operator(),
        ["layers"] => layers::set_up().and_then(|parts| layers::compare(&parts)),
        [layers::READ, reference] => layers::read(reference),
        ["soak", rest @ ..] => soak::command(rest),
        ["bench", "layers"] => layers::set_up().and_then(|_| layers::measure()),
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
