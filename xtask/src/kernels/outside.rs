//! Modules of our own, compiled against the headers of each flavour, signed and packed.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::kmod::KernelObject;
use kmm_core::kmod::Symvers;
use kmm_core::kmod::Vermagic;
use kmm_core::kmod::abi;
use kmm_core::kmod::abi::Kernel;
use kmm_core::kmod::abi::Refusal;
use kmm_files::Decompressors;

use crate::kernels::depmod;
use crate::kernels::depmod::Case;
use crate::kernels::modinfo;
use crate::kernels::parts::KernelParts;
use crate::kernels::parts::run;

const FILES: [(&str, &str); 4] = [
    (
        "kmm_ci_b.c",
        include_str!("../../../kmm-core/tests/data/kmod/kmm_ci_b.c"),
    ),
    (
        "kmm_ci_a.c",
        include_str!("../../../kmm-core/tests/data/kmod/kmm_ci_a.c"),
    ),
    (
        "kmm_ci_fw.c",
        include_str!("../../../kmm-core/tests/data/kmod/kmm_ci_fw.c"),
    ),
    ("Kbuild", "obj-m := kmm_ci_a.o kmm_ci_b.o kmm_ci_fw.o\n"),
];

/// Builds the modules for every flavour, then compares them and crosses them with every flavour.
pub(crate) fn compare(parts: &KernelParts, kmm: &Path, work: &Path) -> Result<()> {
    let mut built: Vec<(String, Vec<KernelObject>)> = Vec::new();
    for headers in &parts.headers {
        let name = headers
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let version = name.trim_start_matches("linux-headers-").to_owned();
        let files = build(headers, &version, &parts.folder, work)?;
        let mut case = Case {
            base: work.join("outside"),
            version: version.clone(),
            config: None,
        };
        let _ = fs::remove_dir_all(&case.base);
        let extra = case.root().join("extra");
        fs::create_dir_all(&extra)?;
        for file in &files {
            fs::copy(file, extra.join(file.file_name().context("a file has a name")?))?;
        }
        // Debian's kmod has no zlib: this one is left out by both.
        run(
            "sh",
            &[
                "-c",
                "gzip -k kmm_ci_a.ko && mv kmm_ci_a.ko.gz packed.ko.gz && xz kmm_ci_fw.ko",
            ],
            &extra,
        )?;
        depmod::compare(&case)?;
        let lines = depmod::compare_symbols(&case, "-E", &headers.join("Module.symvers"))?.len();
        case.version = version.clone();
        let (count, bytes) = modinfo::compare(&files, kmm)?;
        println!(
            "modules of our own for {version}: modinfo of {count} ({bytes} bytes), depmod, {lines} lines of -e"
        );
        let objects = files
            .iter()
            .map(|file| Ok(KernelObject::read(&fs::read(file)?, &Decompressors)?));
        stripped(&files, work)?;
        built.push((version, objects.collect::<Result<_>>()?));
    }
    for headers in &parts.headers {
        let text = fs::read_to_string(headers.join("Module.symvers"))?;
        let mut kernel = Kernel::from_symvers(&Symvers::parse(&text)?);
        let own = headers.file_name().unwrap_or_default().to_string_lossy();
        for (version, objects) in &built {
            let same = own.ends_with(&format!("linux-headers-{version}"));
            let magic = if version.contains("-rt-") {
                "preempt_rt"
            } else {
                "preempt"
            };
            let release = own.trim_start_matches("linux-headers-");
            let wanted = if own.contains("-rt-") {
                "preempt_rt"
            } else {
                "preempt"
            };
            let text = format!("{release} SMP {wanted} mod_unload modversions ");
            kernel.vermagic = Some(Vermagic::parse(&text));
            let mut kernel = kernel.clone();
            objects.iter().for_each(|object| kernel.add(object));
            for object in objects {
                let verdict = abi::compare(object, &kernel);
                // As was seen when they were loaded for real: the first that the kernel names is its structures.
                let layout = matches!(verdict.refusals.first(), Some(Refusal::Checksum { name, .. }) if name == "module_layout");
                let magic_refused = verdict
                    .refusals
                    .iter()
                    .any(|one| matches!(one, Refusal::Vermagic { .. }));
                if (verdict.loads() == Some(true)) != same
                    || layout == same
                    || magic_refused != (magic != wanted)
                {
                    bail!("{} for {version} on {own}: {verdict:?}", object.name);
                }
            }
        }
    }
    println!(
        "modules of our own: {0} flavours on {0} kernels, as the kernels decide",
        built.len()
    );
    Ok(())
}

/// Exports must be seen without the symbols that `strip` takes away too.
fn stripped(files: &[PathBuf], work: &Path) -> Result<()> {
    for file in files {
        let bare = work.join("stripped.ko");
        fs::copy(file, &bare)?;
        run("strip", &["--strip-unneeded", &bare.to_string_lossy()], work)?;
        let read =
            |path: &Path| Ok::<_, anyhow::Error>(KernelObject::read(&fs::read(path)?, &Decompressors)?);
        let (mut whole, mut bare) = (read(file)?.exports, read(&bare)?.exports);
        whole.sort_by(|a, b| a.name.cmp(&b.name));
        bare.sort_by(|a, b| a.name.cmp(&b.name));
        if whole != bare {
            bail!("{} exports {whole:?}, when stripped {bare:?}", file.display());
        }
    }
    Ok(())
}

/// The modules for one flavour: plain, stripped, and signed.
fn build(headers: &Path, version: &str, folder: &Path, work: &Path) -> Result<Vec<PathBuf>> {
    let place = folder.join("modules").join(version);
    if !place.join("signed/kmm_ci_b.ko").exists() {
        fs::create_dir_all(place.join("signed"))?;
        for (name, text) in FILES {
            fs::write(place.join(name), text)?;
        }
        let module = format!("M={}", place.display());
        run(
            "make",
            &["-s", "-C", &headers.to_string_lossy(), &module, "modules"],
            work,
        )?;
        let line = "strip --strip-debug *.ko && cp kmm_ci_*.ko signed/ && \\
                    openssl req -new -x509 -newkey rsa:2048 -nodes -sha256 -subj '/O=Kmm/CN=Kmm test key' \\
                    -days 36500 -keyout key.pem -out key.crt 2>/dev/null";
        run("sh", &["-c", line], &place)?;
        for name in ["kmm_ci_a.ko", "kmm_ci_b.ko"] {
            let file = place.join("signed").join(name);
            let tool = headers.join("scripts/sign-file");
            let arguments = ["sha512", "key.pem", "key.crt", &file.to_string_lossy()];
            run(&tool.to_string_lossy(), &arguments, &place)?;
        }
    }
    let signed = place.join("signed");
    Ok(["kmm_ci_a.ko", "kmm_ci_b.ko", "kmm_ci_fw.ko"]
        .iter()
        .map(|name| signed.join(name))
        .collect())
}
