//! `kmm coverage`.

use anyhow::Result;
use anyhow::bail;
use kmm_core::resolve::Coverage as Answers;
use kmm_core::resolve::Fleet;
use serde::Serialize;

use crate::cli::Coverage;
use crate::exit::ExitStatus;
use crate::manifests;
use crate::printer::Printer;
use crate::render::printable;

#[derive(Serialize)]
struct Answer {
    version: u32,
    #[serde(flatten)]
    coverage: Answers,
}

pub fn run(arguments: &Coverage, printer: &Printer) -> Result<ExitStatus> {
    let mut loaded = manifests::load(&arguments.manifests, printer)?;
    if let Some(path) = &arguments.nodes {
        loaded.nodes.extend(manifests::read_nodes(path)?);
    }
    if loaded.nodes.is_empty() && arguments.kernels.is_empty() {
        bail!("no kernels to look at: give --nodes FILE or -k KERNEL");
    }
    let mut fleet = Fleet::of_nodes(&loaded.nodes);
    for kernel in &arguments.kernels {
        fleet.add_kernel(kernel);
    }
    let coverage = Answers::new(&loaded.modules, &fleet);
    let status = if coverage.is_complete() {
        ExitStatus::Yes
    } else {
        ExitStatus::No
    };
    match arguments.output.structured() {
        Some(format) => printer.document(format, &Answer { version: 1, coverage })?,
        None => {
            let lines = coverage.to_string();
            let lines = lines.lines().map(|line| printable(line) + "\n");
            printer.data(&lines.collect::<String>())?;
        }
    }
    Ok(status)
}
