//! `modinfo` on every module of every kernel.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::kmod::KernelObject;
use kmm_core::kmod::ModuleInfo;
use kmm_core::kmod::Rendering;
use kmm_files::Decompressors;

use crate::kernels::parts::KernelTree;

/// Files of one call.
const BATCH: usize = 400;

/// What is asked of every module: arguments, field and whether lines end in NUL.
const QUESTIONS: [(&[&str], Option<&str>, bool); 10] = [
    (&[], None, false),
    (&["-0"], None, true),
    (&["-F", "parm"], Some("parm"), false),
    (&["-0", "-F", "parm"], Some("parm"), true),
    (&["-F", "parmtype"], Some("parmtype"), false),
    (&["-F", "alias"], Some("alias"), false),
    (&["-F", "filename"], Some("filename"), false),
    (&["-F", "signer"], Some("signer"), false),
    (&["-F", "signature"], Some("signature"), false),
    (&["-F", "no_such_field"], Some("no_such_field"), false),
];

/// Compares `modinfo` with ours, library and built `kmm`, on every module of a tree; gives the number of modules and of bytes compared.
pub(crate) fn compare(files: &[PathBuf], kmm: &Path) -> Result<(usize, usize)> {
    let mut bytes = 0;
    let infos: Result<Vec<_>> = files.iter().map(|file| info(file)).collect();
    let infos = infos?;
    for (arguments, field, nul) in QUESTIONS {
        let rendering = Rendering {
            field: field.map(str::to_owned),
            nul,
        };
        for (batch, infos) in files.chunks(BATCH).zip(infos.chunks(BATCH)) {
            let theirs = modinfo(Command::new("modinfo"), arguments, batch)?;
            let mut own = Command::new(kmm);
            own.arg("modinfo");
            if theirs != modinfo(own, arguments, batch)? {
                bail!("modinfo {arguments:?}: the built kmm prints something else");
            }
            let each = batch
                .iter()
                .zip(infos)
                .map(|(file, info)| rendering.text(&file.to_string_lossy(), info));
            let ours: Vec<u8> = each.flatten().collect();
            if theirs != ours {
                for (file, info) in batch.iter().zip(infos) {
                    let theirs = modinfo(Command::new("modinfo"), arguments, std::slice::from_ref(file))?;
                    let ours = rendering.text(&file.to_string_lossy(), info);
                    if theirs != ours {
                        let (theirs, ours) =
                            (String::from_utf8_lossy(&theirs), String::from_utf8_lossy(&ours));
                        bail!(
                            "modinfo {arguments:?} {}: real\n{theirs}\nours\n{ours}",
                            file.display()
                        );
                    }
                }
                bail!("modinfo {arguments:?}: one call for many files gives something else than many calls");
            }
            bytes += ours.len();
        }
    }
    Ok((files.len(), bytes))
}

/// Reads every module in full; none of them may be refused, and what two readers see must be the same.
pub(crate) fn read_all(tree: &KernelTree, files: &[PathBuf]) -> Result<Vec<KernelObject>> {
    let objects = files.iter().map(|file| {
        let bytes = fs::read(file)?;
        KernelObject::read(&bytes, &Decompressors)
            .with_context(|| format!("could not read `{}`", file.display()))
    });
    objects.collect::<Result<_>>().with_context(|| tree.name.clone())
}

fn info(file: &Path) -> Result<ModuleInfo> {
    let bytes = fs::read(file)?;
    ModuleInfo::read(&bytes, &Decompressors).with_context(|| format!("could not read `{}`", file.display()))
}

fn modinfo(mut program: Command, arguments: &[&str], files: &[PathBuf]) -> Result<Vec<u8>> {
    let out = program
        .args(arguments)
        .args(files)
        .output()
        .with_context(|| format!("could not start {:?}", program.get_program()))?;
    Ok(out.stdout)
}
