//! A node on this machine: containerd and a kubelet in namespaces of their own, and a kernel that takes no modules of ours.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use kmm_core::reconcile::names;
use kube::Client;
use kube::api::DeleteParams;
use serde_json::Value;
use serde_json::json;

use super::groups::Groups;
use super::images::Images;
use super::machine::NODE;
use super::parts::Parts;
use super::scenes::BETA;
use super::scenes::NAMESPACE;
use super::scenes::module_name;
use super::settings;
use super::sight;
use super::sight::PATIENCE;
use super::sight::Pods;
use crate::cluster::check::make_namespace;
use crate::cluster::control_plane::ControlPlane;
use crate::cluster::objects;
use crate::cluster::objects::api_of;
use crate::cluster::objects::apply;
use crate::cluster::objects::get;
use crate::cluster::objects::list;
use crate::cluster::objects::until_within;
use crate::cluster::ports;
use crate::cluster::process::Process;
use crate::deploy;
use crate::steps;

/// The images of the manifests, in the registry.
const OPERATOR: &str = "kmm-operator:1";
const WORKER: &str = "kmm-worker-deployed:1";

/// Starts everything, sees a Module refused by the kernel, and stops everything.
pub(super) async fn run(kmm: &Path, parts: &Parts) -> Result<()> {
    let started = Instant::now();
    let tools = deploy::Tools::set_up()?;
    let mut plane = ControlPlane::start().await?;
    let images = Images::start(plane.folder())?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?
        .trim()
        .to_owned();
    images.kmod("base", &release, &parts.kernels[0].1, &["kmm_base"])?;
    ensure!(
        parts.kernels[0].0.version != release,
        "this machine runs the kernel of the test modules: it could take them"
    );
    let client = plane.client().await?;
    objects::install_crds(&client).await?;
    plane.start_controllers().await?;
    make_namespace(&client, NAMESPACE).await?;
    let [operator, worker] = crate::images::archives(plane.folder().join("deployed"))?;
    images.push_archive(&operator, "operator", OPERATOR)?;
    images.push_archive(&worker, "worker", WORKER)?;
    let settings = kernel_settings()?;
    let node = Node::start(&plane, parts, images.registry())?;
    let scene = Scene {
        kmm,
        plane: &plane,
        images: &images,
        tools: &tools,
        pods: Pods::watch(&client),
        client: client.clone(),
        release,
    };
    let outcome = scene.play().await;
    if outcome.is_err() {
        println!("{}", node.logs());
        println!("{}", sight::report(&client).await?);
        println!("== control plane\n{}", plane.logs());
        return outcome;
    }
    drop(scene);
    node.stop()?;
    ensure!(
        kernel_settings()? == settings,
        "the node changed settings of this machine: they were {settings:?}"
    );
    println!(
        "the node on this machine took {:.1} s",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// What is played with.
struct Scene<'s> {
    kmm: &'s Path,
    plane: &'s ControlPlane,
    images: &'s Images,
    tools: &'s deploy::Tools,
    pods: Pods,
    client: Client,
    release: String,
}

impl Scene<'_> {
    async fn play(&self) -> Result<()> {
        let started = Instant::now();
        let said = |what: &str| println!("{:>7.1} s  {what}", started.elapsed().as_secs_f64());
        sight::ready(&self.client, &self.release, "").await?;
        said("this machine is a node");
        self.install().await?;
        said("the operator runs on it, from its image, with its account, as the manifests say");
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}});
        let labels = json!({"metadata": {"labels": {"pool": "real"}}});
        objects::change(&self.client, &node, &labels).await?;
        let reason = if Path::new("/proc/modules").exists() {
            "WrongKernel"
        } else {
            "NoModuleSupport"
        };
        self.refused(reason).await?;
        said("a Module is refused, with its reason in pod, event and `kmm explain --cluster`");
        self.asked_directly().await?;
        said("modprobe was refused by the kernel in a pod with CAP_SYS_MODULE alone");
        self.delete().await?;
        said("everything is deleted");
        Ok(())
    }

    /// The manifests, but for what a node without a network of pods cannot have.
    async fn install(&self) -> Result<()> {
        let mut objects = deploy::kustomize(self.tools, "base")?;
        // The operator has the network of the node, to which it is restricted otherwise.
        let key = format!("Namespace  {}", deploy::NAMESPACE);
        let mut namespace = objects.remove(&key).context("there is no namespace")?;
        namespace["metadata"]["labels"] = json!({});
        apply(&self.client, &namespace).await?;
        let port = ports::free()?;
        for object in objects.values_mut() {
            match object["kind"].as_str() {
                Some("ConfigMap") => {
                    let config = &mut object["data"]["config.yaml"];
                    config["healthProbeBindAddress"] = json!(format!("{NODE}:{port}"));
                    config["metrics"]["bindAddress"] = json!("0");
                    let text = config.to_string();
                    *config = json!(text);
                }
                Some("Deployment") => self.on_this_node(object, port)?,
                _ => {}
            }
            apply(&self.client, object).await?;
        }
        let what = "the Deployment of the operator is available";
        until_within(PATIENCE, what, async || {
            let found = get(
                &self.client,
                "apps/v1",
                "Deployment",
                deploy::NAMESPACE,
                "kmm-operator",
            )
            .await?;
            Ok(found["status"]["availableReplicas"] == 1)
        })
        .await?;
        let lease = "kmm.sigs.x-k8s.io";
        until_within(PATIENCE, "the operator holds its Lease", async || {
            let found = get(
                &self.client,
                "coordination.k8s.io/v1",
                "Lease",
                deploy::NAMESPACE,
                lease,
            )
            .await?;
            Ok(found["spec"]["holderIdentity"].is_string())
        })
        .await
    }

    /// Images from the registry, and the network of the node: that of pods ends at their loopback.
    fn on_this_node(&self, deployment: &mut Value, port: u16) -> Result<()> {
        let pod = &mut deployment["spec"]["template"]["spec"];
        pod["hostNetwork"] = json!(true);
        let container = &mut pod["containers"][0];
        container["image"] = json!(self.images.name(OPERATOR));
        container["ports"] = json!([{"name": "health", "containerPort": port}]);
        for probe in ["livenessProbe", "readinessProbe"] {
            container[probe]["httpGet"]["host"] = json!(NODE);
            container[probe]["periodSeconds"] = json!(1);
        }
        let environment = container["env"].as_array_mut().context("no environment")?;
        let worker = environment
            .iter_mut()
            .find(|one| one["name"] == "RELATED_IMAGE_WORKER");
        worker.context("no image of the worker")?["value"] = json!(self.images.name(WORKER));
        let api = self.plane.port().to_string();
        for (name, value) in [
            ("KUBERNETES_SERVICE_HOST", NODE),
            ("KUBERNETES_SERVICE_PORT", &api),
        ] {
            environment.push(json!({"name": name, "value": value}));
        }
        Ok(())
    }

    async fn refused(&self, reason: &str) -> Result<()> {
        let module = json!({
            "apiVersion": BETA, "kind": "Module", "metadata": {"name": "base", "namespace": NAMESPACE},
            "spec": {
                "selector": {"pool": "real"},
                "moduleLoader": {"container": {
                    "modprobe": {"moduleName": "kmm_base"},
                    "kernelMappings": [{"literal": self.release, "containerImage": self.image()}],
                }},
            },
        });
        apply(&self.client, &module).await?;
        sight::event(
            &self.client,
            "Module",
            "base",
            "WorkerFailing",
            &format!("{reason}: "),
        )
        .await?;
        sight::explained(self.kmm, self.plane, "base", reason).await?;
        let what = format!("a worker pod ended with {reason} as its termination message");
        until_within(PATIENCE, &what, async || {
            let workers = self.pods.workers();
            Ok(workers.iter().any(|pod| ended(pod).contains(reason)))
        })
        .await?;
        for pod in self.pods.workers() {
            let security = &pod["spec"]["containers"][0]["securityContext"];
            ensure!(
                security["capabilities"] == json!({"add": ["SYS_MODULE"], "drop": ["ALL"]})
                    && security["privileged"] != true,
                "{security}"
            );
        }
        let node = get(&self.client, "v1", "Node", "", NODE).await?;
        let label = names::ready(&module_name("base"));
        ensure!(
            node["metadata"]["labels"][&label].is_null(),
            "the node has {label}"
        );
        Ok(())
    }

    /// The worker does not ask a kernel that takes no modules; modprobe does.
    async fn asked_directly(&self) -> Result<()> {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "modprobe", "namespace": NAMESPACE},
            "spec": {
                "nodeName": NODE, "restartPolicy": "Never", "automountServiceAccountToken": false,
                "containers": [{
                    "name": "modprobe", "image": self.images.name(WORKER),
                    "command": ["/sbin/modprobe", "-d", "/opt-of-image/opt", "-S", self.release, "kmm_base"],
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    "securityContext": {
                        "runAsUser": 0, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
                        "capabilities": {"add": ["SYS_MODULE"], "drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "image", "mountPath": "/opt-of-image"}],
                }],
                "volumes": [{"name": "image", "image": {"reference": self.image()}}],
            },
        });
        apply(&self.client, &pod).await?;
        // A kernel without modules has no such call; others find that the module was made for another kernel.
        let refusals = [
            "Function not implemented",
            "Exec format error",
            "Invalid module format",
        ];
        let mut message = String::new();
        until_within(PATIENCE, "modprobe has ended", async || {
            let pod = get(&self.client, "v1", "Pod", NAMESPACE, "modprobe").await?;
            message = ended(&pod);
            Ok(!pod["status"]["containerStatuses"][0]["state"]["terminated"].is_null())
        })
        .await?;
        println!("{}", message.trim());
        ensure!(
            refusals.iter().any(|refusal| message.contains(refusal)),
            "modprobe says {message:?}"
        );
        objects::delete_now(&self.client, &pod).await
    }

    async fn delete(&self) -> Result<()> {
        let module = json!({"apiVersion": BETA, "kind": "Module", "metadata": {"name": "base", "namespace": NAMESPACE}});
        api_of(&self.client, &module)?
            .delete("base", &DeleteParams::background())
            .await?;
        until_within(PATIENCE, "the Module and its pods are gone", async || {
            let modules = list(&self.client, BETA, "Module").await?;
            let mut pods = list(&self.client, "v1", "Pod").await?;
            pods.retain(|pod| pod["metadata"]["namespace"] == NAMESPACE);
            Ok(modules.is_empty() && pods.is_empty())
        })
        .await
    }

    fn image(&self) -> String {
        let mut numbers = self.release.split('.');
        let mut next = || numbers.next().unwrap_or_default();
        format!("{}:{}.{}", self.images.name("base"), next(), next())
    }
}

