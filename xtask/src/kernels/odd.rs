//! Trees and inputs that no distribution has, but that a machine can have.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use crate::kernels::builder::Object;
use crate::kernels::depmod;
use crate::kernels::depmod::Case;
use crate::kernels::parts::KernelParts;

/// Compares all of them.
pub(crate) fn compare(parts: &KernelParts, kmm: &Path, work: &Path) -> Result<()> {
    let maps = system_maps(parts, work)?;
    println!("odd inputs: {maps} lines of -e -F with odd System.maps the same");
    linked_trees(work)?;
    earlier_index(kmm, work)?;
    file_names(kmm, work)?;
    Ok(())
}

/// `System.map` of the complete kernel with holes, and with lines that are none; gives the lines compared.
fn system_maps(parts: &KernelParts, work: &Path) -> Result<usize> {
    let tree = parts.kernels.first().context("there is no kernel")?;
    let headers = parts.headers.first().context("there are no headers")?;
    let case = depmod::copy(tree, work)?;
    let symvers = fs::read_to_string(headers.join("Module.symvers"))?;
    let kernel = symvers.lines().filter(|line| line.contains("\tvmlinux\t"));
    let names: Vec<&str> = kernel.filter_map(|line| line.split('\t').nth(1)).collect();
    let mut lines = 0;
    for holes in [7, 97, usize::MAX] {
        let mut text = "ffffffff81000000 T _text\nffffffff81000000 B\n\nno line\n".to_owned();
        for (number, name) in names
            .iter()
            .enumerate()
            .filter(|(number, _)| (number + 1) % holes != 0)
        {
            text += &format!("ffffffff{number:08x} R __ksymtab_{name}\n");
        }
        let map = work.join("System.map");
        fs::write(&map, text)?;
        lines += depmod::compare_symbols(&case, "-F", &map)?.len();
    }
    fs::remove_dir_all(&case.base)?;
    Ok(lines)
}

/// A tree whose folder, whose parts, and whose modules are links.
fn linked_trees(work: &Path) -> Result<()> {
    let case = small(work)?;
    let root = case.root();
    let away = case.base.join("away");
    fs::rename(root.join("kernel"), &away)?;
    symlink(&away, root.join("kernel"))?;
    symlink("kernel/a.ko", root.join("linked.ko"))?;
    symlink("nowhere.ko", root.join("dangling.ko"))?;
    let (mut compared, whole) = (depmod::compare(&case)?, case.base.join("whole"));
    fs::rename(&root, &whole)?;
    symlink(&whole, &root)?;
    compared += depmod::compare(&case)?;
    println!("trees behind links: {compared} bytes the same");
    Ok(())
}

/// What an earlier run left, made of other built-in modules, must make no difference.
fn earlier_index(kmm: &Path, work: &Path) -> Result<()> {
    let case = small(work)?;
    let root = case.root();
    let run = |command: &mut Command| -> Result<Vec<Vec<u8>>> {
        let command = command.arg("-b").arg(&case.base).args(["-C", "/nonexistent"]);
        if !command.arg(&case.version).output()?.status.success() {
            bail!("{:?} fails", command.get_program());
        }
        let files = [
            "dep",
            "dep.bin",
            "alias",
            "alias.bin",
            "builtin.bin",
            "builtin.alias.bin",
        ];
        let files = files.map(|name| Ok(fs::read(root.join(format!("modules.{name}")))?));
        files.into_iter().collect()
    };
    fs::write(
        root.join("modules.builtin.modinfo"),
        "a.alias=built-in\0c.alias=other\0",
    )?;
    let mut runs = Vec::new();
    // `a` is a module of the tree as well.
    for built_in in ["kernel/a.ko\n", "kernel/c.ko\nkernel/d.ko\n", ""] {
        fs::write(root.join("modules.builtin"), built_in)?;
        let theirs = run(&mut Command::new("depmod"))?;
        let ours = run(Command::new(kmm).arg("depmod"))?;
        if theirs != ours || run(&mut Command::new("depmod"))? != ours {
            bail!("with an earlier index and `{built_in:?}` built in, the files differ");
        }
        runs.push(ours);
    }
    runs.dedup();
    if runs.len() != 3 {
        bail!("other built-in modules make no other files");
    }
    println!("an earlier index makes no difference");
    Ok(())
}

/// `modinfo -F filename` looks at no file, but one has to be there.
fn file_names(kmm: &Path, work: &Path) -> Result<()> {
    let text = work.join("text.ko");
    fs::write(&text, "no module")?;
    for path in [text.as_path(), Path::new("/nonexistent/a.ko")] {
        let arguments = ["-F", "filename"];
        let theirs = Command::new("modinfo").args(arguments).arg(path).output()?;
        let ours = Command::new(kmm)
            .arg("modinfo")
            .args(arguments)
            .arg(path)
            .output()?;
        if theirs.stdout != ours.stdout || theirs.status.success() != ours.status.success() {
            bail!(
                "modinfo -F filename {}: {theirs:?}, ours {ours:?}",
                path.display()
            );
        }
    }
    Ok(())
}

/// A tree of two modules, `b` needs `a`.
fn small(work: &Path) -> Result<Case> {
    let case = Case {
        base: work.join("odd"),
        version: "6.1.0-kmm".to_owned(),
        config: None,
    };
    let _ = fs::remove_dir_all(&case.base);
    let folder = case.root().join("kernel");
    fs::create_dir_all(&folder)?;
    let mut a = Object::new(true, false);
    a.modinfo(&["name=a", "license=GPL", "alias=own"]);
    a.exports(&[("one", 1, "", false)]);
    fs::write(folder.join("a.ko"), a.build())?;
    let mut b = Object::new(true, false);
    b.modinfo(&["name=b", "license=GPL", "alias=other"]);
    b.imports(&["one"]);
    fs::write(folder.join("b.ko"), b.build())?;
    Ok(case)
}
