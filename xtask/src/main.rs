//! Developer commands: `cargo xtask test`, `cargo xtask bench`, ...
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a developer's tool speaks on the terminal"
)]

mod bench;
mod cluster;
mod cost;
mod demo;
mod deploy;
mod differential;
mod generate;
mod image_checks;
mod image_speed;
mod images;
mod kernels;
mod kmods;
mod layers;
mod node;
mod oracle;
mod podman;
mod preflight;
mod registry;
mod soak;
mod steps;
mod test;
mod vm;
mod worker;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo                   run kmm on the examples
  test                   set up the real parts, then run every test
  differential [N [S]]   compare with Go on N random inputs of each kind, from seed S
  kmods HEADERS          compile the test modules against a folder of kernel headers, and print where they are
  image-checks           check images made from the test modules
  kernels [PART...]      compare modinfo and depmod with kmod's on complete Debian kernels; parts: random, outside,
                         odd, plain, xz, zst, others
  vm [NAME...]           run the worker's scenarios, or those named, on real kernels in virtual machines
  vm --shell [KERNEL]    a shell in such a machine
  worker                 build kmm-worker as it stands in its image, and print its size
  podman                 run kmm-worker in containers, as its guide says
  registry               push images to Debian's docker-registry in every form, and read them back
  preflight              try `kmm preflight` on images of real modules in a registry
  image-memory           how much memory `kmm image check` needs for a large image
  cluster                start a Kubernetes control plane, install the CRDs, and try the examples on it
  operator [PART...]     run the operator on such a control plane; parts: life, takeover, cut,
                         held, owners, halfway, recorded, election, asking
  manifests              render the manifests and the Helm chart with the real tools, compare them, install them, and
                         run the commands of the guides on such a control plane
  images [--quick]       build the images of operator and worker with buildah, and try them; quickly, with an operator
                         that is not optimised
  node [PART...]         the operator, a kubelet and a kernel that takes modules: the whole way of a Module; parts: local
                         (a kubelet on this machine, whose kernel refuses), machine (a virtual one, which takes them)
  layers                 compare images with what umoci unpacks, in every form that skopeo and buildah make
  soak [N]               a million (or N) schedules of faults against the operator's decisions, other ones each time
  soak --seed SEED       one of them, told step by step where something does not hold
  soak --mistakes        see that each seeded mistake in the decisions is found
  bench                  run the benchmarks and print the ratios
  bench images [KMM]     time `kmm image check` of a large image in a registry, beside what people do by hand
  bench worker           measure kmm-worker beside modprobe on a real kernel in a virtual machine
  bench operator [KMM] [NODESxMODULES...]
                         the operator with 200x5 and 400x5, or others, on a real API server: time, writes, CPU, memory
  bench plan             plan clusters of 1,000 to 100,000 nodes: time, peak memory, growth
  generate [--check]     write the generated documents, or check that they are up to date
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["demo"] => demo::run(demo::Output::Shown),
        ["test"] => test::run(),
        ["differential", rest @ ..] => differential::command(rest),
        ["kernels", only @ ..] => kernels::command(only),
        ["vm", rest @ ..] => vm::command(rest),
        ["worker"] => worker::report(),
        ["podman"] => podman::check(),
        ["bench", "worker"] => vm::measure(),
        ["kmods", headers] => {
            kmods::build(std::path::Path::new(headers)).map(|folder| println!("{}", folder.display()))
        }
        ["image-checks"] => kernels::set_up().and_then(|parts| image_checks::compare(&parts.headers)),
        ["preflight"] => kernels::set_up().and_then(|parts| preflight::compare(&parts.headers)),
        ["image-memory"] => kernels::set_up().and_then(|parts| image_speed::bounded(&parts.headers)),
        ["registry"] => layers::set_up().and_then(|images| registry::check(&images)),
        [registry::ASK, rest @ ..] => registry::ask(rest),
        ["cluster"] => cluster::command(),
        ["operator", only @ ..] => cluster::operator(only),
        ["manifests"] => cluster::manifests(),
        ["images"] => images::build(images::Made::ForUse),
        ["images", "--quick"] => images::build(images::Made::ForTests),
        ["node", only @ ..] => node::command(only),
        ["layers"] => layers::set_up().and_then(|parts| layers::compare(&parts)),
        [layers::READ, reference] => layers::read(reference),
        ["bench", "kernels"] => kernels::set_up().and_then(|parts| kernels::measure(&parts)),
        ["soak", rest @ ..] => soak::command(rest),
        ["bench", "layers"] => layers::set_up().and_then(|_| layers::measure()),
        ["bench", "images", kmm @ ..] => kernels::set_up()
            .and_then(|parts| layers::set_up().map(|_| parts))
            .and_then(|parts| image_speed::measure(&parts.headers, kmm.first().copied())),
        ["bench", "operator", rest @ ..] => cluster::scale::bench(rest),
        ["bench", "plan"] => bench::plan(),
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
