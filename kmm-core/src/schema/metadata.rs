//! What every object of Kubernetes has to have: kind, name, namespace, labels that are labels.

use super::Resource;
use super::faults;
use crate::diag::Diagnostic;
use crate::document::Mapping;
use crate::document::Node;
use crate::document::Value;
use crate::go_text::quote;
use crate::naming;
use crate::path::FieldPath;

/// Most bytes of all annotations together, keys and values.
const ANNOTATIONS_MAX: usize = 256 * 1024;

pub(super) fn identify(node: &Node) -> Result<Resource, Box<Diagnostic>> {
    let text = |field: &str| node.get(field).and_then(Node::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if let Some(resource) = Resource::find(api_version, kind) {
        return Ok(resource);
    }
    let fault = |field: &str, message: String| {
        Box::new(faults::KIND.finding(FieldPath::of(field), message).refused())
    };
    if kind.is_empty() {
        return Err(fault("kind", "Object 'Kind' is missing".to_owned()));
    }
    let versions: Vec<&str> = Resource::ALL
        .into_iter()
        .filter(|resource| resource.kind() == kind)
        .map(Resource::api_version)
        .collect();
    if versions.is_empty() {
        return Err(fault(
            "kind",
            format!("no kind `{kind}` is known to the operator"),
        ));
    }
    let message = if api_version.is_empty() {
        "Object 'apiVersion' is missing".to_owned()
    } else {
        format!(
            "no matches for kind {} in version {}",
            quote(kind),
            quote(api_version)
        )
    };
    let mut found = fault("apiVersion", message);
    found.help = Some(format!("write `{}`", versions.join("` or `")));
    Err(found)
}

/// Faults of the object's kind and metadata.
pub(super) fn faults_of(resource: Resource, node: &Node) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    type_faults(resource, node, &mut found);
    if !found.is_empty() {
        return found;
    }
    let metadata = node.get("metadata");
    match metadata.map(|metadata| &metadata.value) {
        None | Some(Value::Null | Value::Mapping(_)) => {}
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Sequence(_)) => {
            let message = "Invalid value: metadata in body must be of type object";
            return vec![faults::TYPE.finding(FieldPath::of("metadata"), message).refused()];
        }
    }
    name_faults(metadata, &mut found);
    namespace_faults(resource, metadata, &mut found);
    label_faults(metadata, &mut found);
    annotation_faults(metadata, &mut found);
    finalizer_faults(metadata, &mut found);
    found
}

fn type_faults(resource: Resource, node: &Node, found: &mut Vec<Diagnostic>) {
    for (field, wanted) in [("kind", resource.kind()), ("apiVersion", resource.api_version())] {
        let given = node.get(field).and_then(Node::as_str).unwrap_or_default();
        if given != wanted {
            let message = format!("Invalid value: {}: must be {wanted}", quote(given));
            let fault = faults::KIND.finding(FieldPath::of(field), message).refused();
            found.push(fault.with_help(format!("write `{wanted}`")));
        }
    }
}

/// The string in `field`; a fault where there is something else.
fn string<'n>(metadata: Option<&'n Node>, field: &str, found: &mut Vec<Diagnostic>) -> Option<&'n str> {
    let node = metadata?.get(field)?;
    match &node.value {
        Value::String(text) => Some(text),
        Value::Null => None,
        Value::Bool(_) | Value::Number(_) | Value::Sequence(_) | Value::Mapping(_) => {
            found.push(not_a_string(FieldPath::of("metadata").field(field)));
            None
        }
    }
}

fn not_a_string(path: FieldPath) -> Diagnostic {
    let message = format!("Invalid value: {path} must be a string");
    faults::TYPE
        .finding(path, message)
        .refused()
        .with_help("quote it")
}

fn name_faults(metadata: Option<&Node>, found: &mut Vec<Diagnostic>) {
    let before = found.len();
    let prefix = string(metadata, "generateName", found).unwrap_or_default();
    let name = string(metadata, "name", found).unwrap_or_default();
    if found.len() > before {
        return;
    }
    let invalid = |field: &str, text: &str, reason: String| {
        let message = format!("Invalid value: {}: {reason}", quote(text));
        let path = FieldPath::of("metadata").field(field);
        faults::NAME.finding(path, message).refused()
    };
    if !prefix.is_empty() {
        // What is generated ends in letters and digits, so a dash before them is fine.
        let masked = prefix.strip_suffix('-').filter(|rest| !rest.is_empty());
        let reasons = naming::dns1123_subdomain(masked.unwrap_or(prefix));
        found.extend(
            reasons
                .into_iter()
                .map(|reason| invalid("generateName", prefix, reason)),
        );
    }
    if !name.is_empty() {
        let reasons = naming::dns1123_subdomain(name);
        found.extend(reasons.into_iter().map(|reason| invalid("name", name, reason)));
    } else if prefix.is_empty() {
        let message = "Required value: name or generateName is required";
        found.push(
            faults::NAME
                .finding(FieldPath::of("metadata.name"), message)
                .refused(),
        );
    }
}

