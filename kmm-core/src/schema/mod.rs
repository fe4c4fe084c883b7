//! What the API server makes of an object of the operator's kinds: the schemas of the CRDs, applied.
//!
//! [`check`] does what a create request does before any webhook sees the object: unknown fields are dropped, defaults
//! filled in, nulls dropped, then types, required fields, values, patterns, list lengths, list keys and the one rule
//! between fields are checked. Messages are the API server's own.
//!
//! Surprises:
//! - An unknown field is no fault to the API server: it is dropped. `kubectl` refuses it, unless told not to.
//! - `null` for a field with a default takes the default; for any other field it says the same as leaving the field
//!   out. `null` as an item of a list is refused.
//! - A whole float (`5.0`) passes for an integer. The widths of integers (`int32`) are not checked.
//! - The status is cleared when an object is created, so no fault in it refuses anything.
//! - Rules between fields are checked only where every type, required field, length and choice is right.
//! - The metadata of a volume claim template is dropped whole: the CRDs say nothing of what it holds.
//! - The API server reports in random order; here it is the order of the keys.
//!
//! The data (`data/*.json`) are facts without prose: the operator's own fields from its API reference, those of
//! Kubernetes (volumes, environment, resources, device selectors) from the Go types of Kubernetes 1.35, both run
//! through controller-gen 0.20 with descriptions off, then with repeated parts put into fragments. The conformance
//! vectors under `tests/data/schema/` are the answers of Kubernetes' own validator (apiextensions-apiserver 0.35) to
//! the same schemas.
//!
//! What this module does not do: compare with the stored object. The API server lets old faults pass on update
//! ("ratcheting"); here they are reported.

mod check;
mod date_time;
mod faults;
mod metadata;
mod model;
mod resource;
mod similar;
mod store;
mod trail;

use serde_json::Value;

use crate::diag::Diagnostic;
use crate::diag::Edit;
use crate::diag::Part;
use crate::document;
use crate::document::Node;
use crate::path::FieldPath;
use crate::path::Segment;

use model::Schema;
use model::Schemas;

pub use faults::rules;
pub use resource::Resource;

/// What [`check`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Faults for which the API server refuses the object, message as it prints it behind the path.
    pub errors: Vec<Diagnostic>,
    /// What it takes without a word, but was hardly meant: unknown and duplicate fields, faults in the status.
    pub warnings: Vec<Diagnostic>,
    /// Fields that no schema knows.
    pub unknown: Vec<FieldPath>,
    /// Fields that are given more than once.
    pub duplicates: Vec<FieldPath>,
    /// The object as it is stored: unknown fields and nulls dropped, defaults filled in.
    pub stored: Value,
}

impl Report {
    /// Whether the API server takes the object.
    pub fn accepted(&self) -> bool {
        self.errors.is_empty()
    }
}

/// Which resource `node` is.
///
/// # Errors
///
/// Gives the finding where `apiVersion` or `kind` is missing, or they name none of the operator's kinds.
pub fn identify(node: &Node) -> Result<Resource, Box<Diagnostic>> {
    metadata::identify(node)
}

/// Checks `node` as the API server checks an object of `resource` that is to be created.
///
/// # Example: a field forgotten, another mistyped
///
/// ```
/// use kmm_core::document::Node;
/// use kmm_core::schema::{self, Resource};
///
/// let node: Node = serde_json::from_str(r#"{
///     "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module",
///     "metadata": {"name": "nic", "namespace": "drivers"},
///     "spec": {"selectr": {}}
/// }"#).unwrap();
/// let report = schema::check(Resource::Module, &node);
/// assert_eq!(report.errors[0].to_string(), "error[KMM0102]: spec.selector: Required value");
/// assert_eq!(report.unknown[0].to_string(), "spec.selectr");
/// ```
pub fn check(resource: Resource, node: &Node) -> Report {
    let schemas = Schemas::shared();
    let schema = schemas.of(resource);
    let mut stored = node.to_json();
    let unknown = store::settle(schemas, schema, &mut stored);

    let mut errors = metadata::faults_of(resource, node);
    errors.extend(check::faults_of(schemas, schema, &stored));
    store::normalise_numbers(&mut stored);

    let mut duplicates = Vec::new();
    find_duplicates(node, &FieldPath::root(), &mut duplicates);

    let mut warnings: Vec<Diagnostic> = Vec::new();
    let is_status = |found: &mut Diagnostic| in_status(&found.path);
    warnings.extend(errors.extract_if(.., is_status).map(status_fault));
    warnings.extend(
        unknown
            .iter()
            .map(|path| unknown_field(schemas, schema, node, path)),
    );
    warnings.extend(duplicates.iter().map(duplicate_field));
    Report {
        errors,
        warnings,
        unknown,
        duplicates,
        stored,
    }
}