/// What a kubelet sets in the kernel where it finds something else, for the whole machine.
fn kernel_settings() -> Result<Vec<String>> {
    let names = [
        "vm/overcommit_memory",
        "vm/panic_on_oom",
        "kernel/panic",
        "kernel/panic_on_oops",
    ];
    let read = |name: &str| {
        let path = Path::new("/proc/sys").join(name);
        fs::read_to_string(&path).with_context(|| format!("could not read `{}`", path.display()))
    };
    names.into_iter().map(read).collect()
}

/// What the first container of a pod left when it ended.
fn ended(pod: &Value) -> String {
    let status = &pod["status"]["containerStatuses"][0];
    let messages = ["state", "lastState"].map(|state| status[state]["terminated"]["message"].as_str());
    messages.into_iter().flatten().collect()
}

/// The running node; all of it ends when this is dropped.
struct Node {
    process: Process,
    folder: PathBuf,
    groups: Groups,
}

impl Node {
    fn start(plane: &ControlPlane, parts: &Parts, registry: &str) -> Result<Self> {
        let folder = plane.folder().join("node");
        for hidden in ["/var", "/run"] {
            ensure!(
                !folder.starts_with(hidden),
                "the cache folder may not lie below {hidden}, where the node has its own files: set KMM_CACHE"
            );
        }
        let text = |path: &Path| path.display().to_string();
        fs::create_dir_all(folder.join("bin"))?;
        for program in &parts.programs {
            let name = program.file_name().context("a program without a name")?;
            std::os::unix::fs::symlink(program, folder.join("bin").join(name))?;
        }
        let sources = steps::root().join("xtask/node");
        super::disk::program(&sources.join("network"), &folder.join("cni/network"))?;
        let networks = folder.join("networks");
        fs::create_dir(&networks)?;
        let network = json!({"cniVersion": "1.0.0", "name": "none", "plugins": [{"type": "network"}]});
        fs::write(networks.join("10-none.conflist"), network.to_string())?;
        fs::write(folder.join("resolv.conf"), "nameserver 127.0.0.1\n")?;
        let groups = Groups::make()?;
        let containerd = settings::containerd(&settings::Containerd {
            root: &text(&folder.join("containerd")),
            network: [&text(&folder.join("cni")), &text(&networks)],
            runc: &text(&folder.join("bin/runc")),
            pause: &format!("{registry}/pause:1"),
            images: "",
            // Who may not raise limits may not lower scores either.
            runtime: "restrict_oom_score_adj = true",
        });
        fs::write(folder.join("containerd.toml"), containerd)?;
        let certificates = text(plane.folder());
        let server = format!("https://127.0.0.1:{}", plane.port());
        let kubeconfig = settings::kubeconfig(&server, &certificates);
        fs::write(folder.join("kubelet.kubeconfig"), kubeconfig.to_string())?;
        let mut kubelet = settings::kubelet(NODE, ports::free()?, &certificates);
        // Nobody asks for its health.
        kubelet["healthzPort"] = json!(0);
        kubelet["cgroupRoot"] = json!(format!("/{}", groups.name()));
        kubelet["failCgroupV1"] = json!(false);
        kubelet["enforceNodeAllocatable"] = json!(["none"]);
        kubelet["resolvConf"] = json!(folder.join("resolv.conf"));
        // It shares the network of this machine, whose rules are none of its business.
        kubelet["makeIPTablesUtilChains"] = json!(false);
        kubelet["podLogsDir"] = json!("/var/log/pods");
        fs::write(folder.join("kubelet.yaml"), kubelet.to_string())?;
        let mut arguments: Vec<String> = ["--mount", "--pid", "--fork", "--kill-child", "--propagation"]
            .map(str::to_owned)
            .into();
        arguments.extend(["private".to_owned(), "sh".to_owned()]);
        arguments.extend([text(&sources.join("local")), text(&folder)]);
        let process = Process::start("node", Path::new("unshare"), &arguments, &[], plane.folder())?;
        Ok(Self {
            process,
            folder,
            groups,
        })
    }

