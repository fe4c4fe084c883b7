//! The answer of `kmm image check` for people.

use std::fmt::Write;

use annotate_snippets::Group;
use annotate_snippets::Level;
use annotate_snippets::Renderer;
use kmm_core::image::Fit;

use crate::render::printable;

use super::answer::Answer;
use super::answer::Checked;
use super::answer::Diagnostic;
use super::answer::Module;

/// Modules that are listed of one image; an image of all modules of a distribution has thousands.
const MOST_MODULES: usize = 20;

pub fn results(answer: &Answer) -> String {
    answer.results.iter().map(result).collect()
}

/// `2 images: 1 fits, 1 does not fit; 1 error, 0 warnings, 2 notes`.
pub fn summary(answer: &Answer) -> String {
    let count = |fit: Fit| answer.results.iter().filter(|result| result.fit == fit).count();
    let verdicts = [
        (count(Fit::Fits), "fit"),
        (count(Fit::DoesNotFit), "not"),
        (count(Fit::Unknown), "unknown"),
    ];
    let verdicts: Vec<String> = verdicts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| match (number, *word) {
            (1, "fit") => "1 fits".to_owned(),
            (1, "not") => "1 does not fit".to_owned(),
            (_, "fit") => format!("{number} fit"),
            (_, "not") => format!("{number} do not fit"),
            (_, word) => format!("{number} {word}"),
        })
        .collect();
    let severity = |word: &str| {
        let results = answer.results.iter().flat_map(|result| &result.diagnostics);
        let number = results.filter(|found| found.severity == word).count();
        plural(number, word)
    };
    format!(
        "{}: {}; {}, {}, {}",
        plural(answer.results.len(), "check"),
        verdicts.join(", "),
        severity("error"),
        severity("warning"),
        severity("note")
    )
}

fn plural(number: usize, word: &str) -> String {
    match number {
        1 => format!("1 {word}"),
        _ => format!("{number} {word}s"),
    }
}

fn result(result: &Checked) -> String {
    let mut out = String::new();
    let image = result.image.as_deref().unwrap_or("no image");
    let kernel = match &result.kernel {
        Some(kernel) => format!("kernel {kernel}"),
        None => "no kernel".to_owned(),
    };
    let module = result
        .module
        .as_ref()
        .map(|module| format!("{}/{}, ", module.namespace, module.name));
    let verdict = result.verdict.replace('-', " ");
    let line = format!("{image} ({}{kernel}): {verdict}", module.unwrap_or_default());
    let _ = writeln!(out, "{}", printable(&line));
    let needed = result.modules.iter().filter(|module| module.needed);
    for module in needed.clone().take(MOST_MODULES) {
        let _ = writeln!(out, "  {}", printable(&line_of(module)));
    }
    let shown = needed.count().min(MOST_MODULES);
    let rest = result.modules.len() - shown;
    if rest > 0 {
        let more = if shown > 0 { " more" } else { "" };
        let _ = writeln!(out, "  {}{more}", plural(rest, "module"));
    }
    out.push('\n');
    for found in &result.diagnostics {
        out.push_str(&diagnostic(found));
        out.push_str("\n\n");
    }
    out
}

fn line_of(module: &Module) -> String {
    let mut line = module.name.clone();
    if let Some(version) = &module.version {
        let _ = write!(line, " {version}");
    }
    line.push_str(match module.loads {
        Some(true) => ": loads",
        Some(false) => ": will not load",
        None => ": not known whether it loads",
    });
    match &module.signature {
        None => line.push_str(", not signed"),
        Some(signature) => {
            let _ = write!(line, ", signed by `{}`", signature.signer);
            if let Some(detail) = &signature.detail {
                let _ = write!(line, " ({detail})");
            }
        }
    }
    line
}

fn diagnostic(found: &Diagnostic) -> String {
    let level = match found.severity.as_str() {
        "error" => Level::ERROR,
        "warning" => Level::WARNING,
        _ => Level::NOTE,
    };
    let title = format!("{}: {}", printable(&found.path), printable(&found.message));
    let mut group = Group::with_title(level.primary_title(title).id(found.code));
    if let Some(help) = &found.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    Renderer::styled().render(&[group])
}
