//! `depmod` on whole kernels and on small trees made at random.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::depmod::Config;
use kmm_core::depmod::DepmodError;
use kmm_core::depmod::Finding;
use kmm_core::depmod::Index;
use kmm_core::depmod::KernelSymbols;
use kmm_core::depmod::Options;
use kmm_files::FolderTree;

use crate::kernels::parts::KernelTree;
use crate::kernels::parts::run;

/// A tree to compare: `base/lib/modules/version`, and the configuration folder if there is one.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) base: PathBuf,
    pub(crate) version: String,
    pub(crate) config: Option<PathBuf>,
}

impl Case {
    pub(crate) fn root(&self) -> PathBuf {
        self.base.join("lib/modules").join(&self.version)
    }

    fn index(&self, kernel: Option<KernelSymbols>) -> Result<Result<Index, DepmodError>> {
        let mut texts = Vec::new();
        if let Some(folder) = &self.config {
            for path in crate::kernels::parts::entries(folder)? {
                texts.push((path.to_string_lossy().into_owned(), fs::read_to_string(&path)?));
            }
        }
        let order = Config::order(texts.iter().map(|(name, _)| name.as_str()));
        let files = order
            .iter()
            .filter_map(|name| texts.iter().find(|(own, _)| own == name));
        let config = Config::parse(
            &self.version,
            files.map(|(name, text)| (name.as_str(), text.as_str())),
        );
        let root = self.root();
        let options = Options {
            root: root.to_string_lossy().into_owned(),
            kernel,
            ..Options::default()
        };
        let tree = FolderTree::open(&root, &config)?;
        Ok(Index::build(&tree, &config, &options))
    }

    fn depmod(&self, arguments: &[&str]) -> Result<Output> {
        self.depmod_within("60", arguments)
    }

    fn depmod_within(&self, seconds: &str, arguments: &[&str]) -> Result<Output> {
        // On some circles the real one runs for ever, and eats memory.
        let mut command = Command::new("timeout");
        command
            .args([seconds, "depmod", "-b"])
            .arg(&self.base)
            .args(arguments);
        // Without a folder of its own, the machine's configuration must not count.
        let none = self.base.join("no-config");
        let config = self.config.clone().unwrap_or(none);
        command.arg("-C").arg(config).arg(&self.version);
        command
            .env("LC_ALL", "C")
            .output()
            .context("could not start `depmod`")
    }
}

/// A copy of a kernel's tree that may be written, made of hard links.
pub(crate) fn copy(tree: &KernelTree, work: &Path) -> Result<Case> {
    // Kernels are compared in parallel: each has its own.
    let base = work.join(format!("copy of {}", tree.name));
    let _ = fs::remove_dir_all(&base);
    let case = Case {
        base,
        version: tree.version.clone(),
        config: None,
    };
    let root = case.root();
    fs::create_dir_all(root.parent().context("a tree has a parent")?)?;
    run(
        "cp",
        &["-al", &tree.modules().to_string_lossy(), &root.to_string_lossy()],
        work,
    )?;
    Ok(case)
}

/// Compares all files that both write, and what both print with `-n`; gives the bytes compared.
pub(crate) fn compare(case: &Case) -> Result<usize> {
    let root = case.root();
    // What an earlier run left would be read: built-in modules are looked up in it.
    for file in crate::kernels::parts::entries(&root)? {
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let source = ["modules.order", "modules.builtin", "modules.builtin.modinfo"].contains(&name.as_str());
        if name.starts_with("modules.") && !source {
            fs::remove_file(&file)?;
        }
    }
    let index = match case.index(None)? {
        Ok(index) => index,
        Err(DepmodError::Cycles { cycles }) => {
            return compare_circles(case, &cycles).map(|()| 0);
        }
        Err(error) => bail!("`{}`: {error}", root.display()),
    };
    let out = case.depmod(&[])?;
    if !out.status.success() {
        bail!(
            "`{}`: the real one fails: {}",
            root.display(),
            String::from_utf8_lossy(&out.stderr)
        );
    }
    let (files, _) = index.files()?;
    let mut compared = 0;
    for file in files {
        let theirs =
            fs::read(root.join(file.name)).with_context(|| format!("the real one wrote no {}", file.name))?;
        if theirs != file.bytes {
            bail!(
                "`{}`: {} differs: {}",
                root.display(),
                file.name,
                difference(&theirs, &file.bytes)
            );
        }
        compared += theirs.len();
    }
    let shown = case.depmod(&["-n"])?.stdout;
    let (ours, _) = index.shown()?;
    if shown != ours {
        bail!("`{}`: -n differs: {}", root.display(), difference(&shown, &ours));
    }
    Ok(compared + shown.len())
}

