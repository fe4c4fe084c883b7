//! Many nodes.

use serde::Deserialize;

use super::NodeFacts;
use super::facts::or_default;

/// The nodes of a `NodeList` or `List`, as `kubectl get nodes -o json` writes it.
///
/// Each node is cut down to its facts while it is read, so a list takes much less memory than its text.
///
/// # Example: an empty cluster
///
/// ```
/// use kmm_core::node::NodeList;
///
/// let list: NodeList = serde_json::from_str(r#"{"kind": "List", "items": []}"#)?;
/// assert!(list.items.is_empty());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NodeList {
    /// The nodes, in order.
    #[serde(deserialize_with = "or_default")]
    pub items: Vec<NodeFacts>,
}
