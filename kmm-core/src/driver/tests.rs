//! What one change costs, whatever else there is.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::reconcile::Action;
use crate::reconcile::module::Tally;

const MODULES: usize = 10;
const KERNELS: [&str; 3] = ["6.1.0-1-amd64", "6.1.0-2-amd64", "6.1.0-3-amd64"];
const NOW: Timestamp = Timestamp(1_795_248_000);

fn node(place: usize, kernel: &str) -> Value {
    json!({
        "kind": "Node",
        "metadata": {"name": format!("n{place}"), "uid": format!("u{place}"), "labels": {"pool": "a"}},
        "status": {
            "nodeInfo": {"kernelVersion": kernel, "architecture": "amd64", "bootID": "b"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    })
}

fn module(place: usize) -> Value {
    json!({
        "kind": "Module",
        "metadata": {"name": format!("m{place}"), "namespace": "drivers", "uid": format!("m{place}")},
        "spec": {"selector": {"pool": "a"}, "moduleLoader": {"container": {
            "modprobe": {"moduleName": format!("m{place}")},
            "kernelMappings": [{"regexp": "^6", "containerImage": format!("img.example/m{place}:$KERNEL_FULL_VERSION")}],
        }}},
    })
}

fn images(place: usize) -> Value {
    let states =
        KERNELS.map(|kernel| json!({"image": format!("img.example/m{place}:{kernel}"), "status": "Exists"}));
    json!({
        "kind": "ModuleImagesConfig",
        "metadata": {"name": format!("m{place}"), "namespace": "drivers"},
        "status": {"imagesStates": states},
    })
}

fn name(place: usize) -> ModuleName {
    ModuleName {
        name: format!("m{place}"),
        namespace: "drivers".to_owned(),
    }
}

/// An operator, and versions of the objects that it is shown.
struct Operator {
    driver: Driver,
    version: u64,
}

impl Operator {
    /// One that has seen so many nodes, and decided all that there is to decide.
    fn new(nodes: usize) -> Self {
        let mut operator = Self {
            driver: Driver::new(Installation::default()),
            version: 0,
        };
        (0..MODULES).for_each(|place| operator.show(module(place)));
        (0..MODULES).for_each(|place| operator.show(images(place)));
        (0..nodes).for_each(|place| operator.show(node(place, KERNELS[place % 2])));
        WATCHED.into_iter().for_each(|kind| operator.driver.listed(kind));
        operator.decide();
        operator
    }

    fn show(&mut self, mut object: Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let seen = Seen::read(&object, None).unwrap();
        self.driver.observe(&Change::Put(Arc::new(seen)), NOW);
    }

    fn take(&mut self, target: ObjectRef) {
        let version = String::new();
        self.driver.observe(&Change::Gone { target, version }, NOW);
    }

    /// Decides until nothing is due. Of all writes, only new NodeModulesConfigs come back.
    fn decide(&mut self) -> Vec<Key> {
        let mut asked = Vec::new();
        loop {
            let next = self.driver.ready(NOW).next().cloned();
            let Some(key) = next else {
                return asked;
            };
            let plan = self.driver.begin(&key, NOW).plan;
            for action in plan.actions.iter().filter(|_| key.controller() == "assign") {
                if let Action::Create { object } = action {
                    self.show(object.clone());
                }
            }
            self.driver.finish(&key, Outcome::Done, NOW);
            asked.push(key);
        }
    }

    /// The controllers that are asked when an object changes, and how many objects are looked at for it.
    fn cost(&mut self, object: Value) -> (Vec<Key>, usize) {
        let before = self.driver.cache.looks.get();
        self.show(object);
        let asked = self.decide();
        (asked, self.driver.cache.looks.get() - before)
    }
}

/// A node that starts another kernel costs its own controllers and those of the Modules that it counts for, whatever the
/// number of nodes.
#[test]
fn a_change_of_a_node_costs_the_same_among_few_and_among_many() {
    let (mut few, mut many) = (Operator::new(5), Operator::new(200));
    for kernel in [KERNELS[1], KERNELS[2], "5.10.0"] {
        let (asked, looks) = few.cost(node(0, kernel));
        let nodes = asked.iter().filter_map(Key::node);
        assert!(nodes.eq(["n0"; 3]), "{asked:?}");
        assert_eq!(asked.len(), 3 + 2 * MODULES);
        assert_eq!(many.cost(node(0, kernel)), (asked, looks));
    }
}

/// A heartbeat costs nothing.
#[test]
fn a_heartbeat_asks_nobody() {
    let mut operator = Operator::new(3);
    let mut beat = node(0, KERNELS[0]);
    beat["status"]["conditions"][0]["lastHeartbeatTime"] = json!("2026-11-21T08:00:00Z");
    assert_eq!(operator.cost(beat).0, []);
}

/// Nodes and Modules come, change and go, and the counts are those of what is there.
#[test]
fn counts_are_those_of_what_is_there() {
    let mut operator = Operator::new(4);
    operator.show(node(0, "5.10.0"));
    operator.show(node(1, KERNELS[2]));
    for place in 1..3 {
        operator.take(ObjectRef::cluster(Kind::Node, format!("n{place}")));
    }
    operator.take(ObjectRef::cluster(Kind::NodeModulesConfig, "n2"));
    operator.take(ObjectRef::namespaced(Kind::Module, "drivers", "m0"));
    operator.decide();
    assert_eq!(operator.driver.shares.tally(&name(0)), None);
    operator.show(module(0));
    operator.decide();

    let Driver {
        cache,
        candidates,
        shares,
        ..
    } = &mut operator.driver;
    let mut tallies = vec![Tally::default(); MODULES];
    for place in 0..4 {
        let node = format!("n{place}");
        let config = cache.find(&ObjectRef::cluster(Kind::NodeModulesConfig, node.as_str()));
        let config = config.and_then(|seen| seen.node_modules());
        let candidates = candidates.all();
        let of_node = match cache.node(&node) {
            Some(node) => crate::reconcile::assign::plan(node, config, candidates).shares,
            None => {
                let noted = crate::reconcile::module::Noted::new(&node, config);
                let shares = candidates
                    .iter()
                    .map(|candidate| candidate.share_of_noted(&noted));
                shares.collect()
            }
        };
        for (tally, share) in tallies.iter_mut().zip(&of_node) {
            tally.add(share);
        }
    }
    for (place, tally) in tallies.iter().enumerate() {
        assert_eq!(shares.tally(&name(place)), Some(tally), "m{place}");
    }
}

/// The nodes for which worker pods are made now, with whether they bring the worker by init containers.
fn worker_pods(operator: &mut Operator) -> BTreeMap<String, bool> {
    let mut forms = BTreeMap::new();
    loop {
        let next = operator.driver.ready(NOW).next().cloned();
        let Some(key) = next else {
            return forms;
        };
        let plan = operator.driver.begin(&key, NOW).plan;
        for action in &plan.actions {
            match action {
                Action::Create { object } if object["kind"] == "Pod" => {
                    let node = object["spec"]["nodeName"].as_str().unwrap_or_default();
                    forms.insert(node.to_owned(), object["spec"]["initContainers"].is_array());
                }
                Action::Create { object } if object["kind"] == "NodeModulesConfig" => {
                    operator.show(object.clone());
                }
                _ => {}
            }
        }
        operator.driver.finish(&key, Outcome::Done, NOW);
    }
}

/// An old kubelet changes the worker pods of its own node, and of no other.
#[test]
fn a_kubelet_without_image_volumes_is_a_matter_of_its_node() {
    let mut operator = Operator {
        driver: Driver::new(Installation {
            image_volumes: true,
            ..Installation::default()
        }),
        version: 0,
    };
    operator.show(module(0));
    operator.show(images(0));
    for place in 0..3 {
        operator.show(node(place, KERNELS[0]));
    }
    assert!(operator.driver.set_image_volumes("n1", false));
    assert!(!operator.driver.set_image_volumes("n1", false));
    assert!(!operator.driver.set_image_volumes("n2", true));
    WATCHED.into_iter().for_each(|kind| operator.driver.listed(kind));
    let forms = worker_pods(&mut operator);
    let expected = [("n0", false), ("n1", true), ("n2", false)];
    assert_eq!(forms, expected.map(|(node, init)| (node.to_owned(), init)).into());
    // Whoever comes under the name of a node that went is asked anew.
    operator.take(ObjectRef::cluster(Kind::Node, "n1"));
    assert!(operator.driver.set_image_volumes("n1", false));
    assert!(operator.driver.set_image_volumes("n1", true));
}

/// A namespace that keeps its mark when its last Module has gone is looked at: then, and after a restart.
#[test]
fn a_mark_that_is_left_is_seen() {
    let namespace =
        |labels: Value| json!({"kind": "Namespace", "metadata": {"name": "drivers", "labels": labels}});
    let mark = json!({crate::reconcile::names::CONTAINS_MODULES: ""});
    let key = Key::Namespace("drivers".to_owned());
    let removes = |operator: &mut Operator| operator.driver.begin(&key, NOW).plan.actions.len() == 1;

    let mut operator = Operator::new(1);
    operator.show(namespace(mark.clone()));
    assert!(operator.decide().contains(&key));
    assert!(!removes(&mut operator));
    operator.driver.finish(&key, Outcome::Done, NOW);
    for place in 0..MODULES {
        operator.take(ObjectRef::namespaced(
            Kind::Module,
            "drivers",
            format!("m{place}"),
        ));
    }
    assert!(operator.driver.ready(NOW).any(|ready| *ready == key));
    assert!(removes(&mut operator));

    let mut anew = Operator {
        driver: Driver::new(Installation::default()),
        version: 0,
    };
    anew.show(namespace(mark));
    WATCHED.into_iter().for_each(|kind| anew.driver.listed(kind));
    assert!(anew.driver.ready(NOW).any(|ready| *ready == key));
    assert!(removes(&mut anew));
}

/// Nodes come and go, each with a name of its own: of those that went nothing is kept.
#[test]
fn nothing_is_kept_of_nodes_that_went() {
    let mut operator = Operator::new(2);
    let said = operator.driver.said.len();
    for place in 2..9 {
        let name = format!("n{place}");
        operator.show(node(place, KERNELS[0]));
        operator.decide();
        assert!(operator.driver.said.len() > said);
        operator.take(ObjectRef::cluster(Kind::Node, name.as_str()));
        operator.take(ObjectRef::cluster(Kind::NodeModulesConfig, name));
        operator.decide();
        assert_eq!(operator.driver.said.len(), said);
    }
}

/// A deleted Module stays as long as a worker pod of it is on a node, seen or only written, and goes when the pod does.
#[test]
fn a_worker_pod_holds_its_module() {
    let mut operator = Operator::new(0);
    let key = Key::Module(name(0));
    let mut deleted = module(0);
    deleted["metadata"]["deletionTimestamp"] = json!("2026-11-21T08:00:00Z");
    deleted["metadata"]["finalizers"] = json!([crate::reconcile::names::MODULE_FINALIZER]);
    let worker = |of: &str| {
        json!({
            "kind": "Pod", "metadata": {"name": format!("kmm-worker-n0-{of}"), "namespace": "drivers", "labels": {
                crate::reconcile::names::WORKER_ACTION: "Load", crate::reconcile::names::MODULE_NAME: of,
            }},
            "spec": {"nodeName": "n0"},
        })
    };
    let is_ready = |operator: &Operator| operator.driver.ready(NOW).any(|ready| *ready == key);
    let held = |operator: &mut Operator| {
        assert!(is_ready(operator));
        let plan = operator.driver.begin(&key, NOW).plan;
        operator.driver.finish(&key, Outcome::Done, NOW);
        plan.is_empty()
    };
    // A pod of another Module holds nothing.
    operator.show(worker("m1"));
    operator.show(worker("m0"));
    operator.show(deleted.clone());
    assert!(held(&mut operator));
    assert!(!is_ready(&operator));
    operator.take(ObjectRef::namespaced(Kind::Pod, "drivers", "kmm-worker-n0-m0"));
    assert!(!held(&mut operator));

    let target = |of: &str| ObjectRef::namespaced(Kind::Pod, "drivers", format!("kmm-worker-n0-{of}"));
    let written = |version: u64| Written::Version((version + 100).to_string());
    let by = Key::NodeModules("n0".to_owned());
    let version = operator.version;
    operator.driver.wrote(&by, &target("m1"), written(version));
    operator.show(deleted.clone());
    assert!(is_ready(&operator));
    operator.driver.wrote(&by, &target("m0"), written(version));
    assert!(!is_ready(&operator));
}
