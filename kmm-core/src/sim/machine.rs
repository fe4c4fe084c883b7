//! Nodes: a kernel with what is loaded in it, and a kubelet.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use crate::api::ModuleConfig;
use crate::kernel::KernelVersion;
use crate::reconcile::Kind;
use crate::reconcile::ObjectRef;
use crate::reconcile::Part;
use crate::reconcile::Pod;
use crate::reconcile::Precondition;
use crate::reconcile::Timestamp;
use crate::reconcile::WorkerAction;
use crate::reconcile::names;
use crate::reconcile::worker_pod::Job;
use crate::resolve::ModuleName;
use crate::worker::Reason;
use crate::worker::Report;

use super::Deed;
use super::Registry;
use super::Store;

/// How the next thing that a kubelet does turns out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Luck {
    /// Well.
    #[default]
    Good,
    /// The container fails, or the image cannot be pulled just now.
    Bad,
    /// The pod is evicted.
    Evicted,
    /// The container is killed after its work was done, before that could be told.
    Killed,
}

/// The wait before a container is started again.
const RESTART: i64 = 10;

/// What a kubelet knows of a pod besides what it told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Local {
    Running,
    Ended { code: i32, boot_id: String },
    Waiting { until: Timestamp },
}

/// A node as it really is.
#[derive(Clone, Debug)]
pub struct Machine {
    name: String,
    boot_id: String,
    boots: u32,
    kernel: String,
    up: bool,
    /// Whether the API server has heard of this boot.
    reported: bool,
    /// Whether its workers are of a version that does not tell the boot on which they ran.
    quiet: bool,
    loaded: BTreeMap<ModuleName, ModuleConfig>,
    /// Modules that the kernel does not take, with what the worker says then.
    refused: BTreeMap<ModuleName, String>,
    local: BTreeMap<String, Local>,
}

impl Machine {
    pub(super) fn new(name: &str, kernel: &str, boot_id: &str) -> Self {
        Self {
            name: name.to_owned(),
            boot_id: boot_id.to_owned(),
            boots: 1,
            kernel: kernel.to_owned(),
            up: true,
            reported: false,
            quiet: false,
            loaded: BTreeMap::new(),
            refused: BTreeMap::new(),
            local: BTreeMap::new(),
        }
    }

    /// The boot that runs.
    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// The kernel that runs, as `uname -r` says.
    pub fn kernel(&self) -> &str {
        &self.kernel
    }

    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// What is loaded on this boot.
    pub fn loaded(&self) -> &BTreeMap<ModuleName, ModuleConfig> {
        &self.loaded
    }

    /// A module that is there without the operator's doing, for instance from before it came.
    pub fn load(&mut self, module: ModuleName, config: ModuleConfig) {
        self.loaded.insert(module, config);
    }

    /// Its workers are of a version that does not tell the boot on which they ran. Its kubelet tells of the node first.
    pub fn quiet(&mut self) {
        self.quiet = true;
    }

    /// Says whether its kernel takes a module; where it does not, what the worker says of it.
    pub fn refuse(&mut self, module: &ModuleName, reason: Option<&str>) {
        self.refused.remove(module);
        if let Some(reason) = reason {
            self.refused.insert(module.clone(), reason.to_owned());
        }
    }

    /// Turns it off: what ran there has ended, what was loaded has gone.
    pub(super) fn stop(&mut self) {
        self.up = false;
        self.reported = false;
        self.loaded.clear();
        // Containers that ran are started anew; the runtime remembers those that had ended.
        self.local.retain(|_, local| matches!(local, Local::Ended { .. }));
    }

    /// Turns it on.
    pub(super) fn start(&mut self, kernel: Option<&str>) {
        if let Some(kernel) = kernel {
            kernel.clone_into(&mut self.kernel);
        }
        self.boots += 1;
        self.boot_id = format!("{}-boot-{}", self.name, self.boots);
        self.up = true;
    }

