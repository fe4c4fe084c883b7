//! `kmm depmod`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::depmod::Config;
use kmm_core::depmod::DepmodError;
use kmm_core::depmod::Finding;
use kmm_core::depmod::Index;
use kmm_core::depmod::KernelSymbols;
use kmm_core::depmod::ModuleTree;
use kmm_core::depmod::Options;
use kmm_files::FolderTree;
use kmm_files::LARGEST_TEXT;
use kmm_files::depmod_configuration;
use kmm_files::in_parallel;
use kmm_files::write_index;

use crate::cli::Depmod;
use crate::cli::KmodFormat;
use crate::exit::ExitStatus;
use crate::input;
use crate::printer::Printer;
use crate::render::printable;

/// Symbols that are named in one line.
const NAMED: usize = 10;

pub fn run(arguments: &Depmod, printer: &Printer) -> Result<ExitStatus> {
    let root = tree_folder(&arguments.basedir, arguments.version.as_deref())?;
    let version = root.file_name().unwrap_or_default().to_string_lossy();
    let warn = |text: &str| printer.notice(&format!("kmm: warning: {}", printable(text)));
    let config =
        depmod_configuration(&version, &arguments.config).context("could not read the configuration")?;
    config.complaints.iter().for_each(|complaint| warn(complaint));
    let options = options(arguments, &root, &warn)?;
    let tree = FolderTree::open(&root, &config);
    let tree = tree.with_context(|| format!("could not list `{}`", root.display()))?;
    tree.complaints.iter().for_each(|complaint| warn(complaint));
    if arguments.quick && is_current(&root, &tree, &config) {
        return Ok(ExitStatus::Yes);
    }
    let index = match Index::build(&tree, &config, &options) {
        Err(error @ DepmodError::Cycles { .. }) => {
            printer.notice(&format!("kmm: {}", printable(&error.to_string())));
            return Ok(ExitStatus::No);
        }
        built => built?,
    };
    let found = if arguments.show {
        let (text, found) = index.shown()?;
        printer.bytes(&text)?;
        found
    } else {
        let made = in_parallel(&index.kinds(), |kind, _| index.file(*kind));
        let made: Result<Vec<_>, DepmodError> = made.into_iter().collect();
        let (files, found): (Vec<_>, Vec<_>) = made?.into_iter().unzip();
        write_index(&root, &files)?;
        found.concat()
    };
    let is_symbol =
        |finding: &&Finding| matches!(finding, Finding::UnknownSymbol { .. } | Finding::Disagrees { .. });
    for finding in index.findings().iter().chain(&found) {
        if !is_symbol(&finding) {
            warn(&finding.to_string());
        }
    }
    let wrong = symbols(index.findings().iter().filter(is_symbol));
    for line in &wrong {
        printer.notice(&printable(line));
    }
    if wrong.is_empty() {
        return Ok(ExitStatus::Yes);
    }
    let count = format!("{} of {} modules do not fit the kernel", wrong.len(), index.len());
    printer.notice(&count);
    Ok(ExitStatus::No)
}

/// `BASE/lib/modules/VERSION`, of the running kernel where no version is given.
pub fn tree_folder(base: &Path, version: Option<&str>) -> Result<PathBuf> {
    let running = "/proc/sys/kernel/osrelease";
    let version = match version {
        Some(version) => version.to_owned(),
        None => fs::read_to_string(running)
            .with_context(|| format!("no version is given, and `{running}` could not be read"))?,
    };
    let version = version.trim_end_matches('\n');
    if version.is_empty() || version.contains('/') || matches!(version, "." | "..") {
        bail!("`{version}` is no kernel version: it names a folder in lib/modules");
    }
    let base = std::path::absolute(base).with_context(|| format!("`{}` is no folder", base.display()))?;
    Ok(base.join("lib/modules").join(version))
}

fn options(arguments: &Depmod, root: &Path, warn: &dyn Fn(&str)) -> Result<Options> {
    let prefix = match arguments.symbol_prefix.map(u8::try_from) {
        Some(Ok(prefix)) if prefix.is_ascii() => Some(prefix),
        None => None,
        Some(_) => bail!("the prefix of symbols (-P) is one ASCII character"),
    };
    let symbols = |path: &Path| input::read_bytes(path, LARGEST_TEXT).map(|(_, bytes)| bytes);
    let kernel = match (&arguments.symvers, &arguments.filesyms) {
        (Some(path), _) => Some(KernelSymbols::from_symvers(&symbols(path)?)),
        (None, Some(path)) => Some(KernelSymbols::from_system_map(&symbols(path)?)),
        (None, None) => None,
    };
    for complaint in kernel.iter().flat_map(|kernel| &kernel.complaints) {
        warn(complaint);
    }
    Ok(Options {
        root: root.to_string_lossy().into_owned(),
        gzip: arguments.gzip,
        weak_dependencies: arguments.format == KmodFormat::V33,
        warn_duplicates: arguments.warn,
        symbol_prefix: prefix,
        // Without -e they decide nothing.
        kernel: kernel.filter(|_| arguments.errsyms),
    })
}

/// Whether no module is newer than `modules.dep`.
fn is_current(root: &Path, tree: &FolderTree, config: &Config) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let Some(written) = changed(&root.join("modules.dep")) else {
        return false;
    };
    let files = tree.files(config);
    let mut modules = files.iter().filter(|file| {
        let name = file.rsplit('/').next().unwrap_or(file);
        name.contains(".ko")
    });
    modules.all(|file| changed(&root.join(file)).is_some_and(|time| time <= written))
}

/// One line for each module that misses symbols or has others, in the order of the findings.
fn symbols<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<String> {
    let mut modules: BTreeMap<&str, (usize, Vec<&str>, Vec<&str>)> = BTreeMap::new();
    for (number, finding) in findings.enumerate() {
        match finding {
            Finding::UnknownSymbol { path, symbol } => {
                let entry = modules.entry(path).or_insert((number, Vec::new(), Vec::new()));
                entry.1.push(symbol);
            }
            Finding::Disagrees { path, symbol, .. } => {
                let entry = modules.entry(path).or_insert((number, Vec::new(), Vec::new()));
                entry.2.push(symbol);
            }
            _ => {}
        }
    }
    let mut lines: Vec<(usize, String)> = modules
        .into_iter()
        .map(|(path, (number, unknown, other))| {
            let mut line = format!("{path}:");
            for (what, names) in [("missing", unknown), ("with another checksum", other)] {
                if names.is_empty() {
                    continue;
                }
                let part = if line.ends_with(':') { "" } else { ";" };
                let shown: Vec<&str> = names.iter().copied().take(NAMED).collect();
                let plural = if names.len() == 1 { "symbol" } else { "symbols" };
                let _ = write!(
                    line,
                    "{part} {} {plural} {what}: {}",
                    names.len(),
                    shown.join(", ")
                );
                if names.len() > NAMED {
                    let _ = write!(line, " and {} more", names.len() - NAMED);
                }
            }
            (number, line)
        })
        .collect();
    lines.sort_unstable();
    lines.into_iter().map(|(_, line)| line).collect()
}
