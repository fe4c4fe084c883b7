//! From an object as it was written to everything that is wrong with it.

use serde_json::Value;

use crate::api::ManagedClusterModule;
use crate::api::Module;
use crate::diag::Diagnostic;
use crate::document::Node;
use crate::path::FieldPath;
use crate::path::Segment;
use crate::schema;
use crate::schema::Resource;

use super::Cluster;
use super::Facts;
use super::Kind;
use super::Neighbours;
use super::Subject;
use super::check;

/// What is known around an object under check; by default nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
    /// The objects of the same files: Modules, ConfigMaps.
    pub neighbours: Option<&'a Neighbours<'a>>,
    /// The object that this one would replace, where an update is checked.
    pub old: Option<&'a Node>,
    /// The cluster that it is for.
    pub cluster: Option<&'a Cluster>,
}

/// Everything that is wrong with an object, in the order in which it stands in the document: faults of the schema, what
/// the webhook refuses, lints.
///
/// Objects of kinds that have nothing to do with the operator have no findings.
///
/// # Example: from text to findings
///
/// ```
/// # #[cfg(feature = "yaml")] {
/// use kmm_core::document::{Limits, read};
/// use kmm_core::validate::{Surroundings, examine};
///
/// let text = "
/// apiVersion: kmm.sigs.x-k8s.io/v1beta1
/// kind: Module
/// metadata: {name: nic, namespace: drivers}
/// spec:
///   selector: {}
///   moduleLoader:
///     container:
///       modprobe: {moduleName: nic}
///       kernelMappings:
///         - {regexp: '^.+$', containerImage: 'registry.example/nic'}
/// ";
/// let stream = read(text, &Limits::default());
/// let object = stream.objects().next().unwrap();
/// let found = examine(object.node, &Surroundings::default());
/// assert!(found[0].admission);
/// assert_eq!(found[0].path.to_string(), "spec.moduleLoader.container.kernelMappings[0].containerImage");
/// # }
/// ```
pub fn examine(node: &Node, around: &Surroundings<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut stored = None;
    let resource = match schema::identify(node) {
        Ok(resource) => {
            let mut report = schema::check(resource, node);
            report
                .errors
                .iter()
                .for_each(|fault| mend(&mut report.stored, &fault.path));
            found.extend(report.errors);
            // Of a text, its reader has told the duplicates, with both places.
            let is_told =
                |found: &Diagnostic| !node.span.is_empty() && report.duplicates.contains(&found.path);
            found.extend(report.warnings.into_iter().filter(|found| !is_told(found)));
            stored = Some(report.stored);
            Some(resource)
        }
        Err(unknown) => {
            found.extend(is_ours(node).then_some(*unknown));
            None
        }
    };
    if let Some(kind) = kind_of(resource, node) {
        let module = stored.and_then(|stored| module_of(resource?, stored));
        let old = around.old.and_then(|old| {
            let resource = schema::identify(old).ok()?;
            module_of(resource, schema::check(resource, old).stored)
        });
        let facts = Facts::of(kind, node, module.as_ref());
        let meant = check::find(&Subject {
            kind,
            node,
            module: module.as_ref(),
            old: old.as_ref(),
            neighbours: around.neighbours.unwrap_or(Neighbours::none()),
            cluster: around.cluster.unwrap_or(&Cluster::default()),
            facts: &facts,
        });
        // A rule that looks at a value which was mended would not speak of what is written there.
        let mended: Vec<FieldPath> = found
            .iter()
            .filter(|fault| fault.admission)
            .map(|fault| fault.path.clone())
            .collect();
        found.extend(
            meant
                .into_iter()
                .filter(|finding| finding.fix.is_some() || !mended.contains(&finding.path)),
        );
    }
    check::in_order(node, check::merged(found))
}

/// Makes a value that the schema refuses one that a Module can be read from: the other rules are to see the rest.
///
/// A scalar becomes a string, as most scalars of a manifest are; anything else goes.
fn mend(stored: &mut Value, path: &FieldPath) {
    let mut place = Some(stored);
    for segment in path.segments() {
        place = place.and_then(|value| match segment {
            Segment::Field(name) => value.get_mut(name),
            Segment::Index(index) => value.get_mut(index),
        });
    }
    if let Some(value) = place {
        *value = match &value {
            Value::Bool(value) => Value::String(value.to_string()),
            Value::Number(value) => Value::String(value.to_string()),
            Value::String(_) => return,
            Value::Null | Value::Array(_) | Value::Object(_) => Value::Null,
        };
    }
}

/// Whether `node` says that it is one of the operator's objects.
fn is_ours(node: &Node) -> bool {
    let text = |field: &str| node.get(field).and_then(Node::as_str).unwrap_or_default();
    let group = text("apiVersion").split('/').next().unwrap_or_default();
    [crate::api::GROUP, crate::api::HUB_GROUP].contains(&group)
        || Resource::ALL
            .iter()
            .any(|resource| resource.kind() == text("kind"))
}

fn kind_of(resource: Option<Resource>, node: &Node) -> Option<Kind> {
    match resource {
        Some(Resource::Module) => Some(Kind::Module),
        Some(Resource::ManagedClusterModule) => Some(Kind::ManagedClusterModule),
        Some(Resource::PreflightValidation | Resource::PreflightValidationV1beta1) => {
            Some(Kind::PreflightValidation)
        }
        Some(
            Resource::NodeModulesConfig | Resource::ModuleImagesConfig | Resource::ModuleBuildSignConfig,
        ) => None,
        None if node.get("kind").and_then(Node::as_str) == Some("ConfigMap") => Some(Kind::ConfigMap),
        None => None,
    }
}

/// The Module that a stored object is; a ManagedClusterModule is checked as one without a name.
fn module_of(resource: Resource, stored: serde_json::Value) -> Option<Module> {
    if resource == Resource::ManagedClusterModule {
        let outer: ManagedClusterModule = serde_json::from_value(stored).ok()?;
        return Some(Module {
            spec: outer.spec.module_spec,
            ..Module::default()
        });
    }
    (resource == Resource::Module).then(|| serde_json::from_value(stored).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(json: &serde_json::Value) -> Vec<&'static str> {
        let found = examine(&Node::from(json), &Surroundings::default());
        found.iter().map(|found| found.code).collect()
    }

    #[test]
    fn other_kinds_have_no_findings() {
        assert!(codes(&serde_json::json!({"apiVersion": "v1", "kind": "Pod", "spec": 5})).is_empty());
    }

    #[test]
    fn an_unknown_kind_of_our_group_is_a_finding() {
        assert_eq!(
            codes(&serde_json::json!({"apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Modul"})).len(),
            1
        );
        assert_eq!(
            codes(&serde_json::json!({"apiVersion": "kmm.sigs.x-k8s.io/v1", "kind": "Module"})).len(),
            1
        );
    }
}
