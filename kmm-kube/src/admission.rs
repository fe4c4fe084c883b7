//! Admission and conversion, as functions of what the API server sends.

use std::fmt::Write;

use kmm_core::api::Module;
use kmm_core::api::V1BETA1;
use kmm_core::api::V1BETA2;
use kmm_core::api::v1beta1;
use kmm_core::api::v1beta2;
use kmm_core::diag::Diagnostic;
use kmm_core::diag::Severity;
use kmm_core::document::Node;
use kmm_core::validate;
use kmm_core::validate::Cluster;
use kmm_core::validate::Facts;
use kmm_core::validate::Kind;
use kmm_core::validate::Neighbours;
use kmm_core::validate::Subject;
use kmm_core::validate::admission;
use kmm_core::validate::admission::Denial;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

/// Findings that a denial tells; a client could not read more.
const MOST_FINDINGS: usize = 50;
/// Warnings in one answer.
const MOST_WARNINGS: usize = 16;
/// Longest warning, in bytes: the API server cuts longer ones.
const LONGEST_WARNING: usize = 256;
/// Longest denial, in bytes.
const LONGEST_DENIAL: usize = 16 << 10;

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Webhook {
    Module,
    ManagedClusterModule,
    Namespace,
    PreflightValidation,
    Conversion,
}

impl Webhook {
    /// Every one.
    pub(crate) const ALL: [Self; 5] = [
        Self::Module,
        Self::ManagedClusterModule,
        Self::Namespace,
        Self::PreflightValidation,
        Self::Conversion,
    ];

    /// Its path, that of the Go operator.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Module => "/validate-kmm-sigs-x-k8s-io-v1beta1-module",
            Self::ManagedClusterModule => "/validate-hub-kmm-sigs-x-k8s-io-v1beta1-managedclustermodule",
            Self::Namespace => "/validate--v1-namespace",
            Self::PreflightValidation => "/validate-kmm-sigs-x-k8s-io-v1beta2-preflightvalidation",
            Self::Conversion => "/convert",
        }
    }

    /// What metrics call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::ManagedClusterModule => "managedclustermodule",
            Self::Namespace => "namespace",
            Self::PreflightValidation => "preflightvalidation",
            Self::Conversion => "conversion",
        }
    }
}

/// An answer, and what metrics call it.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) review: Value,
    pub(crate) answer: &'static str,
}

/// Values in a review, with what stands in texts counted too.
const MOST_VALUES: usize = 200_000;

/// The answer to a review.
///
/// # Errors
///
/// When it is no review, or one of too many values.
pub(crate) fn answer(webhook: Webhook, body: &[u8], cluster: &Cluster) -> Result<Answered, String> {
    // Each value takes up to some hundred bytes of memory, and two of the text.
    let values = body
        .iter()
        .filter(|byte| matches!(byte, b',' | b'[' | b'{'))
        .count();
    if values > MOST_VALUES {
        return Err(format!("more than {MOST_VALUES} values"));
    }
    let review: Value = serde_json::from_slice(body).map_err(|error| format!("not JSON: {error}"))?;
    let request = &review["request"];
    let uid = &request["uid"];
    if !uid.is_string() {
        return Err("no `request.uid`: this is no review".to_owned());
    }
    let verdict = match webhook {
        Webhook::Module => validated(Kind::Module, request, cluster),
        // The clusters that it is for have versions of their own.
        Webhook::ManagedClusterModule => validated(Kind::ManagedClusterModule, request, &Cluster::default()),
        Webhook::PreflightValidation => validated(Kind::PreflightValidation, request, cluster),
        Webhook::Namespace => namespace(request),
        Webhook::Conversion => return Ok(converted(&review)),
    };
    let mut response = json!({"uid": uid, "allowed": matches!(verdict, Verdict::Allowed { .. })});
    let answer = match verdict {
        Verdict::Allowed { warnings } => {
            if !warnings.is_empty() {
                response["warnings"] = json!(warnings);
            }
            "allowed"
        }
        Verdict::Denied { message, warnings } => {
            response["status"] = json!({"code": 403, "reason": "Forbidden", "message": message});
            if !warnings.is_empty() {
                response["warnings"] = json!(warnings);
            }
            "denied"
        }
        Verdict::Unreadable { message } => {
            response["status"] = json!({"code": 400, "reason": "BadRequest", "message": message});
            "unreadable"
        }
    };
    let review =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    Ok(Answered { review, answer })
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Allowed { warnings: Vec<String> },
    Denied { message: String, warnings: Vec<String> },
    Unreadable { message: String },
}

impl Verdict {
    fn allowed() -> Self {
        Self::Allowed { warnings: Vec::new() }
    }

    fn denied(message: &str) -> Self {
        Self::Denied {
            message: message.to_owned(),
            warnings: Vec::new(),
        }
    }
}

fn namespace(request: &Value) -> Verdict {
    if request["operation"] != "DELETE" {
        return Verdict::denied("not implemented");
    }
    match request["oldObject"]["metadata"]["labels"].get(admission::NAMESPACE_LABEL) {
        Some(_) => Verdict::denied(admission::NAMESPACE_MESSAGE),
        None => Verdict::allowed(),
    }
}