/// Compares what is said of circles, where the real one gets to say it: where a circle can be entered from another
/// one, it fails an assertion or runs for ever.
fn compare_circles(case: &Case, cycles: &[Vec<String>]) -> Result<()> {
    let out = case.depmod_within("1", &[])?;
    if out.status.success() {
        bail!(
            "`{}`: ours finds {cycles:?}, the real one finds nothing",
            case.root().display()
        );
    }
    let theirs = String::from_utf8_lossy(&out.stderr);
    let [cycle] = cycles else { return Ok(()) };
    // It tells each circle through a module, ours one of them.
    let is_told = theirs.lines().any(|line| {
        let told = line.strip_prefix("depmod: ERROR: Cycle detected: ");
        told.is_some_and(|told| is_same_circle(&told.split(" -> ").collect::<Vec<_>>(), cycle))
    });
    if theirs.contains(" modules in dependency cycles!") && !is_told {
        bail!(
            "`{}`: ours says `{}`, the real one\n{theirs}",
            case.root().display(),
            cycle.join(" -> ")
        );
    }
    Ok(())
}

/// Whether both go round the same way. Where modules that the circle needs are left over as well, the real one turns
/// its list of places to start from, and starts in the middle.
fn is_same_circle(one: &[&str], other: &[String]) -> bool {
    let (Some((_, one)), Some((_, other))) = (one.split_last(), other.split_last()) else {
        return false;
    };
    one.len() == other.len()
        && (0..one.len()).any(|start| one.iter().cycle().skip(start).zip(other).all(|(a, b)| a == b))
}

/// Compares what is missing and differs (`-e -E`, `-e -F`), line by line; gives what it is.
pub(crate) fn compare_symbols(case: &Case, option: &str, file: &Path) -> Result<Vec<Finding>> {
    let text = fs::read(file)?;
    let kernel = match option {
        "-E" => KernelSymbols::from_symvers(&text),
        _ => KernelSymbols::from_system_map(&text),
    };
    let index = case.index(Some(kernel))??;
    let root = format!("{}/", case.root().display());
    let path = file.to_string_lossy();
    let out = case.depmod(&["-n", "-e", option, &path])?;
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    let theirs: Vec<&str> = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("depmod: WARNING: "))
        .map(|line| line.strip_prefix(root.as_str()).unwrap_or(line))
        .filter(|line| line.contains(" unknown symbol ") || line.contains(" disagrees about "))
        .collect();
    let is_symbol =
        |finding: &&Finding| matches!(finding, Finding::UnknownSymbol { .. } | Finding::Disagrees { .. });
    let ours: Vec<String> = index
        .findings()
        .iter()
        .filter(is_symbol)
        .map(ToString::to_string)
        .collect();
    if theirs != ours {
        let (left, right): (BTreeSet<&str>, BTreeSet<&str>) = (
            theirs.iter().copied().collect(),
            ours.iter().map(String::as_str).collect(),
        );
        let only: Vec<_> = left.symmetric_difference(&right).take(10).collect();
        bail!(
            "`{root}`: {option} {path} differs: {} lines, ours {}: {only:?}",
            theirs.len(),
            ours.len()
        );
    }
    Ok(index.findings().to_vec())
}

fn difference(theirs: &[u8], ours: &[u8]) -> String {
    let at = theirs.iter().zip(ours).take_while(|(a, b)| a == b).count();
    let around = |bytes: &[u8]| {
        let part = bytes
            .get(at.saturating_sub(60)..(at + 60).min(bytes.len()))
            .unwrap_or_default();
        String::from_utf8_lossy(part).escape_debug().to_string()
    };
    format!(
        "{} bytes, ours {}; at byte {at}: `{}`, ours `{}`",
        theirs.len(),
        ours.len(),
        around(theirs),
        around(ours)
    )
}
