//! Worker pods: what they look like, and what an existing one was made for.
//!
//! The same pods as the Go operator's, but for what needs a shell or `privileged` there:
//!
//! - Where nodes mount images as volumes, the kmod image is mounted at `/tmp`, where the worker looks for it. Elsewhere one
//!   init container brings the program `kmm-worker` into a shared folder, and a second one, with the kmod image, copies
//!   with it. The kmod image needs no shell, no `cp` and no `mkdir`.
//! - The worker is user 0 with `CAP_SYS_MODULE` and nothing else: that is what `finit_module` and `delete_module` ask for.
//!   Copying firmware into a mounted folder takes user 0 alone. Setting the kernel's firmware path takes the folder
//!   `/sys/module/firmware_class/parameters` of the host, mounted outside of the container's own `/sys`, which is
//!   read-only. So no pod is privileged.
//! - No token of the service account is mounted: neither worker nor kmod image asks the API server for anything, and the
//!   image names paths that are copied to the node.

use serde_json::Value;
use serde_json::json;

use crate::api::LocalObjectReference;
use crate::api::ModuleConfig;
use crate::api::NodeModuleSpec;
use crate::api::NodeModuleStatus;
use crate::api::NodeModulesConfig;
use crate::api::Toleration;
use crate::api::V1BETA1;
use crate::go_text::join_path;
use crate::modprobe::WORKER_ROOT;
use crate::modprobe::softdep_conf;
use crate::resolve::ModuleName;

use super::Installation;
use super::Kind;
use super::Pod;
use super::WorkerAction;
use super::names;
use super::names::fnv;
use super::yaml;

/// Where the worker finds its configuration.
const CONFIG_FOLDER: &str = "/etc/kmm-worker";
/// The folder of the kernel's firmware path on the host, and where the worker sees it.
const FIRMWARE_CLASS: [&str; 2] = ["/sys/module/firmware_class/parameters", "/fwparam"];
/// The program of the worker, in its own image and in the folder that it is copied to.
const PROGRAM: &str = "/usr/local/bin/kmm-worker";
/// Where the program is brought for the kmod image to run.
const BIN_FOLDER: &str = "/kmm-bin";

/// What a worker pod is made for.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The Module.
    pub module: ModuleName,
    /// Load or unload.
    pub action: WorkerAction,
    /// What is loaded or unloaded.
    pub config: ModuleConfig,
    /// Service account.
    pub service_account_name: String,
    /// Secret with the registry credentials.
    pub image_repo_secret: Option<LocalObjectReference>,
    /// Tolerations.
    pub tolerations: Vec<Toleration>,
    /// Version of the Module; not used for unloading.
    pub version: String,
}

impl Job {
    /// Loading what is wanted.
    pub fn load(entry: &NodeModuleSpec) -> Self {
        Self {
            module: ModuleName {
                name: entry.name.clone(),
                namespace: entry.namespace.clone(),
            },
            action: WorkerAction::Load,
            config: entry.config.clone(),
            service_account_name: entry.service_account_name.clone(),
            image_repo_secret: entry.image_repo_secret.clone(),
            tolerations: entry.tolerations.clone(),
            version: entry.version.clone(),
        }
    }

    /// Unloading what is there; an entry without a configuration says nothing of it.
    pub fn unload(entry: &NodeModuleStatus) -> Self {
        Self {
            module: ModuleName {
                name: entry.name.clone(),
                namespace: entry.namespace.clone(),
            },
            action: WorkerAction::Unload,
            config: entry.config.clone().unwrap_or_default(),
            service_account_name: entry.service_account_name.clone(),
            image_repo_secret: entry.image_repo_secret.clone(),
            tolerations: entry.tolerations.clone(),
            version: String::new(),
        }
    }

