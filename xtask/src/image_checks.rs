//! File trees of images made from real modules, indexed by the real `depmod`, and what the check says of each: as a library,
//! and as the built `kmm` on the OCI layouts that umoci makes of them.

mod built;
mod places;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::api::ModprobeSpec;
use kmm_core::diag::Severity;
use kmm_core::image;
use kmm_core::image::Fit;
use kmm_core::image::Header;
use kmm_core::image::ImageFacts;
use kmm_core::image::Kind;
use kmm_core::image::LayerReader;
use kmm_core::image::Limits;
use kmm_core::image::Subject;
use kmm_core::image::Tree;
use kmm_core::image::Want;
use kmm_core::kernel::KernelVersion;
use kmm_core::kmod::Symvers;
use kmm_core::kmod::abi::Kernel;

use crate::kmods;
use crate::steps;
use kmm_files::Decompressors;

/// What goes wrong with an image on its way from the compiler to the registry.
struct Case {
    name: &'static str,
    /// The module that is loaded, and the parameters.
    load: (&'static str, &'static [&'static str]),
    /// Modules in the image.
    modules: &'static [&'static str],
    /// Done to the finished tree with a shell, in the folder of the kernel; `$OTHER` has modules of another flavour,
    /// `$BUILT` those of this one.
    then: &'static str,
    fit: Fit,
    /// Codes of the errors and warnings, sorted.
    codes: &'static [&'static str],
}

const PAIR: &[&str] = &["kmm_base", "kmm_user"];

const CASES: [Case; 13] = [
    case("a pair that depends", "kmm_user", PAIR, "", Fit::Fits, &[]),
    case(
        "with signatures",
        "kmm_user",
        PAIR,
        "cp $BUILT/signed/kmm_base.ko $BUILT/signed/kmm_user.ko . && depmod_",
        Fit::Fits,
        &[],
    ),
    case(
        "another flavour",
        "kmm_base",
        &["kmm_base"],
        "cp $OTHER/kmm_base.ko .",
        Fit::DoesNotFit,
        &["KMM3013"],
    ),
    case(
        "another folder",
        "kmm_base",
        &["kmm_base"],
        "mv $PWD $PWD-other",
        Fit::DoesNotFit,
        &["KMM3001"],
    ),
    case(
        "another module",
        "kmm_other",
        &["kmm_base"],
        "",
        Fit::DoesNotFit,
        &["KMM3002"],
    ),
    case(
        "without modules.dep",
        "kmm_base",
        &["kmm_base"],
        "rm modules.*",
        Fit::DoesNotFit,
        &["KMM3020"],
    ),
    case(
        "modules.dep made too early",
        "kmm_user",
        &["kmm_base"],
        "cp $BUILT/kmm_user.ko .",
        Fit::DoesNotFit,
        &["KMM3021"],
    ),
    case(
        "without the dependency",
        "kmm_user",
        &["kmm_user"],
        "",
        Fit::DoesNotFit,
        &["KMM3014", "KMM3030"],
    ),
    case(
        "a symbol that nobody has",
        "kmm_missing",
        &["kmm_missing"],
        "",
        Fit::DoesNotFit,
        &["KMM3014"],
    ),
    case(
        "packed with gzip",
        "kmm_base",
        &["kmm_base"],
        "gzip kmm_base.ko && depmod_",
        Fit::DoesNotFit,
        &["KMM3021", "KMM3040"],
    ),
    case(
        "cut off",
        "kmm_base",
        &["kmm_base"],
        "truncate -s 2000 kmm_base.ko",
        Fit::DoesNotFit,
        &["KMM3010"],
    ),
    case(
        "with a namespace",
        "kmm_space",
        &["kmm_base", "kmm_space"],
        "",
        Fit::Fits,
        &[],
    ),
    // The kernel says so in its log, and loads the module all the same.
    Case {
        load: ("kmm_user", &["value=1", "nosuch=1"]),
        ..case(
            "a parameter that is not there",
            "",
            PAIR,
            "",
            Fit::Fits,
            &["KMM3005"],
        )
    },
];

const fn case(
    name: &'static str,
    load: &'static str,
    modules: &'static [&'static str],
    then: &'static str,
    fit: Fit,
    codes: &'static [&'static str],
) -> Case {
    Case {
        name,
        load: (load, &[]),
        modules,
        then,
        fit,
        codes,
    }
}

