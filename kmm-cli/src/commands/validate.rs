//! `kmm validate`.

mod fix;

use std::collections::HashMap;

use anyhow::Result;
use anyhow::bail;
use kmm_core::diag::Severity;
use kmm_core::document::Node;
use kmm_core::document::Object;
use kmm_core::path::FieldPath;
use kmm_core::schema;
use kmm_core::validate;
use kmm_core::validate::Cluster;
use kmm_core::validate::Neighbours;
use kmm_core::validate::Surroundings;

use crate::cli::FindingsFormat;
use crate::cli::Validate;
use crate::exit::ExitStatus;
use crate::manifests;
use crate::manifests::File;
use crate::printer::Printer;
use crate::printer::Structured;
use crate::render::Located;
use crate::render::json;
use crate::render::sarif;
use crate::render::text;

pub fn run(arguments: &Validate, printer: &Printer) -> Result<ExitStatus> {
    if let Some(code) = &arguments.explain {
        return explain(code, printer);
    }
    let mut files = manifests::read(&arguments.files)?;
    let old = match &arguments.old {
        Some(path) => manifests::read(std::slice::from_ref(path))?,
        None => Vec::new(),
    };
    let cluster = Cluster {
        kubernetes: arguments.kubernetes,
    };
    let mut findings = examine(&files, &old, &cluster);
    if arguments.fix {
        (files, findings) = fix::apply(
            files,
            findings,
            |files| examine(files, &old, &cluster),
            arguments.unsafe_fixes,
            printer,
        )?;
    }
    print(arguments, &files, &findings, printer)?;
    let worst = if arguments.strict {
        Severity::Warning
    } else {
        Severity::Error
    };
    let refused = findings
        .iter()
        .any(|found| found.located.diagnostic.severity >= worst);
    Ok(if refused { ExitStatus::No } else { ExitStatus::Yes })
}

/// Prints the long text about a code.
pub fn explain(code: &str, printer: &Printer) -> Result<ExitStatus> {
    let Some(text) = validate::explain(code) else {
        bail!("there is no rule `{code}`: codes are KMM and four digits, as the findings show them");
    };
    let heading = format!(
        "{} {} ({})\n\n{}\n\n",
        text.code, text.name, text.severity, text.summary
    );
    printer.data(&(heading + text.explanation.trim() + "\n"))?;
    Ok(ExitStatus::Yes)
}

/// A finding, with what its fix needs.
struct Found {
    located: Located,
    document: Option<usize>,
    base: FieldPath,
}

fn examine(files: &[File], old: &[File], cluster: &Cluster) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    let stored: HashMap<Identity<'_>, &Node> = old
        .iter()
        .flat_map(|file| file.stream.objects())
        .map(|object| (identity(&object), object.node))
        .collect();
    let objects = files.iter().flat_map(|file| file.stream.objects());
    let neighbours = Neighbours::new(objects.map(|object| object.node));
    for (number, file) in files.iter().enumerate() {
        let mut here: Vec<Found> = manifests::reading_findings(file, number)
            .into_iter()
            .map(|(located, document)| Found {
                located,
                document,
                base: FieldPath::root(),
            })
            .collect();
        for object in file.stream.objects() {
            let around = Surroundings {
                neighbours: Some(&neighbours),
                old: stored.get(&identity(&object)).copied(),
                cluster: Some(cluster),
            };
            for diagnostic in validate::examine(object.node, &around) {
                here.push(Found {
                    located: manifests::locate(files, number, &object, diagnostic),
                    document: Some(object.document),
                    base: object.base.clone(),
                });
            }
        }
        here.sort_by_key(|found| (found.located.span.start, found.located.diagnostic.code));
        all.extend(here);
    }
    all
}

type Identity<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

fn identity<'a>(object: &Object<'a>) -> Identity<'a> {
    (object.kind, object.namespace, object.name)
}

fn print(arguments: &Validate, files: &[File], findings: &[Found], printer: &Printer) -> Result<()> {
    let located = || findings.iter().map(|found| &found.located);
    match arguments.output {
        FindingsFormat::Json => printer.document(Structured::Json, &json::report(located(), files)),
        FindingsFormat::Sarif => printer.document(Structured::Json, &sarif::log(located(), files)),
        FindingsFormat::Text => {
            let mut out = String::new();
            for found in located() {
                out.push_str(&text::finding(found, &files[found.source].source));
                out.push_str("\n\n");
            }
            // With --fix, standard output may hold the fixed manifest.
            if arguments.fix && files.iter().any(File::is_stdin) {
                printer.notice(out.trim_end());
            } else {
                printer.data(&out)?;
            }
            printer.notice(&summary(files.len(), findings));
            if findings.is_empty() && !files.iter().any(holds_anything) {
                printer.notice("kmm: nothing was checked: the files hold no object of the operator");
            }
            Ok(())
        }
    }
}

/// Whether something in the file is checked: an object of the operator, or what may hold a Dockerfile.
fn holds_anything(file: &File) -> bool {
    let mut objects = file.stream.objects();
    objects.any(|object| object.kind == "ConfigMap" || schema::identify(object.node).is_ok())
}

fn summary(files: usize, findings: &[Found]) -> String {
    let count = |severity: Severity| {
        findings
            .iter()
            .filter(|found| found.located.diagnostic.severity == severity)
            .count()
    };
    let plural = |number: usize, word: &str| match number {
        1 => format!("1 {word}"),
        _ => format!("{number} {word}s"),
    };
    let counts = [
        plural(count(Severity::Error), "error"),
        plural(count(Severity::Warning), "warning"),
        plural(count(Severity::Note), "note"),
    ];
    format!("{}: {}", plural(files, "file"), counts.join(", "))
}
