//! What the Go operator's webhooks refuse, in their order and words.
//!
//! A webhook stops at its first fault. The rules here go on, so that one look shows them all; the [`denials`] come in the
//! order of the webhook's own checks, and [`webhook_message`] is what it would print: the first of them.
//!
//! Surprises:
//! - Name and namespace together may have 41 bytes. The message says "when version is set", but the rule holds always;
//!   for a ManagedClusterModule it never does, as the hub checks its spec without a name.
//! - An empty `inTreeModulesToRemove` or `modulesLoadingOrder` counts as set.
//! - An image counts as tagged when it has any `:`, the one of a registry port too.
//! - `dirName` is compared as it is written: with a slash at its end no file to sign is below it.
//! - A kernel version of a PreflightValidation needs three parts between `.`, `,` and `-`, numbers or not.
//! - An update is checked as a whole: an object that older rules let in can no longer be changed until it is mended, nor
//!   its finalizers be removed.
//! - The schema is not checked here; a webhook sees only what passed [`schema::check`](crate::schema::check).

mod denial;
mod device_class;
mod dra_driver_name;
mod dra_kubernetes;
mod host_path;
mod image_format;
mod in_tree;
mod loading_order;
mod mapping_image;
mod mapping_match;
mod mapping_regexp;
mod modprobe_args;
mod name_length;
mod preflight_kernel;
mod sign_dir_name;
mod sign_files;
mod toleration_effect;
mod toleration_empty_key;
mod toleration_key;
mod toleration_operator;
mod toleration_seconds;
mod toleration_value;
mod version_toggle;

use denial::Denials;
use denial::Find;

use super::Rule;
use super::Subject;

pub use denial::Denial;

/// Every rule of the webhooks, in the order in which they are first asked.
pub fn rules() -> &'static [Rule] {
    &RULES
}

/// Everything for which the webhook of `subject`'s kind would refuse it, in the order of the webhook's checks.
///
/// # Example: two faults, of which the webhook prints the first
///
/// ```
/// use kmm_core::api::Module;
/// use kmm_core::document::Node;
/// use kmm_core::validate::{Cluster, Facts, Kind, Neighbours, Subject, admission};
///
/// let json = serde_json::json!({"metadata": {"name": "nic"}, "spec": {
///     "selector": {},
///     "tolerations": [{"key": "a", "effect": "NoRun"}],
///     "moduleLoader": {"container": {
///         "modprobe": {"moduleName": "nic", "dirName": "/opt"},
///         "kernelMappings": [{"containerImage": "registry.example/nic:1"}],
///     }},
/// }});
/// let (node, module) = (Node::from(&json), serde_json::from_value::<Module>(json).unwrap());
/// let subject = Subject {
///     kind: Kind::Module,
///     node: &node,
///     module: Some(&module),
///     old: None,
///     neighbours: Neighbours::none(),
///     cluster: &Cluster::default(),
///     facts: Facts::none(),
/// };
/// let denials = admission::denials(&subject);
/// assert_eq!(denials.len(), 2);
/// assert_eq!(denials[1].diagnostic.message, "regexp or literal must be set at kernelMappings[0]");
/// assert_eq!(
///     admission::webhook_message(&subject).unwrap(),
///     "failed to validate Module's tolerations: Toleration[0] invalid effect 'NoRun', \
///      allowed values are ['NoSchedule', 'PreferNoSchedule', 'NoExecute']",
/// );
/// ```
pub fn denials(subject: &Subject<'_>) -> Vec<Denial> {
    let mut denials = Denials::default();
    for find in FINDERS {
        find(subject, &mut denials);
    }
    denials.in_order()
}

/// What the Go operator's webhook prints when it refuses `subject`; `None` where it does not.
pub fn webhook_message(subject: &Subject<'_>) -> Option<String> {
    denials(subject).into_iter().next().map(|denial| denial.message)
}

/// The label that marks namespaces with Modules.
pub const NAMESPACE_LABEL: &str = "kmm.node.k8s.io/contains-modules";

/// What the webhook prints when it refuses to delete a namespace that bears [`NAMESPACE_LABEL`].
pub const NAMESPACE_MESSAGE: &str =
    "namespace contains one or more Module resources; delete those before deleting the namespace";

static RULES: [Rule; 22] = [
    version_toggle::RULE,
    name_length::RULE,
    toleration_key::RULE,
    toleration_empty_key::RULE,
    toleration_seconds::RULE,
    toleration_value::RULE,
    toleration_operator::RULE,
    toleration_effect::RULE,
    dra_kubernetes::RULE,
    dra_driver_name::RULE,
    device_class::RULE,
    host_path::RULE,
    in_tree::RULE,
    image_format::RULE,
    mapping_match::RULE,
    mapping_regexp::RULE,
    mapping_image::RULE,
    modprobe_args::RULE,
    loading_order::RULE,
    sign_files::RULE,
    sign_dir_name::RULE,
    preflight_kernel::RULE,
];

const FINDERS: [Find; 22] = [
    version_toggle::find,
    name_length::find,
    toleration_key::find,
    toleration_empty_key::find,
    toleration_seconds::find,
    toleration_value::find,
    toleration_operator::find,
    toleration_effect::find,
    dra_kubernetes::find,
    dra_driver_name::find,
    device_class::find,
    host_path::find,
    in_tree::find,
    image_format::find,
    mapping_match::find,
    mapping_regexp::find,
    mapping_image::find,
    modprobe_args::find,
    loading_order::find,
    sign_files::find,
    sign_dir_name::find,
    preflight_kernel::find,
];
