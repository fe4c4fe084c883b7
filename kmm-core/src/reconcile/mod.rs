//! What the operator decides: pure functions from what the caches show to what is to be done, and why.
//!
//! Nothing here talks to a cluster or knows the time. A controller is a function that is shown objects and a reading of a
//! clock, and returns a [`Plan`]: the effects as values, a reason for each thing that it looked at (also where it does
//! nothing), and when to ask again. An adapter carries plans out on a real API server; a simulator does on objects in
//! memory.
//!
//! | controller | shown | writes |
//! |---|---|---|
//! | [`assign::plan`] | a node, its NodeModulesConfig, the Modules | what the node is to have (the specification of its NodeModulesConfig), the target labels of device plugins |
//! | [`node_modules::plan`] | a NodeModulesConfig, its node, the pods there | worker pods, status and marks of the NodeModulesConfig, `.ready` labels |
//! | [`module::plan`] | a Module, a [`module::Tally`] of its nodes | its ModuleImagesConfig, finalizer, status, the label of its namespace |
//! | [`images::plan`] | a ModuleImagesConfig, its pull pods, answers of registries | pull pods, status |
//! | [`device_plugin::plan`] | a Module, its DaemonSets | DaemonSets, status of the Module |
//! | [`plugin_labels::plan`] | a node, its plugin pods | `.device-plugin-ready` and `.dra-ready` labels |
//! | [`namespace::plan`] | a namespace, whether Modules are in it | the label of the namespace, taken off |
//!
//! What the Go operator's Module controller does for all nodes at once is two here: [`assign`] looks at one node with all
//! Modules, so that a change of a node costs that node's work and one write, and [`module`] looks at counts.
//!
//! # What wakes which controller
//!
//! A change of | wakes
//! ---|---
//! Node, where [`Node`] changes by `!=` (labels, taints, kernel, boot, readiness) | `assign`, `node_modules`, `plugin_labels` of the node; `module` of each Module whose [`module::Share`] changed
//! Module | `module`, `device_plugin`; `assign` of the nodes that it selects, or that have it; `namespace` when it has gone
//! Namespace | `module` of each Module in it; `namespace` where it has the label
//! ModuleImagesConfig | `images`, `module`; `assign` of the nodes that its Module selects
//! NodeModulesConfig | `node_modules`, `assign`; `module` of each Module whose share changed
//! worker pod | `node_modules` of its node; `module` of its Module where that is being deleted
//! pull pod, answer of a registry | `images`
//! DaemonSet | `device_plugin`
//! pod of a DaemonSet | `plugin_labels` and `node_modules` of its node
//!
//! # Surprises
//!
//! - Worker pods are bound to their node by name, past the scheduler.
//! - A pod that is deleted is not gone: a loader may still succeed. Its finalizer stays until its end is known, so that
//!   nothing is loaded or unloaded on a guess.
//! - The boot that counts for a loaded module is that for which its loader was made, not the one that is seen when its
//!   success is: a node may have been started anew in between.
//! - No custom resource has conditions: upstream's schemas would drop them.
//!
//! # What this module does not do
//!
//! It does not build, sign, check ahead (`PreflightValidation`), move version labels (ordered upgrade), or run DRA drivers
//! and hubs. Labels and states that these write are read and respected.

pub mod assign;
pub mod device_plugin;
pub mod images;
pub mod module;
pub mod names;
pub mod namespace;
pub mod node_modules;
pub mod patch;
pub mod plugin_labels;
pub mod worker_pod;

mod config;
mod plan;
mod reason;
mod reason_help;
mod reason_text;
mod state;
mod template;
#[cfg(test)]
mod testing;
mod time;
mod yaml;

pub use config::ConfigError;
pub use config::ImageCheck;
pub use config::Images;
pub use config::Installation;
pub use config::Job;
pub use config::LeaderElection;
pub use config::Metrics;
pub use config::OperatorConfig;
pub use config::Webhooks;
pub use config::Worker;
pub use plan::Action;
pub use plan::Event;
pub use plan::Kind;
pub use plan::ObjectRef;
pub use plan::ObjectVersion;
pub use plan::Part;
pub use plan::Plan;
pub use plan::Precondition;
pub use plan::RegistryQuestion;
pub use plan::Severity;
pub use reason::Cause;
pub use reason::LeftOut;
pub use reason::LoadWhy;
pub use reason::Progress;
pub use reason::Reason;
pub use reason::WorkerAction;
pub use reason_help::Help;
pub use state::Condition as PodCondition;
pub use state::ContainerState;
pub use state::ContainerStatus;
pub use state::DaemonSet;
pub use state::DaemonSetCounts;
pub use state::Node;
pub use state::Pod;
pub use state::PodPhase;
pub use state::PodStatus;
pub use state::Terminated;
pub use state::Waiting;
pub use time::Timestamp;
pub use time::backoff;

use crate::api::ModuleConfig;

/// Whether two configurations of a worker say the same; an absent list and an empty one do.
fn same_config(a: &ModuleConfig, b: &ModuleConfig) -> bool {
    fn list(list: &Option<Vec<String>>) -> &[String] {
        list.as_deref().unwrap_or_default()
    }
    let ModuleConfig {
        kernel_version,
        container_image,
        image_pull_policy,
        insecure_pull,
        in_tree_module_to_remove,
        in_tree_modules_to_remove,
        modprobe,
    } = a;
    let same_modprobe = *modprobe == b.modprobe || {
        let (mut a, mut b) = (modprobe.clone(), b.modprobe.clone());
        for spec in [&mut a, &mut b] {
            spec.modules_loading_order = spec
                .modules_loading_order
                .take()
                .filter(|order| !order.is_empty());
        }
        a == b
    };
    *kernel_version == b.kernel_version
        && *container_image == b.container_image
        && *image_pull_policy == b.image_pull_policy
        && *insecure_pull == b.insecure_pull
        && *in_tree_module_to_remove == b.in_tree_module_to_remove
        && list(in_tree_modules_to_remove) == list(&b.in_tree_modules_to_remove)
        && same_modprobe
}
