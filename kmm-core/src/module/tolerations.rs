//! Tolerations: the user's and the operator's.

use crate::api::Toleration;

use super::origin::Origins;
use super::origin::Source;

/// What every worker pod tolerates, and every node may have: pressure on disk, memory and process numbers.
///
/// # Example: their keys
///
/// ```
/// use kmm_core::module::internal_tolerations;
///
/// let [disk, ..] = internal_tolerations();
/// assert_eq!(disk.key, "node.kubernetes.io/disk-pressure");
/// ```
pub fn internal_tolerations() -> [Toleration; 3] {
    [
        "node.kubernetes.io/disk-pressure",
        "node.kubernetes.io/memory-pressure",
        "node.kubernetes.io/pid-pressure",
    ]
    .map(|key| Toleration {
        key: key.to_owned(),
        operator: "Exists".to_owned(),
        effect: "NoSchedule".to_owned(),
        ..Toleration::default()
    })
}

/// The Module's, then the operator's.
pub(super) fn merge(spec: &[Toleration], origins: &mut Origins) -> Vec<Toleration> {
    let internal = internal_tolerations();
    for index in 0..spec.len() {
        origins.add(format!("tolerations[{index}]"), Source::Spec);
    }
    for index in spec.len()..spec.len() + internal.len() {
        origins.add(format!("tolerations[{index}]"), Source::Operator);
    }
    spec.iter().cloned().chain(internal).collect()
}
