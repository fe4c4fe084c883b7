//! `kmm image check` of one module in a large layer of a registry: beside what people do by hand, beside unpacking that
//! layer to nowhere, and within bounds of memory.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;

use crate::cost;
use crate::cost::Cost;
use crate::generate::target_folder;
use crate::kmods;
use crate::layers;
use crate::registry;
use crate::registry::Kind;
use crate::registry::Registry;
use crate::steps;

/// Runs of each; the median counts.
const RUNS: usize = 5;

/// What the layer unpacks to: 400 MB.
const SIZE: usize = 400_000_000;

/// The most memory that a check may need, however large the layer is, in KiB.
const MEMORY: f64 = 64.0 * 1024.0;

/// The module that is looked for, and the one that it needs.
const MODULES: [&str; 2] = ["kmm_user", "kmm_base"];

/// The formats of the layer, and what unpacks each.
const FORMATS: [(&str, &str); 2] = [("gzip", "gzip"), ("zstd", "zstd")];

/// By hand: fetch, unpack, look at the module, hold it against the kernel's symbols.
const BY_HAND: &str = r#"
set -e
rm -rf work; mkdir -p work/root
skopeo --insecure-policy copy --quiet --src-tls-verify=false "docker://$IMAGE" dir:work/image
tar -C work/root -xf "work/image/$LAYER" ./opt/lib/modules
modinfo "work/root/opt/lib/modules/$KERNEL/kmm_user.ko"
depmod -n -e -E "$SYMVERS" -b work/root/opt "$KERNEL" 2> work/said
! grep -E 'needs unknown symbol|disagrees about version' work/said || exit 1
rm -rf work
"#;

/// A registry with one image in each format.
struct Bench {
    registry: Registry,
    folder: PathBuf,
    kernel: String,
    symvers: String,
    kmm: String,
}

/// Times the three, one after the other in one run, and prints ratios; `kmm` is one that was built already.
pub(crate) fn measure(headers: &[PathBuf], kmm: Option<&str>) -> Result<()> {
    let kmm = match kmm {
        Some(kmm) => PathBuf::from(kmm),
        None => {
            steps::run(
                &steps::cargo(),
                &["build", "--quiet", "--release", "--package", "kmm-cli"],
            )?;
            target_folder().join("release/kmm")
        }
    };
    let bench = Bench::start(headers, &kmm)?;
    println!("{}", cost::head());
    for (format, program) in FORMATS {
        let layer = bench.layer(format)?;
        let layer_text = layer.to_string_lossy();
        let image = bench.image(format);
        let by_hand = bench.by_hand(&image, &layer)?;
        let (mut hand, mut bare, mut own) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..RUNS {
            hand.push(cost::run(&["sh", "-c", &by_hand])?);
            bare.push(cost::run(&[program, "-dc", &layer_text])?);
            own.push(bench.check(&image)?);
        }
        let (hand, bare, own) = (cost::median(&hand), cost::median(&bare), cost::median(&own));
        let what = format!("one module in a layer of 400 MB, {format}, from a registry");
        println!(
            "{}",
            cost::row(&what, "skopeo, tar, modinfo, depmod", &hand, &own)
        );
        let unpack = format!("{program} -dc of the layer, from disk");
        println!("{}", cost::row(&what, &unpack, &bare, &own));
    }
    Ok(())
}

/// The check needs less than 64 MiB, in every format.
pub(crate) fn bounded(headers: &[PathBuf]) -> Result<()> {
    steps::run(&steps::cargo(), &["build", "--quiet", "--package", "kmm-cli"])?;
    let bench = Bench::start(headers, &target_folder().join("debug/kmm"))?;
    for (format, _) in FORMATS {
        let cost = bench.check(&bench.image(format))?;
        println!(
            "a layer of 400 MB, {format}: {:.1} MiB at the most",
            cost.memory / 1024.0
        );
        ensure!(
            cost.memory < MEMORY,
            "{format}: {:.1} MiB of memory, where 64 are allowed",
            cost.memory / 1024.0
        );
    }
    Ok(())
}

impl Bench {
    fn start(headers: &[PathBuf], kmm: &Path) -> Result<Self> {
        registry::set_up()?;
        let headers = headers.first().context("no headers of a kernel")?;
        let kernel = kmods::release(headers)?;
        let folder = steps::cache()?.join("image-check-speed");
        let marked = folder.join(&kernel);
        if !marked.is_file() {
            make(&folder, &kernel, &kmods::build(headers)?)?;
            fs::write(marked, "")?;
        }
        let bench = Self {
            registry: Registry::start(Kind::Plain)?,
            folder,
            kernel,
            symvers: headers.join("Module.symvers").display().to_string(),
            kmm: kmm.display().to_string(),
        };
        for (format, _) in FORMATS {
            let from = format!("oci:{}:v1", bench.folder.join(format).display());
            bench.registry.push(&from, &format!("team/large:{format}"))?;
        }
        Ok(bench)
    }

    fn image(&self, format: &str) -> String {
        format!("{}/team/large:{format}", self.registry.addr)
    }

    /// The blob of the layer, as it lies in the layout.
    fn layer(&self, format: &str) -> Result<PathBuf> {
        layers::largest(&self.folder.join(format).join("blobs/sha256"))
    }

    fn check(&self, image: &str) -> Result<Cost> {
        let [module, _] = MODULES;
        cost::run(&[
            &self.kmm,
            "image",
            "check",
            "--plain-http",
            "--module",
            module,
            "-k",
            &self.kernel,
            "--symvers",
            &self.symvers,
            image,
        ])
    }

    fn by_hand(&self, image: &str, layer: &Path) -> Result<String> {
        let name = layer
            .file_name()
            .and_then(|name| name.to_str())
            .context("the layer has no name")?;
        let folder = self.folder.display().to_string();
        for part in [image, &folder, &self.kernel, &self.symvers] {
            if part.contains('\'') {
                bail!("`{part}` cannot be quoted");
            }
        }
        Ok(format!(
            "cd '{folder}'; IMAGE='{image}' LAYER={name} KERNEL='{}' SYMVERS='{}'{BY_HAND}",
            self.kernel, self.symvers
        ))
    }
}

/// What a build leaves behind, the modules among it, as one layer.
fn make(folder: &Path, kernel: &str, built: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let modules = folder.join("root/opt/lib/modules").join(kernel);
    fs::create_dir_all(&modules)?;
    for name in MODULES {
        let file = format!("{name}.ko");
        fs::copy(built.join(&file), modules.join(&file))?;
    }
    fs::create_dir_all(folder.join("root/bin"))?;
    for program in ["sh", "cp", "mkdir"] {
        fs::copy(
            Path::new("/bin").join(program),
            folder.join("root/bin").join(program),
        )?;
    }
    layers::leftovers(&folder.join("root/usr"), SIZE)?;
    layers::shell(
        folder,
        &format!(
            "
            depmod -b root/opt {kernel} 2> /dev/null
            tar -C root --sort=name -cf layer.tar .
            umoci init --layout gzip
            umoci new --image gzip:v1
            umoci raw add-layer --image gzip:v1 layer.tar
            rm -r root layer.tar
            skopeo --insecure-policy copy --quiet --dest-compress-format zstd oci:gzip:v1 oci:zstd:v1
            "
        ),
    )
}
