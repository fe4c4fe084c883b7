//! The answer of `kmm image check`, as one JSON document; `docs/guide/json.md` describes it.

use kmm_core::image::Finding;
use kmm_core::image::Fit;
use kmm_core::image::ModuleReport;
use kmm_core::image::Report;
use kmm_core::resolve::ModuleName;
use kmm_core::sign::Verification;
use serde::Serialize;

/// The document.
#[derive(Debug, Serialize)]
pub struct Answer {
    pub version: u32,
    pub results: Vec<Checked>,
}

/// One image for one kernel.
#[derive(Debug, Serialize)]
pub struct Checked {
    pub image: Option<String>,
    pub digest: Option<String>,
    pub platform: Option<String>,
    pub module: Option<ModuleName>,
    pub kernel: Option<String>,
    pub verdict: &'static str,
    pub folder: Option<String>,
    pub modules: Vec<Module>,
    pub diagnostics: Vec<Diagnostic>,
    #[serde(skip)]
    pub fit: Fit,
}

/// One module of the folder.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Module {
    pub path: String,
    pub name: String,
    pub needed: bool,
    pub loads: Option<bool>,
    pub version: Option<String>,
    pub release: Option<String>,
    pub compression: Option<String>,
    pub signature: Option<Signature>,
}

/// The signature of a module.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signature {
    pub signer: String,
    pub key_id: String,
    pub state: Option<&'static str>,
    pub detail: Option<String>,
}

/// One finding.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    pub code: &'static str,
    pub severity: String,
    pub message: String,
    pub path: String,
    pub help: Option<String>,
    pub in_doubt: bool,
}

impl Checked {
    pub fn new(report: Report) -> Self {
        Self {
            image: None,
            digest: None,
            platform: None,
            module: None,
            kernel: None,
            verdict: report.fit.name(),
            folder: Some(report.folder).filter(|folder| !folder.is_empty()),
            modules: report.modules.into_iter().map(Module::from).collect(),
            diagnostics: report.findings.into_iter().map(Diagnostic::from).collect(),
            fit: report.fit,
        }
    }
}

impl Signature {
    pub fn new(signer: String, key_id: String, verification: Option<&Verification>) -> Self {
        Self {
            signer,
            key_id,
            state: verification.map(state),
            detail: verification.map(ToString::to_string),
        }
    }
}

fn state(verification: &Verification) -> &'static str {
    match verification {
        Verification::Valid { .. } => "valid",
        Verification::UnknownKey => "unknown-key",
        Verification::Invalid { .. } => "invalid",
        _ => "not-checked",
    }
}

impl From<ModuleReport> for Module {
    fn from(module: ModuleReport) -> Self {
        let signature = module.signer.zip(module.key_id);
        Self {
            path: module.path,
            name: module.name,
            needed: module.needed,
            loads: module.loads,
            version: module.version,
            release: module.release,
            compression: module.compression.map(|compression| compression.to_string()),
            signature: signature
                .map(|(signer, key_id)| Signature::new(signer, key_id, module.verification.as_ref())),
        }
    }
}

impl From<Finding> for Diagnostic {
    fn from(finding: Finding) -> Self {
        Self {
            code: finding.code,
            severity: finding.severity.to_string(),
            message: finding.message,
            path: finding.path,
            help: finding.help,
            in_doubt: finding.in_doubt,
        }
    }
}
