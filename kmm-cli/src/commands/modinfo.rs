//! `kmm modinfo`.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::depmod::BinaryIndex;
use kmm_core::kmod;
use kmm_core::kmod::ModuleInfo;
use kmm_core::kmod::Rendering;
use kmm_files::ObjectError;
use kmm_files::ObjectReader;
use kmm_files::in_parallel;
use serde::Serialize;
use serde_json::Value;

use crate::cli::Modinfo;
use crate::exit::ExitStatus;
use crate::input;
use crate::printer::Printer;
use crate::render::printable;

/// Modules that are looked for and read before what they say is printed: memory for them is needed once.
const BATCH: usize = 64;

#[derive(Serialize)]
struct Answer {
    version: u32,
    modules: Vec<Value>,
}

/// A module to be read.
struct Wanted {
    /// As it was given, for messages.
    given: String,
    /// As `modinfo` prints it.
    name: String,
    /// `None` is standard input.
    path: Option<PathBuf>,
}

/// What was found in one file.
struct Found {
    text: Vec<u8>,
    json: Option<Value>,
    complaints: Vec<String>,
    status: ExitStatus,
}

pub fn run(arguments: &Modinfo, printer: &Printer) -> Result<ExitStatus> {
    let rendering = Rendering {
        field: field(arguments),
        nul: arguments.null,
    };
    let format = arguments.output.structured();
    let mut status = ExitStatus::Yes;
    let mut modules = Vec::new();
    for names in arguments.modules.chunks(BATCH) {
        let (mut batch, mut out) = (Vec::new(), Vec::new());
        for name in names {
            match find(name, arguments) {
                Ok(found) => batch.push(found),
                Err(error) => {
                    printer.notice(&format!("kmm: {}", printable(&format!("{error:#}"))));
                    status = ExitStatus::Unanswered;
                }
            }
        }
        for found in in_parallel(&batch, |wanted, reader| {
            read(wanted, &rendering, format.is_some(), reader)
        }) {
            out.extend(found.text);
            modules.extend(found.json);
            for complaint in found.complaints {
                printer.notice(&format!("kmm: {}", printable(&complaint)));
            }
            status = worse(status, found.status);
        }
        if format.is_none() {
            printer.bytes(&out)?;
        }
    }
    // What cannot be read at all gives no document.
    if let Some(format) = format.filter(|_| status != ExitStatus::Unanswered) {
        printer.document(format, &Answer { version: 1, modules })?;
    }
    Ok(status)
}

fn field(arguments: &Modinfo) -> Option<String> {
    let short = [
        (arguments.author, "author"),
        (arguments.description, "description"),
        (arguments.license, "license"),
        (arguments.parameters, "parm"),
        (arguments.filename, "filename"),
    ];
    let chosen = short.into_iter().find(|(given, _)| *given);
    arguments
        .field
        .clone()
        .or(chosen.map(|(_, field)| field.to_owned()))
}

fn worse(one: ExitStatus, other: ExitStatus) -> ExitStatus {
    match (one, other) {
        (ExitStatus::Unanswered, _) | (_, ExitStatus::Unanswered) => ExitStatus::Unanswered,
        (ExitStatus::No, _) | (_, ExitStatus::No) => ExitStatus::No,
        (ExitStatus::Yes, ExitStatus::Yes) => ExitStatus::Yes,
    }
}

/// A file, where there is one or the argument can be nothing else; else the module of that name in the tree.
fn find(name: &str, arguments: &Modinfo) -> Result<Wanted> {
    if name == "-" && !arguments.modname {
        return Ok(Wanted {
            given: input::STDIN.to_owned(),
            name: input::STDIN.to_owned(),
            path: None,
        });
    }
    let is_path = || name.contains('/') || Path::new(name).is_file();
    if !arguments.modname && is_path() {
        return in_folder(name);
    }
    let root = super::depmod::tree_folder(&arguments.basedir, arguments.set_version.as_deref())?;
    let index = root.join("modules.dep.bin");
    let bytes = kmm_files::text(&index);
    let bytes = bytes.with_context(|| {
        format!(
            "`{name}` is no file, and `{}` could not be read to look for a module of that name",
            index.display()
        )
    })?;
    let found = BinaryIndex::parse(&bytes).and_then(|index| index.dependencies(name));
    match found.with_context(|| format!("`{}` is damaged", index.display()))? {
        Some(module) => in_folder(&root.join(module.path).to_string_lossy()),
        None => bail!(
            "`{name}` is no file, and `{}` has no module of that name",
            root.display()
        ),
    }
}

/// The file as `modinfo` names it: from the root on, the rest as it was given.
fn in_folder(given: &str) -> Result<Wanted> {
    let path = if given.starts_with('/') {
        given.to_owned()
    } else {
        let here = std::env::current_dir().context("there is no current folder")?;
        format!("{}/{given}", here.display())
    };
    Ok(Wanted {
        given: given.to_owned(),
        path: Some(PathBuf::from(&path)),
        name: path,
    })
}

fn read(wanted: &Wanted, rendering: &Rendering, as_json: bool, reader: &mut ObjectReader) -> Found {
    let (name, given) = (wanted.name.as_str(), wanted.given.as_str());
    let mut found = Found {
        text: Vec::new(),
        json: None,
        complaints: Vec::new(),
        status: ExitStatus::Yes,
    };
    // Nothing has to be read to say the name of a file that is there.
    if rendering.field.as_deref() == Some("filename")
        && wanted.path.as_ref().is_some_and(|path| path.is_file())
    {
        found.text = rendering.heading(name);
        return found;
    }
    let info = match &wanted.path {
        Some(path) => reader.read(path, ModuleInfo::read_from),
        None => reader.read_from(io::stdin().lock(), ModuleInfo::read_from),
    };
    match info {
        Ok(info) if as_json => {
            let mut value = kmod::json(name, &info);
            value["error"] = Value::Null;
            found.json = Some(value);
        }
        Ok(info) => {
            found.text = rendering.text(name, &info);
            let bad = info.bad_parameters();
            found.complaints = bad
                .map(|pair| format!("`{given}`: left out, as there is no `:` in it: {pair}"))
                .collect();
        }
        Err(ObjectError::Io(error)) => {
            found
                .complaints
                .push(format!("could not read `{given}`: {error}"));
            found.status = ExitStatus::Unanswered;
        }
        Err(error) => {
            found.text = rendering.heading(name);
            found.complaints.push(format!("`{given}`: {error}"));
            found.status = ExitStatus::No;
            found.json = Some(serde_json::json!({
                "filename": name, "fields": {}, "parameters": [], "signature": null, "error": error.to_string(),
            }));
        }
    }
    found
}