/// What Go would decode of `report`'s object; `None` where a value is of another type than its field.
pub(crate) fn decodable(resource: Resource, report: &Report) -> Option<Value> {
    let mut value = report.stored.clone();
    let schemas = Schemas::shared();
    store::zero_nulls(schemas, schemas.of(resource), &mut value);
    let faults = check::faults_of(schemas, schemas.of(resource), &value);
    let mut metadata = report.errors.iter().filter(|fault| in_metadata(&fault.path));
    let mistyped = |fault: &Diagnostic| fault.code == TYPE_CODE;
    if faults.iter().any(mistyped) || metadata.any(mistyped) {
        return None;
    }
    Some(value)
}

/// The schema of `resource` as OpenAPI v3, as it stands in the CRD, without descriptions.
pub fn openapi(resource: Resource) -> Value {
    model::openapi(resource)
}

fn in_status(path: &FieldPath) -> bool {
    matches!(path.segments().first(), Some(Segment::Field(name)) if name == "status")
}

const TYPE_CODE: &str = faults::TYPE.code;

fn in_metadata(path: &FieldPath) -> bool {
    matches!(path.segments().first(), Some(Segment::Field(name)) if name == "metadata")
}

fn status_fault(fault: Diagnostic) -> Diagnostic {
    faults::STATUS
        .finding(fault.path, fault.message)
        .with_help("remove `status`: the operator writes it, and it is dropped when the object is created")
}

fn duplicate_field(path: &FieldPath) -> Diagnostic {
    let name = last_field(path);
    faults::DUPLICATE_FIELD
        .finding(path.clone(), format!("duplicate field `{name}`"))
        .at(Part::Key)
        .with_help("keep one of them; the last one counts")
}

fn unknown_field(schemas: &Schemas, root: &Schema, node: &Node, path: &FieldPath) -> Diagnostic {
    let name = last_field(path);
    let found = faults::UNKNOWN_FIELD
        .finding(path.clone(), format!("unknown field `{name}`"))
        .at(Part::Key);
    let parent = path.parent().unwrap_or_default();
    let Some(schema) = schema_at(schemas, root, &parent) else {
        return found.with_help("remove it: it is dropped");
    };
    let taken = |field: &str| node.at(&parent).is_some_and(|object| object.get(field).is_some());
    match similar::closest(name, schema.properties.keys().map(String::as_str)) {
        similar::Closest::One(field) if taken(field) => found.with_help(format!(
            "remove it: it is dropped, and `{field}` is there already"
        )),
        similar::Closest::One(field) => found
            .with_help(format!("did you mean `{field}`?"))
            .with_suggestion([Edit::RenameKey {
                path: path.clone(),
                key: field.to_owned(),
            }]),
        similar::Closest::Many(fields) => {
            let fields: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
            found.with_help(format!("did you mean {}?", fields.join(" or ")))
        }
        similar::Closest::None => match elsewhere(schemas, root, name) {
            Some(place) => found.with_help(format!("remove it, or move it: there is `{place}`")),
            None => found.with_help("remove it: it is dropped"),
        },
    }
}

/// The only place where the schema has a field called `name`, in lists `[]`.
fn elsewhere(schemas: &Schemas, root: &Schema, name: &str) -> Option<String> {
    let mut places = Vec::new();
    let spec = schemas.resolve(root).properties.get("spec")?;
    collect_places(schemas, spec, "spec", name, &mut places);
    match &places[..] {
        [place] => Some(place.clone()),
        _ => None,
    }
}

fn collect_places(schemas: &Schemas, schema: &Schema, at: &str, name: &str, places: &mut Vec<String>) {
    let schema = schemas.resolve(schema);
    for (field, child) in &schema.properties {
        let here = format!("{at}.{field}");
        collect_places(schemas, child, &here, name, places);
        if field == name {
            places.push(here);
        }
    }
    if let Some(item) = &schema.items {
        collect_places(schemas, item, &format!("{at}[]"), name, places);
    }
}

fn schema_at<'s>(schemas: &'s Schemas, root: &'s Schema, path: &FieldPath) -> Option<&'s Schema> {
    let mut schema = schemas.resolve(root);
    for segment in path.segments() {
        let next = match segment {
            Segment::Field(name) => schema
                .properties
                .get(name)
                .or(schema.additional_properties.as_deref()),
            Segment::Index(_) => schema.items.as_deref(),
        };
        schema = schemas.resolve(next?);
    }
    Some(schema)
}

fn find_duplicates(node: &Node, path: &FieldPath, found: &mut Vec<FieldPath>) {
    match &node.value {
        document::Value::Mapping(mapping) => {
            let mut seen: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
            for entry in &mapping.entries {
                let times = seen.entry(&entry.key).or_default();
                *times += 1;
                if *times == 2 {
                    found.push(path.field(&entry.key));
                }
                find_duplicates(&entry.value, &path.field(&entry.key), found);
            }
        }
        document::Value::Sequence(items) => {
            for (i, item) in items.iter().enumerate() {
                find_duplicates(item, &path.index(i), found);
            }
        }
        document::Value::Null
        | document::Value::Bool(_)
        | document::Value::Number(_)
        | document::Value::String(_) => {}
    }
}

fn last_field(path: &FieldPath) -> &str {
    match path.segments().last() {
        Some(Segment::Field(name)) => name,
        Some(Segment::Index(_)) | None => "",
    }
}