    /// What an existing worker pod was made for.
    ///
    /// # Errors
    ///
    /// When one of its annotations cannot be read.
    pub fn of_pod(pod: &Pod) -> Result<Self, String> {
        let config = pod
            .annotation(names::WORKER_CONFIG)
            .ok_or("it has no configuration")
            .map_err(str::to_owned)
            .and_then(yaml::read_config)?;
        let tolerations = pod.annotation(names::WORKER_TOLERATIONS);
        let secrets = pod
            .spec
            .get("imagePullSecrets")
            .and_then(|secrets| secrets.get(0));
        let account = pod.spec.get("serviceAccountName").and_then(Value::as_str);
        Ok(Self {
            module: ModuleName {
                name: pod.module_name().to_owned(),
                namespace: pod.metadata.namespace.clone(),
            },
            action: action_of(pod).unwrap_or(WorkerAction::Load),
            config,
            service_account_name: account.unwrap_or_default().to_owned(),
            image_repo_secret: secrets
                .map(|secret| LocalObjectReference::new(secret["name"].as_str().unwrap_or_default())),
            tolerations: tolerations.map_or(Ok(Vec::new()), yaml::read_tolerations)?,
            version: pod
                .annotation(names::WORKER_MODULE_VERSION)
                .unwrap_or_default()
                .to_owned(),
        })
    }

    /// Whether two jobs come to the same pod.
    fn same_as(&self, other: &Self) -> bool {
        super::same_config(&self.config, &other.config)
            && self.service_account_name == other.service_account_name
            && self.image_repo_secret == other.image_repo_secret
            && self.tolerations == other.tolerations
            && self.version == other.version
            && self.action == other.action
    }

    fn firmware(&self) -> bool {
        !self.config.modprobe.firmware_path.is_empty()
    }

    fn order(&self) -> &[String] {
        match self.action {
            WorkerAction::Load => self
                .config
                .modprobe
                .modules_loading_order
                .as_deref()
                .unwrap_or_default(),
            // Unloading gets the whole list.
            WorkerAction::Unload => &[],
        }
    }
}

/// What a worker pod does; `None` where its label does not say.
pub fn action_of(pod: &Pod) -> Option<WorkerAction> {
    match pod.label(names::WORKER_ACTION)? {
        names::LOAD => Some(WorkerAction::Load),
        names::UNLOAD => Some(WorkerAction::Unload),
        _ => None,
    }
}

/// Which attempt a pod is, from 1 on.
pub(super) fn attempt_of(pod: &Pod) -> u32 {
    let attempt = pod.annotation(names::ATTEMPT).and_then(|text| text.parse().ok());
    attempt.unwrap_or(1)
}

/// Whether an existing pod is what would be made now.
///
/// Pods that were made here carry a mark of all that they were made from. Those of the Go operator are compared by what
/// they are for, not by how they do it, so that a takeover replaces none of them.
pub fn is_current(pod: &Pod, job: &Job, installation: &Installation) -> bool {
    match pod.annotation(names::WORKER_HASH) {
        Some(hash) if hash.starts_with(MARK) => hash == mark(job, installation),
        Some(_) | None => Job::of_pod(pod).is_ok_and(|made_for| made_for.same_as(job)),
    }
}

/// Whether a pod was made here, and not by the Go operator.
pub(super) fn is_own(pod: &Pod) -> bool {
    pod.annotation(names::WORKER_HASH)
        .is_some_and(|hash| hash.starts_with(MARK))
}

/// What the marks of this operator begin with; the Go operator's are plain numbers.
const MARK: &str = "kmm1-";

fn mark(job: &Job, installation: &Installation) -> String {
    let Installation {
        config,
        worker_image,
        image_volumes,
    } = installation;
    let parts = json!([
        json!(job.config),
        job.service_account_name,
        job.image_repo_secret,
        job.tolerations,
        job.version,
        job.action.verb(),
        config.worker,
        worker_image,
        image_volumes,
    ]);
    format!("{MARK}{:016x}", fnv(&parts.to_string()))
}

