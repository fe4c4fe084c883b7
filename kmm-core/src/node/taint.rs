//! Taints, and what tolerates them.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::api::Toleration;

use super::facts::or_default;

/// A taint of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Taint {
    /// Key.
    #[serde(deserialize_with = "or_default")]
    pub key: String,
    /// Value, often empty.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    #[serde(deserialize_with = "or_default")]
    pub effect: String,
}

impl Taint {
    /// Whether a node with it is not targeted unless it is tolerated: effect `NoSchedule` or `NoExecute`.
    pub fn blocks(&self) -> bool {
        matches!(self.effect.as_str(), "NoSchedule" | "NoExecute")
    }
}

impl fmt::Display for Taint {
    /// As `kubectl` writes it: `key=value:effect`, or `key:effect` without a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        if !self.value.is_empty() {
            write!(f, "={}", self.value)?;
        }
        write!(f, ":{}", self.effect)
    }
}

/// Whether the toleration tolerates the taint, as core/v1 has it (the operators `Lt` and `Gt` tolerate nothing).
///
/// # Example: the operator `Equal` compares the value, also without a key
///
/// ```
/// use kmm_core::api::Toleration;
/// use kmm_core::node::{Taint, tolerates};
///
/// let taint = Taint { key: "dedicated".into(), value: "gpu".into(), effect: "NoSchedule".into() };
/// let of_value = Toleration { value: "gpu".into(), ..Toleration::default() };
/// assert!(tolerates(&of_value, &taint));
/// assert!(!tolerates(&Toleration::default(), &taint));
/// assert!(tolerates(&Toleration { operator: "Exists".into(), ..Toleration::default() }, &taint));
/// ```
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    if !toleration.effect.is_empty() && toleration.effect != taint.effect {
        return false;
    }
    if !toleration.key.is_empty() && toleration.key != taint.key {
        return false;
    }
    match toleration.operator.as_str() {
        "" | "Equal" => toleration.value == taint.value,
        "Exists" => true,
        _ => false,
    }
}