fn validated(kind: Kind, request: &Value, cluster: &Cluster) -> Verdict {
    let is_update = request["operation"] == "UPDATE";
    if !is_update && request["operation"] != "CREATE" {
        return Verdict::denied("not implemented");
    }
    let (object, old) = (&request["object"], &request["oldObject"]);
    let modules = module_of(kind, object).map(|module| {
        // One that is stored and cannot be read forbids nothing: it is to be mended.
        let old = is_update.then(|| module_of(kind, old).ok()).flatten().flatten();
        (module, old)
    });
    let (module, old_module) = match modules {
        Ok(modules) => modules,
        // It may still lose its finalizers.
        Err(error) if is_update && object["spec"] == old["spec"] => {
            let warning = cut(&format!("as stored: {error}"), LONGEST_WARNING);
            return Verdict::Allowed {
                warnings: vec![warning],
            };
        }
        Err(error) => {
            let message = format!("the object cannot be read: {error}");
            return Verdict::Unreadable { message };
        }
    };
    let node = Node::from(object);
    let facts = Facts::of(kind, &node, module.as_ref());
    let subject = Subject {
        kind,
        node: &node,
        module: module.as_ref(),
        old: old_module.as_ref(),
        neighbours: Neighbours::none(),
        cluster,
        facts: &facts,
    };
    let faults = admission::denials(&subject);
    let lints = validate::check(&subject);
    let mut warnings: Vec<String> = lints.iter().filter(|found| is_told(found)).map(warning).collect();
    // What is stored was let in by older rules. It may still lose its finalizers, or get a label.
    if is_update && object["spec"] == old["spec"] {
        let stored = faults
            .iter()
            .map(|fault| cut(&format!("as stored: {}", fault.message), LONGEST_WARNING));
        warnings.splice(0..0, stored);
        warnings.truncate(MOST_WARNINGS);
        return Verdict::Allowed { warnings };
    }
    warnings.truncate(MOST_WARNINGS);
    match denial(&faults) {
        Some(message) => Verdict::Denied { message, warnings },
        None => Verdict::Allowed { warnings },
    }
}

/// The Module that an object is, or holds.
fn module_of(kind: Kind, object: &Value) -> Result<Option<Module>, serde_json::Error> {
    match kind {
        Kind::Module => Module::deserialize(object).map(Some),
        Kind::ManagedClusterModule => {
            let module = json!({"metadata": {}, "spec": object["spec"]["moduleSpec"]});
            serde_json::from_value(module).map(Some)
        }
        Kind::PreflightValidation | Kind::ConfigMap => Ok(None),
    }
}

/// One fault is told in the words of the Go operator; of several, each on a line of its own, with its code and place.
fn denial(faults: &[Denial]) -> Option<String> {
    match faults {
        [] => None,
        [one] => Some(cut(&one.message, LONGEST_DENIAL)),
        several => {
            let mut message = format!("{} faults:", several.len());
            for fault in several.iter().take(MOST_FINDINGS) {
                let Diagnostic { code, path, .. } = &fault.diagnostic;
                let _ = write!(message, "\n- {code}: {path}: {}", fault.message);
            }
            if several.len() > MOST_FINDINGS {
                message.push_str("\n- ...");
            }
            Some(cut(&message, LONGEST_DENIAL))
        }
    }
}

/// Whether a finding is a lint that somebody should read who applies a manifest.
fn is_told(found: &Diagnostic) -> bool {
    !found.admission && found.severity >= Severity::Warning
}

fn warning(found: &Diagnostic) -> String {
    cut(
        &format!("{}: {}: {}", found.code, found.path, found.message),
        LONGEST_WARNING,
    )
}

/// At most so many bytes of a text, cut between characters.
fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// The review that answers another one: of the same version, because the API server understands no other. Upstream's CRD
/// names versions of the kind where those of the review belong, and so gets `v1beta1`, which has the same fields.
fn reply(review: &Value, response: &Value) -> Value {
    json!({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response})
}

fn converted(review: &Value) -> Answered {
    let request = &review["request"];
    let uid = &request["uid"];
    let desired = request["desiredAPIVersion"].as_str().unwrap_or_default();
    let objects = request["objects"].as_array().map_or(&[][..], Vec::as_slice);
    let result: Result<Vec<Value>, String> = objects.iter().map(|object| convert(object, desired)).collect();
    let (response, answer) = match result {
        Ok(objects) => {
            let result = json!({"status": "Success"});
            (
                json!({"uid": uid, "convertedObjects": objects, "result": result}),
                "converted",
            )
        }
        Err(message) => {
            let result = json!({"status": "Failure", "message": message});
            (json!({"uid": uid, "result": result}), "failed")
        }
    };
    Answered {
        review: reply(review, &response),
        answer,
    }
}

/// A PreflightValidation in another version. All but version and status stays as it is, byte for byte.
fn convert(object: &Value, desired: &str) -> Result<Value, String> {
    let from = object["apiVersion"].as_str().unwrap_or_default();
    if object["kind"] != "PreflightValidation" {
        return Err(format!(
            "{} cannot be converted: only PreflightValidation can",
            object["kind"]
        ));
    }
    let mut converted = object.clone();
    let status = match (from, desired) {
        (V1BETA1, V1BETA1) | (V1BETA2, V1BETA2) => return Ok(converted),
        (V1BETA1, V1BETA2) => {
            let old: v1beta1::PreflightValidation = read(object)?;
            json!(v1beta2::PreflightValidation::from(old).status)
        }
        (V1BETA2, V1BETA1) => {
            let new: v1beta2::PreflightValidation = read(object)?;
            json!(v1beta1::PreflightValidation::from(new).status)
        }
        _ => {
            return Err(format!(
                "no way from `{from}` to `{desired}`: there are {V1BETA1} and {V1BETA2}"
            ));
        }
    };
    converted["apiVersion"] = json!(desired);
    if !object["status"].is_null() {
        converted["status"] = status;
    }
    Ok(converted)
}

fn read<'a, T: Deserialize<'a>>(object: &'a Value) -> Result<T, String> {
    T::deserialize(object).map_err(|error| format!("{} cannot be read: {error}", object["metadata"]["name"]))
}

#[cfg(test)]
mod tests;