/// The pod for a job on a node.
///
/// `boot_id` is the boot for which a loader is made.
///
/// # Errors
///
/// When the module has firmware and the operator knows no firmware folder of the host, or the loading order has a name that
/// would be more than one word of `modprobe`'s configuration.
pub fn make(
    owner: &NodeModulesConfig,
    job: &Job,
    boot_id: &str,
    attempt: u32,
    installation: &Installation,
) -> Result<Value, String> {
    let node = &owner.metadata.name;
    let is_word = |name: &str| {
        !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#')
    };
    if let Some(name) = job.order().iter().find(|name| !is_word(name)) {
        return Err(format!(
            "modulesLoadingOrder: {name:?} is no name of a module: it would be another line of modprobe's configuration"
        ));
    }
    let firmware = match (job.firmware(), &installation.config.worker.firmware_host_path) {
        (false, _) => None,
        (true, Some(path)) => Some(path.as_str()),
        (true, None) => {
            return Err(match job.action {
                WorkerAction::Load => {
                    "firmwareHostPath wasn't set, while the Module requires firmware loading"
                }
                WorkerAction::Unload => {
                    "firmwareHostPath was not set while the Module requires firmware unloading"
                }
            }
            .to_owned());
        }
    };
    let mut spec = json!({
        "nodeName": node,
        "restartPolicy": "OnFailure",
        "serviceAccountName": job.service_account_name,
        "automountServiceAccountToken": false,
        "containers": [worker(job, firmware, installation)],
        "volumes": volumes(job, firmware, installation),
    });
    if !installation.image_volumes {
        spec["initContainers"] = init_containers(job, installation);
    }
    if let Some(secret) = &job.image_repo_secret {
        spec["imagePullSecrets"] = json!([secret]);
    }
    if !job.tolerations.is_empty() {
        spec["tolerations"] = json!(job.tolerations);
    }
    let action = match job.action {
        WorkerAction::Load => names::LOAD,
        WorkerAction::Unload => names::UNLOAD,
    };
    Ok(json!({
        "apiVersion": Kind::Pod.api_version(),
        "kind": Kind::Pod.name(),
        "metadata": {
            "name": names::worker_pod(node, &job.module.name),
            "namespace": job.module.namespace,
            "labels": {
                "app.kubernetes.io/name": "kmm",
                "app.kubernetes.io/component": "worker",
                "app.kubernetes.io/part-of": "kmm",
                names::MODULE_NAME: job.module.name,
                names::WORKER_ACTION: action,
            },
            "annotations": annotations(job, boot_id, attempt, installation),
            "ownerReferences": [{
                "apiVersion": V1BETA1,
                "kind": Kind::NodeModulesConfig.name(),
                "name": node,
                "uid": owner.metadata.uid,
                "controller": true,
                "blockOwnerDeletion": true,
            }],
            "finalizers": [names::WORKER_FINALIZER],
        },
        "spec": spec,
    }))
}

fn annotations(job: &Job, boot_id: &str, attempt: u32, installation: &Installation) -> Value {
    let mut out = json!({
        names::WORKER_CONFIG: yaml::write(&json!(job.config)),
        names::WORKER_HASH: mark(job, installation),
    });
    if !job.tolerations.is_empty() {
        out[names::WORKER_TOLERATIONS] = json!(yaml::write(&json!(job.tolerations)));
    }
    if attempt > 1 {
        out[names::ATTEMPT] = json!(attempt.to_string());
    }
    match job.action {
        WorkerAction::Load => {
            if !job.version.is_empty() {
                out[names::WORKER_MODULE_VERSION] = json!(job.version);
            }
            if !boot_id.is_empty() {
                out[names::WORKER_BOOT_ID] = json!(boot_id);
            }
        }
        WorkerAction::Unload => {}
    }
    if !job.order().is_empty() {
        out[names::MODULES_ORDER] = json!(softdep_conf(job.order()));
    }
    out
}

fn resources() -> Value {
    json!({"requests": {"cpu": "500m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}})
}

fn worker(job: &Job, firmware: Option<&str>, installation: &Installation) -> Value {
    let config_file = format!("{CONFIG_FOLDER}/config.yaml");
    let mut args = vec!["kmod", job.action.verb(), &config_file];
    let mut mounts = vec![
        json!({"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": true}),
        json!({"name": "lib-modules", "mountPath": "/lib/modules", "readOnly": true}),
        json!({"name": "lib-modules", "mountPath": "/host/lib/modules", "readOnly": true}),
        json!({"name": "tmp", "mountPath": WORKER_ROOT, "readOnly": true}),
    ];
    if !job.order().is_empty() {
        mounts.push(json!({"name": "modules-order", "mountPath": "/etc/modprobe.d", "readOnly": true}));
    }
    let class_file = format!("{}/path", FIRMWARE_CLASS[1]);
    if let Some(folder) = firmware {
        args.extend(["--firmware-path", folder, "--firmware-class-file", &class_file]);
        mounts.push(json!({"name": "lib-firmware", "mountPath": folder}));
        mounts.push(json!({"name": "firmware-class", "mountPath": FIRMWARE_CLASS[1]}));
    }
    let settings = &installation.config.worker;
    let mut security = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"add": ["SYS_MODULE"], "drop": ["ALL"]},
        "readOnlyRootFilesystem": true,
    });
    if let Some(user) = settings.run_as_user {
        security["runAsUser"] = json!(user);
    }
    if !settings.se_linux_type.is_empty() {
        security["seLinuxOptions"] = json!({"type": settings.se_linux_type});
    }
    json!({
        "name": names::WORKER_CONTAINER,
        "image": installation.worker_image,
        "args": args,
        "resources": resources(),
        "volumeMounts": mounts,
        "securityContext": security,
    })
}