    /// When something happens by itself.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let waits = self.local.values().filter_map(|local| match local {
            Local::Waiting { until } => Some(*until),
            Local::Running | Local::Ended { .. } => None,
        });
        waits.min().filter(|_| self.up)
    }

    /// Tells the API server which kernel and boot run; whether that was news.
    pub(super) fn report(&mut self, store: &mut Store) -> bool {
        let target = ObjectRef::cluster(Kind::Node, self.name.as_str());
        let Some(stored) = store.find(&target) else {
            return false;
        };
        let Some(node) = stored.seen.node() else {
            return false;
        };
        let facts = &node.facts;
        let ready = Some(self.up);
        if facts.ready == ready
            && (!self.up || (facts.boot_id == self.boot_id && facts.kernel_version == self.kernel))
        {
            self.reported = self.up;
            return false;
        }
        let status = if self.up { "True" } else { "Unknown" };
        let mut patch = json!({"status": {"conditions": [{"type": "Ready", "status": status}]}});
        if self.up {
            patch["status"]["nodeInfo"] = json!({"bootID": self.boot_id, "kernelVersion": self.kernel});
        }
        let taken = store.patch(&target, Part::Status, &Precondition::default(), &patch);
        self.reported = self.up && taken.is_ok();
        taken.is_ok()
    }

    /// One thing that the kubelet does about a pod; whether there was one.
    pub(super) fn step(
        &mut self,
        store: &mut Store,
        registry: &Registry,
        target: &ObjectRef,
        luck: Luck,
        deeds: &mut Vec<Deed>,
    ) -> bool {
        let Some(stored) = store.find(target).cloned() else {
            return false;
        };
        let Some(pod) = stored.seen.pod() else {
            return false;
        };
        if !self.up || self.quiet && !self.reported || pod.node_name() != self.name {
            return false;
        }
        let mut kubelet = Kubelet {
            machine: self,
            store,
            registry,
            pod,
            value: &stored.value,
            target,
            deeds,
        };
        if pod.label(names::WORKER_ACTION).is_some() {
            kubelet.worker(luck)
        } else if pod.label(names::IMAGE_OWNER).is_some() {
            kubelet.puller(luck)
        } else {
            kubelet.server(luck)
        }
    }

    /// Forgets pods that are no longer there.
    pub(super) fn forget(&mut self, store: &Store) {
        if self.local.len() > 16 {
            let pods: Vec<String> = store
                .all(Kind::Pod)
                .map(|stored| stored.seen.uid().to_owned())
                .collect();
            self.local.retain(|uid, _| pods.contains(uid));
        }
    }

    /// Carries a job out in the kernel; the exit code of the worker.
    fn work(&mut self, job: &Job, deeds: &mut Vec<Deed>) -> i32 {
        let running = KernelVersion::new(self.kernel.as_str());
        let node = self.name.clone();
        let module = job.module.clone();
        match job.action {
            WorkerAction::Load => {
                if running.matched() != job.config.kernel_version || self.refused.contains_key(&module) {
                    return 1;
                }
                let over = self.loaded.insert(module.clone(), job.config.clone());
                deeds.push(Deed::Loaded {
                    node,
                    module,
                    image: job.config.container_image.clone(),
                    over: over
                        .filter(|over| *over != job.config)
                        .map(|over| over.container_image),
                });
                0
            }
            WorkerAction::Unload => {
                let had = self.loaded.remove(&module);
                deeds.push(Deed::Unloaded {
                    node,
                    module,
                    image: job.config.container_image.clone(),
                    other: had
                        .filter(|had| *had != job.config)
                        .map(|had| had.container_image),
                });
                0
            }
        }
    }
}

/// A kubelet at one pod.
struct Kubelet<'a> {
    machine: &'a mut Machine,
    store: &'a mut Store,
    registry: &'a Registry,
    pod: &'a Pod,
    value: &'a Value,
    target: &'a ObjectRef,
    deeds: &'a mut Vec<Deed>,
}