    /// Ends it, and sees that nothing is left.
    fn stop(mut self) -> Result<()> {
        self.process.check()?;
        self.process.kill();
        self.groups.remove()
    }

    /// What is worth reading when something goes wrong.
    fn logs(&self) -> String {
        let mut all = format!("== node\n{}\n", self.process.last_lines());
        for (name, lines) in [("containerd", 20), ("kubelet", 30)] {
            let text = fs::read(self.folder.join(format!("{name}.log"))).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let worth: Vec<&str> = text
                .lines()
                .filter(|line| {
                    line.starts_with(['E', 'W', 'F'])
                        || line.contains("level=") && !line.contains("level=info")
                })
                .collect();
            let last = worth[worth.len().saturating_sub(lines)..].join("\n");
            all += &format!("== {name}\n{last}\n");
        }
        let pods = fs::read_dir(self.folder.join("var/log/pods"))
            .into_iter()
            .flatten();
        for pod in pods
            .flatten()
            .filter(|pod| pod.file_name().to_string_lossy().contains("_kmm-operator-"))
        {
            let text = fs::read(pod.path().join("operator/0.log")).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines: Vec<&str> = text.lines().collect();
            all += &format!(
                "== operator\n{}\n",
                lines[lines.len().saturating_sub(20)..].join("\n")
            );
        }
        all
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The groups go after their processes.
        self.process.kill();
    }
}
