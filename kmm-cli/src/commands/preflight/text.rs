//! The answer of `kmm preflight` for people.

use std::fmt::Write;

use kmm_core::preflight::State;
use kmm_core::resolve::ModuleName;

use crate::render::printable;

use super::answer::Answer;
use super::answer::Build;
use super::answer::How;

/// Lines that are shown of why an image does not fit.
const MOST_LINES: usize = 20;

/// Kernel by kernel; each under its name where there are several.
pub fn answer(answer: &Answer) -> String {
    let several = answer.kernels.len() > 1;
    let mut out = String::new();
    for (number, kernel) in answer.kernels.iter().enumerate() {
        if several {
            let gap = if number > 0 { "\n" } else { "" };
            let _ = writeln!(out, "{gap}{}", printable(&format!("kernel {kernel}")));
        }
        of_kernel(answer, kernel, if several { "  " } else { "" }, &mut out);
    }
    out
}

fn of_kernel(answer: &Answer, kernel: &str, margin: &str, out: &mut String) {
    let mut line = |indent: &str, text: &str| {
        let margin = if text.is_empty() { "" } else { margin };
        let _ = writeln!(out, "{margin}{indent}{}", printable(text));
    };
    for judged in answer.modules.iter().filter(|judged| judged.kernel == kernel) {
        line("", &format!("{}: {}", name(&judged.module), judged.state));
        if let Some(image) = &judged.image {
            line("  ", image);
        }
        line("  ", &judged.message);
        for why in judged.why.iter().take(MOST_LINES) {
            line("    ", why);
        }
        if judged.why.len() > MOST_LINES {
            line("    ", &format!("and {} more", judged.why.len() - MOST_LINES));
        }
    }
    let mut builds = answer
        .to_build
        .iter()
        .filter(|build| build.kernel == kernel)
        .peekable();
    if builds.peek().is_some() {
        line("", "");
        line("", &format!("To build for kernel {kernel}:"));
    }
    for text in builds.flat_map(build_lines) {
        line("  ", &text);
    }
}

fn build_lines(build: &Build) -> Vec<String> {
    let how = match build.how {
        How::Build => "built",
        How::Sign => "signed",
    };
    let users: Vec<String> = build.needed_by.iter().map(name).collect();
    let mut lines = vec![format!("{} ({how} for {})", build.image, users.join(", "))];
    for base in &build.from {
        let there = match base.existence {
            "present" => "",
            "absent" => ", which is not there: making it will fail",
            "unknown" => ", of which its registry says nothing",
            _ => ", which no registry was asked for",
        };
        lines.push(format!("  from {}{there}", base.image));
    }
    lines.extend(build.gaps.iter().map(|gap| format!("  {gap}")));
    lines
}

/// `4 Modules on 6.1.0-38-amd64: 1 ready, 2 must be built, 1 will not load`.
pub fn summary(answer: &Answer, kernel: &str) -> String {
    let here: Vec<State> = answer
        .modules
        .iter()
        .filter(|judged| judged.kernel == kernel)
        .map(|judged| judged.state)
        .collect();
    let counts: Vec<String> = State::ALL
        .iter()
        .map(|wanted| (here.iter().filter(|state| *state == wanted).count(), wanted))
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    let modules = match here.len() {
        1 => "1 Module".to_owned(),
        number => format!("{number} Modules"),
    };
    printable(&format!("{modules} on {kernel}: {}", counts.join(", ")))
}

fn name(module: &ModuleName) -> String {
    format!("{}/{}", module.namespace, module.name)
}