/// Bringing the program of the worker, then copying with it out of the kmod image.
fn init_containers(job: &Job, installation: &Installation) -> Value {
    let program = format!("{BIN_FOLDER}/kmm-worker");
    let config = &job.config;
    let bin = |read_only: bool| {
        let mut mount = json!({"name": "kmm-bin", "mountPath": BIN_FOLDER});
        if read_only {
            mount["readOnly"] = json!(true);
        }
        mount
    };
    let security = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "runAsUser": 0,
    });
    let extractor = |name: &str, source: &str| {
        let mut container = json!({
            "name": name,
            "image": config.container_image,
            "command": [program],
            "args": ["copy", source, join_path(&[WORKER_ROOT, source])],
            "resources": resources(),
            "volumeMounts": [{"name": "tmp", "mountPath": WORKER_ROOT}, bin(true)],
            "securityContext": security,
        });
        if !config.image_pull_policy.is_empty() {
            container["imagePullPolicy"] = json!(config.image_pull_policy);
        }
        container
    };
    let modules = join_path(&[
        "/",
        &config.modprobe.dir_name,
        "lib/modules",
        &config.kernel_version,
    ]);
    let mut containers = vec![
        json!({
            "name": "kmm-worker",
            "image": installation.worker_image,
            "command": [PROGRAM],
            "args": ["copy", PROGRAM, program],
            "resources": resources(),
            "volumeMounts": [bin(false)],
            "securityContext": security,
        }),
        extractor(names::EXTRACTOR_CONTAINER, &modules),
    ];
    if job.firmware() {
        let firmware = join_path(&["/", &config.modprobe.firmware_path]);
        containers.push(extractor("firmware-extractor", &firmware));
    }
    Value::Array(containers)
}

fn volumes(job: &Job, firmware: Option<&str>, installation: &Installation) -> Value {
    let downward = |name: &str, file: &str, annotation: &str| {
        let field = json!({"fieldPath": format!("metadata.annotations['{annotation}']")});
        json!({"name": name, "downwardAPI": {"items": [{"path": file, "fieldRef": field}]}})
    };
    let mut volumes = vec![
        downward("config", "config.yaml", names::WORKER_CONFIG),
        json!({"name": "lib-modules", "hostPath": {"path": "/lib/modules", "type": "Directory"}}),
    ];
    if installation.image_volumes {
        let mut image = json!({"reference": job.config.container_image});
        if !job.config.image_pull_policy.is_empty() {
            image["pullPolicy"] = json!(job.config.image_pull_policy);
        }
        volumes.push(json!({"name": "tmp", "image": image}));
    } else {
        volumes.push(json!({"name": "tmp", "emptyDir": {}}));
        volumes.push(json!({"name": "kmm-bin", "emptyDir": {}}));
    }
    if !job.order().is_empty() {
        volumes.push(downward("modules-order", "softdep.conf", names::MODULES_ORDER));
    }
    if let Some(folder) = firmware {
        let class = FIRMWARE_CLASS[0];
        volumes
            .push(json!({"name": "lib-firmware", "hostPath": {"path": folder, "type": "DirectoryOrCreate"}}));
        volumes.push(json!({"name": "firmware-class", "hostPath": {"path": class, "type": "Directory"}}));
    }
    Value::Array(volumes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loading_order_has_names() {
        let made = |order: &[&str]| {
            let mut entry = NodeModuleSpec::default();
            entry.config.modprobe.modules_loading_order =
                Some(order.iter().map(|name| (*name).to_owned()).collect());
            let owner = NodeModulesConfig::default();
            make(&owner, &Job::load(&entry), "boot", 1, &Installation::default())
        };
        assert!(made(&["nic", "nic-core", "crc_32"]).is_ok());
        for name in ["b\ninstall nic /bin/true", "", "a b", "a\tb", "#"] {
            let error = made(&["nic", name]).unwrap_err();
            assert!(error.starts_with("modulesLoadingOrder: "), "{error}");
        }
    }
}
