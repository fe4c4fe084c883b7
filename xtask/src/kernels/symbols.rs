//! Imports, exports and verdicts of whole kernels, against `modprobe`, `Module.symvers` and `depmod`.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::depmod::Finding;
use kmm_core::kmod::KernelObject;
use kmm_core::kmod::Symvers;
use kmm_core::kmod::abi;
use kmm_core::kmod::abi::Kernel;
use kmm_core::kmod::abi::Refusal;
use kmm_core::kmod::unpack;
use kmm_files::Decompressors;

/// Compares the checksums of imports with `modprobe --dump-modversions`; gives their number.
pub(crate) fn imports(files: &[PathBuf], objects: &[KernelObject]) -> Result<usize> {
    let mut count = 0;
    for (file, object) in files.iter().zip(objects) {
        let out = Command::new("modprobe")
            .arg("--dump-modversions")
            .arg(file)
            .output();
        let out = out.context("could not start `modprobe`")?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let theirs: BTreeSet<&str> = text.lines().collect();
        let known = object
            .imports
            .iter()
            .filter_map(|import| Some((import.name.as_str(), import.crc?)));
        let layout = object.module_layout.map(|crc| ("module_layout", crc));
        let ours: BTreeSet<String> = known
            .chain(layout)
            .map(|(name, crc)| format!("{crc:#010x}\t{name}"))
            .collect();
        let ours: BTreeSet<&str> = ours.iter().map(String::as_str).collect();
        if theirs != ours {
            let difference: Vec<_> = theirs.symmetric_difference(&ours).take(6).collect();
            bail!(
                "`{}`: checksums of imports differ: {difference:?}",
                file.display()
            );
        }
        count += ours.len();
    }
    Ok(count)
}

/// Compares exports with what the kernel's own `Module.symvers` says of its modules; gives their number.
pub(crate) fn exports(objects: &[KernelObject], symvers: &Symvers) -> Result<usize> {
    let line = |name: &str, crc: u32, gpl: bool, namespace: Option<&str>, owner: &str| {
        format!(
            "{name} {crc:#010x} {gpl} {} {owner}",
            namespace.unwrap_or_default()
        )
    };
    let built = symvers.entries.iter().filter(|entry| entry.owner != "vmlinux");
    let theirs: BTreeSet<String> = built
        .map(|entry| {
            let owner = entry
                .owner
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .replace('-', "_");
            line(
                &entry.name,
                entry.crc,
                entry.gpl_only,
                entry.namespace.as_deref(),
                &owner,
            )
        })
        .collect();
    let own = objects
        .iter()
        .flat_map(|object| object.exports.iter().map(move |export| (object, export)));
    let ours: BTreeSet<String> = own
        .map(|(object, export)| {
            let crc = export.crc.unwrap_or_default();
            line(
                &export.name,
                crc,
                export.gpl_only,
                export.namespace.as_deref(),
                &object.name,
            )
        })
        .collect();
    // Debian leaves some modules out of its packages: what they export is in Module.symvers only.
    let shipped: BTreeSet<&str> = objects.iter().map(|object| object.name.as_str()).collect();
    let theirs: BTreeSet<String> = theirs
        .into_iter()
        .filter(|line| line.rsplit(' ').next().is_some_and(|own| shipped.contains(own)))
        .collect();
    if theirs != ours {
        let difference: Vec<_> = theirs.symmetric_difference(&ours).take(6).collect();
        bail!(
            "exports differ: {} in Module.symvers, ours {}: {difference:?}",
            theirs.len(),
            ours.len()
        );
    }
    Ok(ours.len())
}

