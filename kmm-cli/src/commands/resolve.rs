//! `kmm resolve`.

use std::fmt::Write;

use anyhow::Result;
use kmm_core::kernel::KernelVersion;
use kmm_core::resolve::Record;
use kmm_core::resolve::Resolved;
use serde::Serialize;

use crate::cli::Resolve;
use crate::exit::ExitStatus;
use crate::manifests;
use crate::printer::Printer;
use crate::render::printable;

#[derive(Serialize)]
struct Answer {
    version: u32,
    results: Vec<Record>,
}

pub fn run(arguments: &Resolve, printer: &Printer) -> Result<ExitStatus> {
    let loaded = manifests::load(&arguments.manifests, printer)?;
    let kernels: Vec<KernelVersion> = arguments.kernels.iter().map(KernelVersion::new).collect();
    let results: Vec<Record> = loaded
        .modules
        .iter()
        .flat_map(|module| kernels.iter().map(|kernel| Record::new(module, kernel)))
        .collect();
    let decided = results.iter().all(|record| {
        record
            .outcome
            .as_ref()
            .is_ok_and(|resolved| resolved.commands().is_ok())
    });
    match arguments.output.structured() {
        Some(format) => printer.document(format, &Answer { version: 1, results })?,
        None => {
            let texts: Vec<String> = results.iter().map(text).collect();
            printer.data(&texts.join("\n"))?;
        }
    }
    Ok(if decided { ExitStatus::Yes } else { ExitStatus::No })
}

fn text(record: &Record) -> String {
    let mut out = String::new();
    let name = printable(&format!("{}/{}", record.module.namespace, record.module.name));
    let _ = writeln!(out, "{name} on {}", printable(record.kernel.raw()));
    let mut line = |label: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "  {label:<16}{}", printable(value));
        }
    };
    match &record.outcome {
        Err(error) => line("error", &error.to_string()),
        Ok(resolved) => {
            decided(resolved, &mut line);
            match resolved.commands() {
                Ok(commands) => {
                    commands
                        .load
                        .iter()
                        .for_each(|command| line("load", &command.to_shell()));
                    commands
                        .unload
                        .iter()
                        .for_each(|command| line("unload", &command.to_shell()));
                }
                Err(error) => line("error", &error.to_string()),
            }
        }
    }
    out
}

fn decided(resolved: &Resolved, line: &mut dyn FnMut(&str, &str)) {
    let mapping = &resolved.mapping;
    let by = match (&mapping.literal, &mapping.regexp) {
        (Some(literal), _) => format!("literal {literal}"),
        (None, Some(regexp)) => format!("regexp {regexp}"),
        (None, None) => String::new(),
    };
    line("mapping", &format!("kernelMappings[{}], {by}", mapping.index));
    line("image", &resolved.container_image);
    line("pull policy", &resolved.image_pull_policy);
    if let Some(secret) = &resolved.image_repo_secret {
        line("pull secret", &secret.name);
    }
    let tls = &resolved.registry_tls;
    if tls.insecure {
        line("registry", "plain HTTP allowed");
    }
    if tls.insecure_skip_tls_verify {
        line("registry", "certificate not checked");
    }
    if let Some(build) = &resolved.build {
        line(
            "build",
            &format!(
                "ConfigMap {}",
                build.dockerfile_config_map.clone().unwrap_or_default().name
            ),
        );
    }
    for arg in resolved.build_args().unwrap_or_default() {
        line("build argument", &format!("{}={}", arg.name, arg.value));
    }
    if let Some(sign) = &resolved.sign {
        let key = sign.key_secret.clone().unwrap_or_default().name;
        let cert = sign.cert_secret.clone().unwrap_or_default().name;
        line("sign", &format!("key {key}, certificate {cert}"));
        let from = if resolved.build.is_some() {
            &resolved.container_image
        } else {
            &sign.unsigned_image
        };
        line("unsigned image", from);
        sign.files_to_sign
            .iter()
            .for_each(|file| line("signed file", file));
    }
    line("version", &resolved.module_version);
    line("service account", &resolved.service_account_name);
    line("firmware", &resolved.modprobe.firmware_path);
}
