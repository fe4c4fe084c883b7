//! A namespace: the mark that keeps it while it has Modules.
//!
//! The controller of a [`module`](super::module) sets the mark, and takes it off again with its last Module. Two Modules
//! that go at once each see the other one, and an operator may be killed in between: what is left then is removed here.

use crate::api::ObjectMeta;

use super::Cause;
use super::Plan;
use super::Reason;
use super::module::namespace_label;
use super::names;
use super::state;

/// What the controller of a namespace is shown.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The metadata of the namespace.
    pub namespace: &'a ObjectMeta,
    /// Whether there are Modules in it, deleted ones that are still there included.
    pub has_modules: bool,
}

/// Decides for one namespace.
///
/// A Module that comes just now may still see the mark, and so not set it: when the mark goes, the Modules of the namespace
/// are asked again.
pub fn plan(view: &View<'_>) -> Plan {
    let View {
        namespace,
        has_modules,
    } = view;
    let mut plan = Plan::default();
    let name = namespace.name.clone();
    let is_marked = namespace.labels.contains_key(names::CONTAINS_MODULES);
    let cause = match (is_marked, has_modules) {
        (true, false) => {
            plan.act(namespace_label(&name, None, state::unchanged(namespace)));
            Cause::NamespaceReleased { namespace: name }
        }
        // A Module without the mark is for its own controller.
        (true | false, true) | (false, false) => Cause::NamespaceCurrent { namespace: name },
    };
    plan.because(Reason::of_nothing_else(cause));
    plan
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::reconcile::testing::read;

    #[test]
    fn the_mark_goes_with_the_last_module() {
        let told = |labels: serde_json::Value, has_modules| {
            let namespace: ObjectMeta =
                read(json!({"name": "drivers", "uid": "u1", "resourceVersion": "7", "labels": labels}));
            let view = View {
                namespace: &namespace,
                has_modules,
            };
            json!(plan(&view).actions)
        };
        let mark = json!({names::CONTAINS_MODULES: "", "other": "x"});
        assert_eq!(told(mark.clone(), true), json!([]));
        assert_eq!(told(json!({}), true), json!([]));
        assert_eq!(told(json!({}), false), json!([]));
        assert_eq!(
            told(mark, false),
            json!([{
                "do": "patch",
                "target": {"kind": "Namespace", "name": "drivers"},
                "part": "object",
                "precondition": {"uid": "u1", "resourceVersion": "7"},
                "patch": {"metadata": {"labels": {names::CONTAINS_MODULES: null}}},
            }])
        );
    }
}