/// A missing namespace is no fault: the request names one.
fn namespace_faults(resource: Resource, metadata: Option<&Node>, found: &mut Vec<Diagnostic>) {
    let Some(namespace) = string(metadata, "namespace", found).filter(|text| !text.is_empty()) else {
        return;
    };
    let fault = |message: String| {
        faults::NAMESPACE
            .finding(FieldPath::of("metadata.namespace"), message)
            .refused()
    };
    if resource.namespaced() {
        let reasons = naming::dns1123_label(namespace);
        let faults = reasons
            .into_iter()
            .map(|reason| fault(format!("Invalid value: {}: {reason}", quote(namespace))));
        found.extend(faults);
    } else {
        let help = format!("remove it: a {} is cluster-scoped", resource.kind());
        found.push(fault("Forbidden: not allowed on this type".to_owned()).with_help(help));
    }
}

fn label_faults(metadata: Option<&Node>, found: &mut Vec<Diagnostic>) {
    let path = FieldPath::of("metadata.labels");
    for (key, value) in strings(metadata, "labels", found) {
        let key_reasons = naming::qualified_name(key)
            .into_iter()
            .map(|reason| (key, reason));
        let value_reasons = naming::label_value(value)
            .into_iter()
            .map(|reason| (value, reason));
        for (text, reason) in key_reasons.chain(value_reasons) {
            let message = format!("Invalid value: {}: {reason}", quote(text));
            found.push(faults::LABELS.finding(path.field(key), message).refused());
        }
    }
}

fn annotation_faults(metadata: Option<&Node>, found: &mut Vec<Diagnostic>) {
    let path = FieldPath::of("metadata.annotations");
    let mut size = 0;
    for (key, value) in strings(metadata, "annotations", found) {
        size += key.len() + value.len();
        // Case does not matter in annotation keys.
        for reason in naming::qualified_name(&key.to_lowercase()) {
            let message = format!("Invalid value: {}: {reason}", quote(key));
            found.push(faults::LABELS.finding(path.field(key), message).refused());
        }
    }
    if size > ANNOTATIONS_MAX {
        let message = format!("Too long: may not be more than {ANNOTATIONS_MAX} bytes");
        found.push(faults::LABELS.finding(path, message).refused());
    }
}

fn finalizer_faults(metadata: Option<&Node>, found: &mut Vec<Diagnostic>) {
    let path = FieldPath::of("metadata.finalizers");
    let items = metadata.and_then(|metadata| metadata.get("finalizers"));
    for (i, item) in items
        .and_then(Node::as_sequence)
        .into_iter()
        .flatten()
        .enumerate()
    {
        let Some(text) = item.as_str() else {
            found.push(not_a_string(path.index(i)));
            continue;
        };
        for reason in naming::qualified_name(text) {
            let message = format!("Invalid value: {}: {reason}", quote(text));
            found.push(faults::LABELS.finding(path.index(i), message).refused());
        }
    }
}

/// The entries of a map of strings; a fault for each that is none. A null counts as the empty string.
fn strings<'n>(
    metadata: Option<&'n Node>,
    field: &str,
    found: &mut Vec<Diagnostic>,
) -> Vec<(&'n str, &'n str)> {
    let mapping = metadata.and_then(|metadata| metadata.get(field)?.as_mapping());
    let path = FieldPath::of("metadata").field(field);
    let mut pairs = Vec::new();
    for entry in mapping.into_iter().flat_map(Mapping::effective) {
        match &entry.value.value {
            Value::String(text) => pairs.push((entry.key.as_str(), text.as_str())),
            Value::Null => pairs.push((entry.key.as_str(), "")),
            Value::Bool(_) | Value::Number(_) | Value::Sequence(_) | Value::Mapping(_) => {
                found.push(not_a_string(path.field(&entry.key)));
            }
        }
    }
    pairs
}
