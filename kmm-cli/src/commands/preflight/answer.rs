//! The answer of `kmm preflight`, as one JSON document; `docs/guide/json.md` describes it.

use kmm_core::kernel::KernelVersion;
use kmm_core::preflight::Existence;
use kmm_core::preflight::Purpose;
use kmm_core::preflight::State;
use kmm_core::preflight::Verdict;
use kmm_core::resolve::ModuleName;
use serde::Serialize;

use super::facts::Candidate;

/// The document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    pub version: u32,
    /// The first of [`kernels`](Self::kernels): there was only one of them once.
    pub kernel: String,
    pub kernels: Vec<String>,
    pub modules: Vec<Judged>,
    pub to_build: Vec<Build>,
}

/// What the upgrade means for a Module.
#[derive(Debug, Serialize)]
pub struct Judged {
    pub module: ModuleName,
    pub kernel: String,
    pub image: Option<String>,
    pub state: State,
    pub reason: &'static str,
    pub message: String,
    pub why: Vec<String>,
}

/// An image that the operator makes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    pub image: String,
    pub kernel: String,
    pub how: How,
    pub from: Vec<Base>,
    pub gaps: Vec<String>,
    pub needed_by: Vec<ModuleName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum How {
    Build,
    Sign,
}

/// An image that another one starts from.
#[derive(Debug, Serialize)]
pub struct Base {
    pub image: String,
    pub purpose: Purpose,
    /// `present`, `absent`, `notAsked` or `unknown`.
    pub existence: &'static str,
}

impl Answer {
    pub fn new(kernels: &[KernelVersion]) -> Self {
        let kernels: Vec<String> = kernels.iter().map(|kernel| kernel.raw().to_owned()).collect();
        Self {
            version: 1,
            kernel: kernels.first().cloned().unwrap_or_default(),
            kernels,
            modules: Vec::new(),
            to_build: Vec::new(),
        }
    }

    /// Two Modules may name one image for a kernel; the first one found makes it.
    pub fn add_build(&mut self, build: Build) {
        let is_same = |other: &&mut Build| other.image == build.image && other.kernel == build.kernel;
        match self.to_build.iter_mut().find(is_same) {
            Some(other) => other.needed_by.extend(build.needed_by),
            None => self.to_build.push(build),
        }
    }
}

impl Build {
    pub fn new(how: How, kernel: &str) -> Self {
        Self {
            image: String::new(),
            kernel: kernel.to_owned(),
            how,
            from: Vec::new(),
            gaps: Vec::new(),
            needed_by: Vec::new(),
        }
    }
}

impl Base {
    pub fn new(image: String, purpose: Purpose, found: &Existence) -> Self {
        Self {
            image,
            purpose,
            existence: found.code(),
        }
    }
}

impl Judged {
    pub fn new(candidate: &Candidate, verdict: &Verdict) -> Self {
        let image = candidate
            .outcome
            .as_ref()
            .ok()
            .map(|resolved| resolved.container_image.clone());
        Self {
            module: candidate.module.clone(),
            kernel: candidate.kernel.clone(),
            image: image.filter(|image| !image.is_empty()),
            state: verdict.state,
            reason: verdict.reason.code(),
            message: verdict.reason.to_string(),
            why: verdict.reason.details().to_vec(),
        }
    }
}