impl Kubelet<'_> {
    fn local(&self) -> Option<&Local> {
        self.machine.local.get(&self.pod.metadata.uid)
    }

    fn keep(&mut self, local: Local) {
        self.machine.local.insert(self.pod.metadata.uid.clone(), local);
    }

    fn keep_end(&mut self, code: i32) {
        let boot_id = self.machine.boot_id.clone();
        self.keep(Local::Ended { code, boot_id });
    }

    /// Tells the API server of the pod; whether that was news.
    fn report(&mut self, status: &Value) -> bool {
        let mut whole = self.value["status"].clone();
        if let (Value::Object(whole), Value::Object(status)) = (&mut whole, status) {
            for (key, value) in status {
                whole.insert(key.clone(), value.clone());
            }
        }
        if whole == self.value["status"] {
            return false;
        }
        let change = json!({ "status": status });
        let taken = self
            .store
            .patch(self.target, Part::Status, &Precondition::default(), &change);
        if let Some(phase) = status["phase"].as_str() {
            let waiting = &status["containerStatuses"][0]["state"]["waiting"]["reason"];
            let was = self.value["status"]["phase"].as_str().unwrap_or_default();
            if was != phase || waiting.is_string() {
                self.deeds.push(Deed::Pod {
                    pod: self.target.clone(),
                    node: self.machine.name.clone(),
                    phase: phase.to_owned(),
                    reason: waiting
                        .as_str()
                        .or_else(|| status["reason"].as_str())
                        .unwrap_or_default()
                        .to_owned(),
                });
            }
        }
        taken.is_ok()
    }

    fn container(&self) -> &'static str {
        if self.pod.label(names::WORKER_ACTION).is_some() {
            names::WORKER_CONTAINER
        } else {
            "main"
        }
    }

    fn restarts(&self) -> u64 {
        self.pod.restarts()
    }

    fn report_waiting(&mut self, reason: &str) -> bool {
        let name = self.container();
        let restarts = self.restarts();
        let status =
            json!([{"name": name, "restartCount": restarts, "state": {"waiting": {"reason": reason}}}]);
        self.report(&json!({"phase": "Pending", "containerStatuses": status}))
    }

    fn report_running(&mut self) -> bool {
        let name = self.container();
        let restarts = self.restarts();
        let status = json!([{"name": name, "restartCount": restarts, "imageID": "sha256:1", "state": {"running": {}}}]);
        let ready = json!([{"type": "Ready", "status": "True"}]);
        self.report(&json!({"phase": "Running", "containerStatuses": status, "conditions": ready}))
    }

    fn terminated(&self, code: i32) -> Value {
        let module = ModuleName {
            name: self.pod.module_name().to_owned(),
            namespace: self.pod.metadata.namespace.clone(),
        };
        let message = match (code, self.local()) {
            (0, Some(Local::Ended { boot_id, .. })) if !self.machine.quiet => {
                let action = self.pod.label(names::WORKER_ACTION).unwrap_or_default();
                let mut report = Report::new(&action.to_lowercase(), &module.name);
                report.end(Reason::Loaded, "proof", "");
                report.boot_id.clone_from(boot_id);
                report.to_json()
            }
            (1, _) => self.machine.refused.get(&module).cloned().unwrap_or_default(),
            (_, _) => String::new(),
        };
        json!({"terminated": {
            "exitCode": code,
            "message": message,
            "reason": if code == 0 { "Completed" } else { "Error" },
            "finishedAt": self.store.now.to_string(),
        }})
    }

    fn report_end(&mut self, phase: &str, reason: &str, code: Option<i32>) -> bool {
        let name = self.container();
        let restarts = self.restarts();
        let mut status = json!({"phase": phase, "reason": reason, "conditions": []});
        if let Some(code) = code {
            let state = self.terminated(code);
            status["containerStatuses"] =
                json!([{"name": name, "restartCount": restarts, "imageID": "sha256:1", "state": state}]);
        }
        self.report(&status)
    }

    /// The container ended badly and is started again after a while.
    fn report_restart(&mut self, code: i32) -> bool {
        let until = Timestamp(self.store.now.0 + RESTART);
        self.keep(Local::Waiting { until });
        let status = json!([{
            "name": self.container(),
            "restartCount": self.restarts() + 1,
            "imageID": "sha256:1",
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": self.terminated(code),
        }]);
        self.report(&json!({"phase": "Running", "containerStatuses": status, "conditions": []}))
    }

    /// Whether the images of the pod are there, or have been told not to be.
    fn has_images(&self) -> bool {
        let spec = &self.pod.spec;
        let lists = ["initContainers", "containers"]
            .into_iter()
            .filter_map(|key| spec.get(key));
        let containers = lists.filter_map(Value::as_array).flatten();
        let images = containers.filter_map(|container| container["image"].as_str());
        let volumes = spec
            .get("volumes")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let volumes = volumes.filter_map(|volume| volume["image"]["reference"].as_str());
        images.chain(volumes).all(|image| self.registry.has(image))
    }

    fn worker(&mut self, luck: Luck) -> bool {
        if self.pod.is_terminating() {
            return self.end_worker(luck);
        }
        if self.pod.status.phase.is_over() {
            return false;
        }
        match (self.local().cloned(), luck) {
            (None | Some(Local::Running | Local::Waiting { .. }), Luck::Evicted) => {
                self.keep_end(137);
                self.report_end("Failed", "Evicted", None)
            }
            (None, Luck::Bad) => self.report_waiting("ErrImagePull"),
            (None, Luck::Good | Luck::Killed) => {
                if !self.has_images() {
                    return self.report_waiting("ImagePullBackOff");
                }
                self.keep(Local::Running);
                self.report_running()
            }
            (Some(Local::Running), luck) => {
                let code = self.run(luck);
                self.keep_end(code);
                true
            }
            (Some(Local::Waiting { until }), _) => {
                if self.store.now < until {
                    return false;
                }
                self.keep(Local::Running);
                self.report_running();
                true
            }
            (Some(Local::Ended { code: 0, .. }), _) => self.report_end("Succeeded", "", Some(0)),
            (Some(Local::Ended { code, .. }), _) => self.report_restart(code),
        }
    }

    /// Runs the worker to its end.
    fn run(&mut self, luck: Luck) -> i32 {
        let job = match luck {
            Luck::Good | Luck::Killed => Job::of_pod(self.pod).ok(),
            Luck::Bad | Luck::Evicted => None,
        };
        let code = job.map_or(1, |job| self.machine.work(&job, self.deeds));
        match luck {
            Luck::Killed => 137,
            Luck::Good | Luck::Bad | Luck::Evicted => code,
        }
    }

    /// A worker pod that is deleted: its end is told, then the kubelet is done with it.
    fn end_worker(&mut self, luck: Luck) -> bool {
        if self.pod.status.phase.is_over() {
            return self.end_grace();
        }
        match (self.local().cloned(), luck) {
            (None | Some(Local::Waiting { .. }), _) => {
                self.keep_end(137);
                self.report_end("Failed", "", None)
            }
            (Some(Local::Running), luck) => {
                // It may still come to its end before it is killed.
                let code = self.run(luck);
                let killed = luck != Luck::Good;
                self.keep_end(if killed { 137 } else { code });
                true
            }
            (Some(Local::Ended { code: 0, .. }), Luck::Good) => self.report_end("Succeeded", "", Some(0)),
            (Some(Local::Ended { code, .. }), _) => self.report_end("Failed", "", Some(code)),
        }
    }

    fn end_grace(&mut self) -> bool {
        if self.value["metadata"]["deletionGracePeriodSeconds"] == 0 {
            return false;
        }
        self.store.end_grace(self.target).is_ok()
    }

    fn puller(&mut self, luck: Luck) -> bool {
        if self.pod.is_terminating() {
            return self.end_grace();
        }
        if self.pod.status.phase.is_over() {
            return false;
        }
        match luck {
            Luck::Evicted => self.report_end("Failed", "Evicted", None),
            Luck::Bad => self.report_waiting("ErrImagePull"),
            Luck::Good | Luck::Killed if !self.has_images() => self.report_waiting("ImagePullBackOff"),
            Luck::Good => self.report_end("Succeeded", "", Some(0)),
            // The image has no shell.
            Luck::Killed => self.report_end("Failed", "", Some(127)),
        }
    }

    /// A pod that runs for ever.
    fn server(&mut self, luck: Luck) -> bool {
        if self.pod.is_terminating() {
            return self.end_grace();
        }
        match (self.local(), luck) {
            (None, Luck::Good | Luck::Killed) => {
                self.keep(Local::Running);
                self.report_running();
                true
            }
            (None, Luck::Bad | Luck::Evicted) => self.report_waiting("ErrImagePull"),
            (Some(Local::Running), Luck::Bad | Luck::Evicted) => self
                .report(&json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]})),
            (Some(Local::Running | Local::Ended { .. } | Local::Waiting { .. }), _) => self.report_running(),
        }
    }
}