/// Checks every case against the first of the kernels; the second gives modules of another flavour.
pub(crate) fn compare(headers: &[PathBuf]) -> Result<()> {
    let [own, .., other] = headers else {
        bail!("two flavours of headers are needed");
    };
    let (built, foreign) = (kmods::build(own)?, kmods::build(other)?);
    let release = kmods::release(own)?;
    let symvers = Symvers::parse(&fs::read_to_string(own.join("Module.symvers"))?)?;
    let kernel = Kernel::from_symvers(&symvers);
    let work = steps::cache()?.join("kmods/work");
    let binary = built::Binary::new(own, &release)?;
    let mut wrong = 0;
    for case in &CASES {
        let _ = fs::remove_dir_all(&work);
        make(case, &work, &release, &built, &foreign).with_context(|| case.name)?;
        let report = check(case, &work, &release, &kernel)?;
        let found = report
            .findings
            .iter()
            .filter(|found| found.severity >= Severity::Warning);
        let mut codes: Vec<&str> = found.map(|found| found.code).collect();
        codes.sort_unstable();
        codes.dedup();
        println!("  {:<32}{:<14}{}", case.name, report.fit.name(), codes.join(" "));
        let told = binary.check(case, &work)?;
        if told
            != (
                report.fit,
                case.codes.iter().map(|code| (*code).to_owned()).collect(),
            )
        {
            wrong += 1;
            println!("    the built kmm says {} {:?}", told.0.name(), told.1);
        }
        if report.fit != case.fit || codes != case.codes {
            wrong += 1;
            println!("    expected {} {:?}", case.fit.name(), case.codes);
            report.findings.iter().for_each(|found| println!("    {found}"));
        }
    }
    if wrong > 0 {
        bail!("{wrong} of {} images are judged wrongly", CASES.len());
    }
    let _ = fs::remove_dir_all(&work);
    make(&CASES[0], &work, &release, &built, &foreign)?;
    places::compare(&binary, &work)?;
    binary.signatures(&work, &built)?;
    binary.damage(&work)?;
    binary.counted()
}

/// Lays out the file tree, and has the real `depmod` index it.
fn make(case: &Case, work: &Path, release: &str, built: &Path, foreign: &Path) -> Result<()> {
    let folder = work.join("opt/lib/modules").join(release);
    fs::create_dir_all(&folder)?;
    for name in case.modules {
        let file = format!("{name}.ko");
        fs::copy(built.join(&file), folder.join(&file))?;
    }
    let script = format!(
        "set -e; depmod_() {{ depmod -b {0}/opt {release} 2>/dev/null; }}; depmod_; {1}",
        work.display(),
        case.then
    );
    let status = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(&folder)
        .env("BUILT", built)
        .env("OTHER", foreign)
        .status()?;
    if !status.success() {
        bail!("`{}` ended with {status}", case.then);
    }
    Ok(())
}

fn check(case: &Case, work: &Path, release: &str, kernel: &Kernel) -> Result<image::Report> {
    let mut reader = LayerReader::new(&Limits::default());
    let mut open = vec![work.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.strip_prefix(work)?.to_string_lossy().into_owned();
            let bytes = if path.is_dir() {
                Vec::new()
            } else {
                fs::read(&path)?
            };
            let header = Header {
                path: name.as_bytes(),
                kind: if path.is_dir() {
                    Kind::Directory
                } else {
                    Kind::File
                },
                size: bytes.len() as u64,
                mode: 0o644,
            };
            if reader.entry(header)? == Want::Content {
                reader.content(&bytes, &Decompressors);
            }
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    let tree = Tree::merge(vec![reader.finish()], &Limits::default())?;
    let (load, parameters) = case.load;
    let modprobe = ModprobeSpec {
        module_name: load.to_owned(),
        parameters: parameters.iter().map(|&parameter| parameter.to_owned()).collect(),
        dir_name: "/opt".to_owned(),
        ..ModprobeSpec::default()
    };
    Ok(image::check(
        &tree,
        &ImageFacts::default(),
        &Subject {
            kernel: &KernelVersion::new(release),
            modprobe: &modprobe,
            in_tree_to_remove: &[],
            abi: Some(kernel),
            in_tree: None,
            wants_signature: false,
        },
    ))
}
