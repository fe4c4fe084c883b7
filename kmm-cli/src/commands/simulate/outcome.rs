//! How things stand at the end: each Module on each node.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use kmm_core::driver::Key;
use kmm_core::reconcile::Cause;
use kmm_core::reconcile::Kind;
use kmm_core::reconcile::Progress;
use kmm_core::reconcile::Reason;
use kmm_core::reconcile::names;
use kmm_core::resolve::ModuleName;
use kmm_core::sim::Cluster;
use serde::Serialize;

/// A Module on a node.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    pub module: ModuleName,
    pub node: String,
    /// The kernel that runs.
    pub kernel: String,
    /// Whether the Module is for the node: its selector fits.
    pub wanted: bool,
    /// The image from which it is loaded; `null` where it is not.
    pub loaded: Option<String>,
    /// Whether the node says that it is ready.
    pub ready: bool,
    /// Whether that is what is wanted.
    pub ok: bool,
    /// Why.
    pub why: String,
}

/// How every Module stands on every node.
pub fn all(cluster: &Cluster) -> Vec<Outcome> {
    let reasons = reasons(cluster);
    let mut modules: BTreeMap<ModuleName, Wanted> = BTreeMap::new();
    for stored in cluster.store().all(Kind::Module) {
        let Some((module, compiled)) = stored.seen.module() else {
            continue;
        };
        let deleted = module.metadata.deletion_timestamp.is_some();
        let wanted = Wanted {
            selector: compiled.selector().clone(),
            loads: compiled.loader().is_some() && !deleted,
        };
        modules.insert(kmm_core::reconcile::assign::module_name(module), wanted);
    }
    let mut out = Vec::new();
    let nodes = || {
        cluster
            .store()
            .all(Kind::Node)
            .filter_map(|stored| stored.seen.node())
    };
    // What has gone as a Module may still be loaded.
    let left: BTreeSet<ModuleName> = nodes()
        .filter_map(|node| cluster.machine(node.name()))
        .flat_map(|machine| machine.loaded().keys().cloned())
        .collect();
    for name in left {
        modules.entry(name).or_default();
    }
    for (module, wants) in modules {
        for node in nodes() {
            let Some(machine) = cluster.machine(node.name()) else {
                continue;
            };
            let wanted = wants.loads && node.facts.is_selected(&wants.selector);
            let loaded = machine.loaded().get(&module);
            let ready = node.facts.labels.contains_key(&names::ready(&module));
            let found = reasons.get(&(module.clone(), node.name().to_owned()));
            let as_wanted = found.is_none_or(|reason| reason.cause.progress() == Progress::Done);
            out.push(Outcome {
                node: node.name().to_owned(),
                kernel: machine.kernel().to_owned(),
                wanted,
                loaded: loaded.map(|config| config.container_image.clone()),
                ready,
                ok: if wanted {
                    loaded.is_some() && ready && as_wanted
                } else {
                    loaded.is_none() && !ready
                },
                why: found.map_or_else(String::new, |reason| reason.cause.to_string()),
                module: module.clone(),
            });
        }
    }
    out
}

#[derive(Default)]
struct Wanted {
    selector: BTreeMap<String, String>,
    loads: bool,
}

/// For each Module on each node the reason that says most: what is worst, and of those what is said of the node itself
/// before what is said of its images.
fn reasons(cluster: &Cluster) -> BTreeMap<(ModuleName, String), Reason> {
    let mut images: BTreeMap<(ModuleName, String), &Reason> = BTreeMap::new();
    for (key, said) in cluster.reasons() {
        if let Key::Images(module) = key {
            for reason in said {
                if let Some(image) = image_of(&reason.cause) {
                    images.insert((module.clone(), image.to_owned()), reason);
                }
            }
        }
    }
    let mut out: BTreeMap<(ModuleName, String), Reason> = BTreeMap::new();
    for (key, said) in cluster.reasons() {
        let (Key::Assign(node) | Key::NodeModules(node)) = key else {
            continue;
        };
        for reason in said {
            let Some(module) = &reason.module else {
                continue;
            };
            // That an image is looked for is best told by who looks for it.
            let better = match &reason.cause {
                Cause::ImageNotReady { image, .. } => images.get(&(module.clone(), image.clone())).copied(),
                _ => None,
            };
            let reason = better.unwrap_or(reason);
            let place = (module.clone(), node.clone());
            let worse = out
                .get(&place)
                .is_none_or(|other| rank(&reason.cause) >= rank(&other.cause));
            if worse {
                out.insert(place, reason.clone());
            }
        }
    }
    out
}

fn image_of(cause: &Cause) -> Option<&str> {
    match cause {
        Cause::PullFailed { image, .. }
        | Cause::PullUnschedulable { image, .. }
        | Cause::Pulling { image, .. }
        | Cause::ImageMissing { image }
        | Cause::RegistryWaiting { image, .. }
        | Cause::ImageToMake { image, .. }
        | Cause::ImageNotMade { image, .. } => Some(image),
        _ => None,
    }
}

fn rank(cause: &Cause) -> u8 {
    match cause.progress() {
        Progress::Done => 0,
        Progress::Acting => 1,
        Progress::Waiting => 2,
        Progress::Stuck => 3,
    }
}
