//! Whether an image fits a kernel: one rule per file.

mod alias;
mod context;
mod finding;
mod rules;
mod unseen;

use crate::api::ModprobeSpec;
use crate::diag::RuleText;
use crate::diag::Severity;
use crate::image::Tree;
use crate::kernel::KernelVersion;
use crate::kmod::Compression;
use crate::kmod::Signature;
use crate::kmod::abi;
use crate::modprobe::HostModules;
use crate::sign::Verification;

use context::Context;
use context::Found;
use finding::Findings;

pub use finding::Finding;
pub use finding::Rule;
pub use unseen::without_kernel;

/// What the image is for.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The kernel of the node.
    pub kernel: &'a KernelVersion,
    /// What the Module loads, and from where.
    pub modprobe: &'a ModprobeSpec,
    /// Modules of the kernel that are removed before.
    pub in_tree_to_remove: &'a [String],
    /// What is known of the kernel's symbols.
    pub abi: Option<&'a abi::Kernel>,
    /// The modules that came with the kernel, where they are known.
    pub in_tree: Option<&'a HostModules>,
    /// Whether a certificate is given that every module must be signed with.
    pub wants_signature: bool,
}

/// What is known of the image besides its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageFacts {
    /// The architecture that its manifest names, as Go names it: `amd64`, `arm64`.
    pub architecture: Option<String>,
    /// `PATH` of its configuration.
    pub search_path: Option<String>,
}

/// Whether an image fits a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Everything that can be told in advance is as it must be.
    Fits,
    /// Nothing is known to be wrong, and something could not be told.
    Unknown,
    /// Something is wrong: loading will fail.
    DoesNotFit,
}

impl Fit {
    /// The word for it: `fits`, `unknown` or `does-not-fit`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fits => "fits",
            Self::Unknown => "unknown",
            Self::DoesNotFit => "does-not-fit",
        }
    }
}

/// What came out of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The answer.
    pub fit: Fit,
    /// The folder of the kernel in the image, whether it is there or not.
    pub folder: String,
    /// The modules in it, by path.
    pub modules: Vec<ModuleReport>,
    /// What is wrong, or could not be told; by file, in the order of the rules for each.
    pub findings: Vec<Finding>,
}

/// One module of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleReport {
    /// Its path in the image.
    pub path: String,
    /// Its name, with `_` for `-`.
    pub name: String,
    /// Whether the Module loads it, by itself or because another one needs it.
    pub needed: bool,
    /// Whether the kernel loads it, as far as can be told.
    pub loads: Option<bool>,
    /// Its version, as it says itself.
    pub version: Option<String>,
    /// The kernel release that it was built for.
    pub release: Option<String>,
    /// How it is compressed.
    pub compression: Option<Compression>,
    /// Who signed it.
    pub signer: Option<String>,
    /// With which key: its identifier in hexadecimal digits.
    pub key_id: Option<String>,
    /// Whether the signature is valid; `None` where there is none, or nobody asked.
    pub verification: Option<Verification>,
}

/// Checks an image: all rules at once.
///
/// # Example: a folder of another kernel
///
/// ```
/// use kmm_core::api::ModprobeSpec;
/// use kmm_core::image::{Header, ImageFacts, Fit, Kind, LayerReader, Limits, Subject, Tree, check};
/// use kmm_core::kernel::KernelVersion;
///
/// let mut layer = LayerReader::new(&Limits::default());
/// let path = b"opt/lib/modules/6.1.0-9-amd64/nic.ko";
/// layer.entry(Header { path, kind: Kind::File, size: 0, mode: 0o644 })?;
/// layer.content(b"", &kmm_core::kmod::PlainOnly);
/// let tree = Tree::merge(vec![layer.finish()], &Limits::default())?;
///
/// let mut modprobe = ModprobeSpec::default();
/// modprobe.module_name = "nic".to_owned();
/// modprobe.dir_name = "/opt".to_owned();
/// let report = check(&tree, &ImageFacts::default(), &Subject {
///     kernel: &KernelVersion::new("6.1.0-10-amd64"),
///     modprobe: &modprobe,
///     in_tree_to_remove: &[],
///     abi: None,
///     in_tree: None,
///     wants_signature: false,
/// });
/// assert_eq!(report.fit, Fit::DoesNotFit);
/// assert_eq!(report.findings[0].code, "KMM3001");
/// assert!(report.findings[0].help.as_ref().unwrap().contains("6.1.0-9-amd64"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check(tree: &Tree, image: &ImageFacts, subject: &Subject<'_>) -> Report {
    let context = Context::new(tree, image, subject);
    let mut findings = Findings::default();
    for rule in rules() {
        (rule.check)(&context, &mut findings);
    }
    let mut findings = findings.0;
    findings.sort_by(|a, b| (b.severity, a.code, &a.path).cmp(&(a.severity, b.code, &b.path)));
    Report {
        fit: fit(&findings),
        folder: context.folder_path.clone(),
        modules: context.modules.iter().map(module).collect(),
        findings,
    }
}

/// The rules, by code.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    rules::ALL.iter()
}

/// The texts of all codes: those of the rules, and those about images that could not be looked into.
pub fn texts() -> impl Iterator<Item = RuleText> {
    rules().map(|rule| rule.text).chain(unseen::ALL)
}

fn fit(findings: &[Finding]) -> Fit {
    if findings.iter().any(|found| found.severity == Severity::Error) {
        Fit::DoesNotFit
    } else if findings.iter().any(|found| found.in_doubt) {
        Fit::Unknown
    } else {
        Fit::Fits
    }
}

fn module(found: &Found<'_>) -> ModuleReport {
    let object = found.object();
    let info = object.as_ref().map(|object| &object.info);
    let signature = object.as_ref().and_then(|object| object.signature.as_ref());
    ModuleReport {
        path: found.path.clone(),
        name: found.name.clone(),
        needed: found.needed,
        loads: match &found.file {
            Ok(file) if file.object().is_err() => Some(false),
            Ok(_) | Err(_) => found.verdict.as_ref().and_then(abi::Verdict::loads),
        },
        version: info.and_then(|info| info.value("version")).map(Into::into),
        release: info
            .and_then(crate::kmod::ModuleInfo::vermagic)
            .map(|magic| magic.release().to_owned()),
        compression: found.file.ok().map(crate::image::ModuleFile::compression),
        signer: signature.map(|signature| String::from_utf8_lossy(&signature.signer).into_owned()),
        key_id: signature.map(Signature::shown_key_id),
        verification: found
            .file
            .ok()
            .and_then(crate::image::ModuleFile::verification)
            .cloned(),
    }
}
