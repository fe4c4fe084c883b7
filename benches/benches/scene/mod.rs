//! A cluster to plan: 100 Modules, 20 kernels, as many nodes as are wanted.

use kmm_core::api::ImageState;
use kmm_core::api::Module;
use kmm_core::api::ModuleImageState;
use kmm_core::api::ModuleImagesConfig;
use kmm_core::api::NodeModulesConfig;
use kmm_core::node::NodeFacts;
use kmm_core::reconcile::Action;
use kmm_core::reconcile::Node;
use kmm_core::reconcile::assign;
use kmm_core::reconcile::assign::Candidate;
use serde_json::json;

pub(crate) const MODULES: usize = 100;
pub(crate) const KERNELS: usize = 20;

pub(crate) fn kernel(place: usize) -> String {
    format!("6.1.0-{}-amd64", place % KERNELS)
}

pub(crate) fn modules() -> Vec<Module> {
    let module = |place: usize| {
        serde_json::from_value(json!({
            "metadata": {"name": format!("m{place}"), "namespace": "drivers", "uid": place.to_string()},
            "spec": {"selector": {"pool": "a"}, "moduleLoader": {"container": {
                "modprobe": {"moduleName": format!("m{place}"), "dirName": "/opt"},
                "kernelMappings": [{"regexp": "^6\\.1\\..+-amd64$",
                    "containerImage": format!("registry.example.com/m{place}:${{KERNEL_FULL_VERSION}}")}],
            }}},
        }))
    };
    (0..MODULES).filter_map(|place| module(place).ok()).collect()
}

pub(crate) fn images(place: usize) -> ModuleImagesConfig {
    let mut images = ModuleImagesConfig::default();
    images.status.images_states = (0..KERNELS)
        .map(|number| ModuleImageState {
            image: format!("registry.example.com/m{place}:{}", kernel(number)),
            status: ImageState::Exists,
        })
        .collect();
    images
}

pub(crate) fn node(place: usize) -> Node {
    Node {
        // Nodes of a kernel share a NodeModulesConfig, which knows its owner.
        uid: (place % KERNELS).to_string(),
        deleting: false,
        facts: NodeFacts {
            name: format!("n{place}"),
            labels: [("pool".to_owned(), "a".to_owned())].into(),
            kernel_version: kernel(place),
            boot_id: "b".to_owned(),
            ready: Some(true),
            ..NodeFacts::default()
        },
    }
}

/// What the assignment of a node comes to when it is carried out.
pub(crate) fn config(node: &Node, candidates: &mut [Candidate]) -> NodeModulesConfig {
    let actions = assign::plan(node, None, candidates).plan.actions;
    let created = actions.into_iter().find_map(|action| match action {
        Action::Create { object } => serde_json::from_value(object).ok(),
        Action::Patch { .. } | Action::Delete { .. } | Action::Event(_) | Action::AskRegistry(_) => None,
    });
    created.unwrap_or_default()
}
