//! `kmm modprobe`.

use std::fmt::Write;

use anyhow::Result;
use kmm_core::kernel::KernelVersion;
use kmm_core::modprobe::Command;
use kmm_core::modprobe::container_load;
use kmm_core::modprobe::container_unload;
use kmm_core::modprobe::softdep_conf;
use kmm_core::module::Compiled;
use kmm_core::resolve::KernelForms;
use kmm_core::resolve::ModuleName;
use kmm_core::resolve::Record;
use serde::Serialize;

use crate::cli::Form;
use crate::cli::Modprobe;
use crate::exit::ExitStatus;
use crate::manifests;
use crate::printer::Printer;
use crate::render::printable;

#[derive(Serialize)]
struct Answer {
    version: u32,
    results: Vec<Commands>,
}

#[derive(Serialize)]
struct Commands {
    module: ModuleName,
    kernel: KernelForms,
    /// Argv lists, in the order in which they run.
    commands: Vec<Vec<String>>,
    /// What has to stand in `/etc/modprobe.d/softdep.conf` where they run.
    softdep: Option<String>,
    error: Option<String>,
}

pub fn run(arguments: &Modprobe, printer: &Printer) -> Result<ExitStatus> {
    let loaded = manifests::load(&arguments.manifests, printer)?;
    let results: Vec<Commands> = loaded
        .modules
        .iter()
        .flat_map(|module| {
            arguments
                .kernels
                .iter()
                .map(|kernel| commands(module, kernel, arguments))
        })
        .collect();
    let status = if results.iter().all(|result| result.error.is_none()) {
        ExitStatus::Yes
    } else {
        ExitStatus::No
    };
    match arguments.output.structured() {
        Some(format) => printer.document(format, &Answer { version: 1, results })?,
        None => printer.data(&text(&results))?,
    }
    Ok(status)
}

fn commands(module: &Compiled, kernel: &str, arguments: &Modprobe) -> Commands {
    let record = Record::new(module, &KernelVersion::new(kernel));
    let mut result = Commands {
        module: record.module.clone(),
        kernel: KernelForms::new(&record.kernel),
        commands: Vec::new(),
        softdep: None,
        error: None,
    };
    let resolved = match &record.outcome {
        Ok(resolved) => resolved,
        Err(error) => {
            result.error = Some(error.to_string());
            return result;
        }
    };
    let config = resolved.module_config();
    let commands = match (arguments.form, arguments.unload) {
        (Form::Worker, false) => resolved.commands().map(|commands| commands.load),
        (Form::Worker, true) => resolved.commands().map(|commands| commands.unload),
        (Form::Container, false) => Ok(vec![container_load(&config)]),
        (Form::Container, true) => Ok(vec![container_unload(&config)]),
    };
    match commands {
        Ok(commands) => result.commands = commands.iter().map(argv).collect(),
        Err(error) => result.error = Some(error.to_string()),
    }
    let order = config.modprobe.modules_loading_order.unwrap_or_default();
    if !arguments.unload && !order.is_empty() {
        result.softdep = Some(softdep_conf(&order));
    }
    result
}

fn argv(command: &Command) -> Vec<String> {
    command.argv().map(str::to_owned).collect()
}

fn text(results: &[Commands]) -> String {
    let mut out = String::new();
    for (i, result) in results.iter().enumerate() {
        if results.len() > 1 {
            let gap = if i > 0 { "\n" } else { "" };
            let name = format!("{}/{}", result.module.namespace, result.module.name);
            let _ = writeln!(
                out,
                "{gap}# {} on {}",
                printable(&name),
                printable(&result.kernel.raw)
            );
        }
        if let Some(error) = &result.error {
            let _ = writeln!(out, "error: {}", printable(error));
        }
        for line in result.softdep.iter().flat_map(|text| text.lines()) {
            let _ = writeln!(out, "# /etc/modprobe.d/softdep.conf: {}", printable(line));
        }
        for command in &result.commands {
            let (program, args) = command
                .split_first()
                .map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
            let _ = writeln!(out, "{}", printable(&Command::new(program, args).to_shell()));
        }
    }
    out
}