/// Exports must be the same without the symbols that name them, as `strip` leaves modules; gives their number.
pub(crate) fn stripped(files: &[PathBuf], objects: &[KernelObject]) -> Result<usize> {
    const NAME: &[u8] = b"\0__ksymtab_";
    let mut count = 0;
    for (file, object) in files
        .iter()
        .zip(objects)
        .filter(|(_, object)| !object.exports.is_empty())
    {
        let mut bytes = unpack(&fs::read(file)?, &Decompressors)?.into_owned();
        let places: Vec<usize> = bytes
            .windows(NAME.len())
            .enumerate()
            .filter(|(_, w)| *w == NAME)
            .map(|(at, _)| at)
            .collect();
        for at in places {
            let rest = bytes.get_mut(at + 1..).unwrap_or_default();
            // The names of sections stay.
            if !rest.starts_with(b"__ksymtab_gpl\0")
                && !rest.starts_with(b"__ksymtab_strings\0")
                && let Some(first) = rest.first_mut()
            {
                *first = b'x';
            }
        }
        let mut ours = KernelObject::read(&bytes, &Decompressors)?.exports;
        let mut expected = object.exports.clone();
        ours.sort_by(|a, b| a.name.cmp(&b.name));
        expected.sort_by(|a, b| a.name.cmp(&b.name));
        if ours != expected {
            let odd = expected.iter().zip(&ours).find(|(a, b)| a != b);
            bail!(
                "`{}`: {} exports, {} when stripped, such as {odd:?}",
                file.display(),
                expected.len(),
                ours.len()
            );
        }
        count += ours.len();
    }
    Ok(count)
}

/// All modules must load into their own kernel.
pub(crate) fn own_kernel(objects: &[KernelObject], symvers: &Symvers) -> Result<usize> {
    let mut kernel = Kernel::from_symvers(symvers);
    kernel.vermagic = objects.first().and_then(|object| object.info.vermagic());
    for object in objects {
        let verdict = abi::compare(object, &kernel);
        if verdict.loads() != Some(true) {
            bail!("{} does not load into its own kernel: {verdict:?}", object.name);
        }
    }
    Ok(objects.len())
}

/// With another kernel's symbols, the verdicts must name what `depmod` names; gives how many do not load.
pub(crate) fn other_kernel(objects: &[KernelObject], symvers: &Path, findings: &[Finding]) -> Result<usize> {
    let mut symvers = Symvers::parse(&fs::read_to_string(symvers)?)?;
    // Where the other kernel has built in what is a module here, depmod takes the module's symbol and `Kernel` the
    // kernel's own, as the kernel does: so leave those to the modules here.
    let exported: HashSet<&str> = objects
        .iter()
        .flat_map(|object| &object.exports)
        .map(|export| export.name.as_str())
        .collect();
    symvers
        .entries
        .retain(|entry| entry.owner == "vmlinux" && !exported.contains(entry.name.as_str()));
    let mut kernel = Kernel::from_symvers(&symvers);
    for object in objects {
        kernel.add(object);
    }
    kernel.vermagic = objects.first().and_then(|object| object.info.vermagic());
    let mut refused = 0;
    let mut ours = BTreeSet::new();
    for object in objects {
        let verdict = abi::compare(object, &kernel);
        refused += usize::from(verdict.loads() == Some(false));
        for refusal in verdict.refusals {
            match refusal {
                Refusal::UnknownSymbol { name } | Refusal::Checksum { name, .. } => {
                    ours.insert(format!("{} {name}", object.name));
                }
                Refusal::DuplicateExport { .. } | Refusal::Namespace { .. } | Refusal::GplOnly { .. } => {}
                other => bail!("{}: {other}", object.name),
            }
        }
    }
    let name = |path: &str| {
        let base = path.rsplit('/').next().unwrap_or(path);
        base.split('.').next().unwrap_or(base).replace('-', "_")
    };
    let theirs: BTreeSet<String> = findings
        .iter()
        .filter_map(|finding| match finding {
            Finding::UnknownSymbol { path, symbol } | Finding::Disagrees { path, symbol, .. } => {
                Some(format!("{} {symbol}", name(path)))
            }
            _ => None,
        })
        .collect();
    if theirs != ours {
        let difference: Vec<_> = theirs.symmetric_difference(&ours).take(6).collect();
        bail!(
            "{} faults by depmod, ours {}: {difference:?}",
            theirs.len(),
            ours.len()
        );
    }
    Ok(refused)
}
