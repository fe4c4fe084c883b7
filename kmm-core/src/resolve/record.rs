//! One result in the JSON of `kmm resolve`.

use serde::Serialize;
use serde::Serializer;

use crate::api::Build;
use crate::api::LocalObjectReference;
use crate::api::ModprobeSpec;
use crate::api::Sign;
use crate::api::TlsOptions;
use crate::api::Toleration;
use crate::kernel::KernelVersion;
use crate::modprobe::Command;
use crate::module::Compiled;

use super::MappingChoice;
use super::ModuleName;
use super::ResolveError;
use super::Resolved;

/// What was decided, or why nothing was: one element of `results` in the JSON of `kmm resolve`.
///
/// Every field is always there; those that an error leaves undecided are `null`. Where everything is decided but
/// `dirName` leaves the folder of the worker, only `commands` is `null`, and the code is `outsideRoot`.
///
/// # Example: an error as JSON
///
/// ```
/// use kmm_core::api::Module;
/// use kmm_core::kernel::KernelVersion;
/// use kmm_core::module::Compiled;
/// use kmm_core::resolve::Record;
///
/// let compiled = Compiled::new(&Module::default());
/// let json = serde_json::to_value(Record::new(&compiled, &KernelVersion::new("6.1.0+")))?;
/// assert_eq!(json["kernel"]["matched"], "6.1.0");
/// assert_eq!(json["error"]["code"], "noModuleLoader");
/// assert!(json["containerImage"].is_null());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The Module.
    pub module: ModuleName,
    /// The kernel.
    pub kernel: KernelVersion,
    /// What was decided.
    pub outcome: Result<Resolved, ResolveError>,
}

impl Record {
    /// Resolves the Module for the kernel.
    pub fn new(compiled: &Compiled, kernel: &KernelVersion) -> Self {
        Self {
            module: ModuleName {
                name: compiled.name().to_owned(),
                namespace: compiled.namespace().to_owned(),
            },
            kernel: kernel.clone(),
            outcome: compiled.resolve(kernel),
        }
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let resolved = self.outcome.as_ref().ok();
        let error = self.outcome.as_ref().err();
        let mapping = resolved
            .map(|resolved| &resolved.mapping)
            .or_else(|| error.and_then(ResolveError::mapping));
        let commands = resolved.map(Resolved::commands);
        let outside = match &commands {
            Some(Err(outside)) => Some(ErrorFields {
                code: "outsideRoot",
                message: outside.to_string(),
            }),
            Some(Ok(_)) | None => None,
        };
        RecordFields {
            module: &self.module,
            kernel: KernelForms::new(&self.kernel),
            mapping,
            decided: Decided::new(resolved),
            commands: commands.and_then(Result::ok).map(|commands| CommandLines {
                load: lines(&commands.load),
                unload: lines(&commands.unload),
            }),
            error: error.map(ErrorFields::new).or(outside),
        }
        .serialize(serializer)
    }
}

/// A kernel in its four forms, for JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KernelForms {
    /// As the node reports it.
    pub raw: String,
    /// As mappings see it.
    pub matched: String,
    /// As templates see it.
    pub normalized: String,
    /// As names of pods hold it.
    pub dns_safe: String,
}

impl KernelForms {
    /// The forms of a kernel.
    pub fn new(kernel: &KernelVersion) -> Self {
        Self {
            raw: kernel.raw().to_owned(),
            matched: kernel.matched().to_owned(),
            normalized: kernel.normalized().to_owned(),
            dns_safe: kernel.dns_safe(),
        }
    }
}

#[derive(Serialize)]
struct RecordFields<'a> {
    module: &'a ModuleName,
    kernel: KernelForms,
    mapping: Option<&'a MappingChoice>,
    #[serde(flatten)]
    decided: Decided<'a>,
    commands: Option<CommandLines>,
    error: Option<ErrorFields>,
}

#[derive(Serialize)]
struct CommandLines {
    load: Vec<Vec<String>>,
    unload: Vec<Vec<String>>,
}

fn lines(commands: &[Command]) -> Vec<Vec<String>> {
    let line = |command: &Command| command.argv().map(str::to_owned).collect();
    commands.iter().map(line).collect()
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Decided<'a> {
    container_image: Option<&'a str>,
    image_pull_policy: Option<&'a str>,
    build: Option<&'a Build>,
    sign: Option<&'a Sign>,
    #[serde(rename = "registryTLS")]
    registry_tls: Option<&'a TlsOptions>,
    in_tree_modules_to_remove: Option<&'a [String]>,
    tolerations: Option<&'a [Toleration]>,
    modprobe: Option<&'a ModprobeSpec>,
    module_version: Option<&'a str>,
    service_account_name: Option<&'a str>,
    image_repo_secret: Option<&'a LocalObjectReference>,
}

/// An error, for JSON.
#[derive(Serialize)]
pub(super) struct ErrorFields {
    code: &'static str,
    message: String,
}

impl ErrorFields {
    pub(super) fn new(error: &ResolveError) -> Self {
        Self {
            code: error.code(),
            message: error.to_string(),
        }
    }
}

impl<'a> Decided<'a> {
    fn new(resolved: Option<&'a Resolved>) -> Self {
        resolved.map_or_else(Self::default, |resolved| Self {
            container_image: Some(&resolved.container_image),
            image_pull_policy: Some(&resolved.image_pull_policy),
            build: resolved.build.as_ref(),
            sign: resolved.sign.as_ref(),
            registry_tls: Some(&resolved.registry_tls),
            in_tree_modules_to_remove: Some(resolved.in_tree_modules_to_remove.as_deref().unwrap_or(&[])),
            tolerations: Some(&resolved.tolerations),
            modprobe: Some(&resolved.modprobe),
            module_version: Some(&resolved.module_version),
            service_account_name: Some(&resolved.service_account_name),
            image_repo_secret: resolved.image_repo_secret.as_ref(),
        })
    }
}
