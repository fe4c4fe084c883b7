//! What is seen on the node, scene after scene.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use kmm_core::reconcile::names;
use kmm_core::resolve::ModuleName;
use kube::Client;
use kube::api::DeleteParams;
use serde_json::Value;
use serde_json::json;

use super::images;
use super::images::Images;
use super::machine::Machine;
use super::machine::NODE;
use super::parts::Parts;
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
use crate::cluster::running::Operator;
use crate::kmods::FIRMWARE;

pub(super) const BETA: &str = "kmm.sigs.x-k8s.io/v1beta1";
pub(super) const NAMESPACE: &str = "drivers";
/// Starts everything, plays the scenes, and stops everything.
pub(super) async fn run(kmm: &Path, parts: &Parts) -> Result<()> {
    let started = Instant::now();
    let mut plane = ControlPlane::start().await?;
    let images = Images::start(plane.folder())?;
    images.push_kmods(parts)?;
    let client = plane.client().await?;
    objects::install_crds(&client).await?;
    plane.start_controllers().await?;
    make_namespace(&client, NAMESPACE).await?;
    let operator = Operator::with_worker(&plane, kmm, "operator", &images.name("kmm-worker:1"))?;
    let machine = Machine::make(parts, &plane, images.registry())?;
    println!("all is ready after {:.1} s", started.elapsed().as_secs_f64());
    let pods = Pods::watch(&client);
    let mut stage = Stage {
        kmm,
        plane: &plane,
        client,
        machine,
        images,
        parts,
        pods,
    };
    let outcome = stage.play().await;
    if outcome.is_err() {
        println!("{}", stage.machine.logs());
        println!("{}", sight::report(&stage.client).await?);
        println!("== operator\n{}", operator.last_lines());
        println!("== control plane\n{}", plane.logs());
        return outcome;
    }
    stage.machine.halt()?;
    operator.stop()?;
    println!("everything took {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// What the scenes are played with.
struct Stage<'p> {
    kmm: &'p Path,
    plane: &'p ControlPlane,
    client: Client,
    machine: Machine<'p>,
    images: Images,
    parts: &'p Parts,
    pods: Pods,
}

/// Does one scene, and says how long it took.
macro_rules! scene {
    ($name:literal, $scene:expr) => {{
        let started = Instant::now();
        $scene.await.context($name)?;
        println!("{:>7.1} s  {}", started.elapsed().as_secs_f64(), $name);
    }};
}

impl Stage<'_> {
    async fn play(&mut self) -> Result<()> {
        scene!("a node joins, on 6.1", self.join());
        scene!("a Module is loaded, with its parameter", self.load());
        scene!("its device plugin runs", self.plugin());
        scene!("another parameter", self.parameter());
        scene!("another image", self.image());
        scene!("a module of the kernel is replaced", self.replace());
        scene!("firmware is delivered", self.firmware());
        scene!("a module in use stays, until it is free", self.in_use());
        scene!("another kernel after a reboot, another image", self.reboot());
        scene!("an image for the wrong kernel", self.wrong_kernel());
        scene!("everything is deleted", self.delete());
        self.modest()
    }

    async fn join(&mut self) -> Result<()> {
        self.boot(0)?;
        self.ready(0, "").await?;
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}});
        objects::change(
            &self.client,
            &node,
            &json!({"metadata": {"labels": {"pool": "real"}}}),
        )
        .await
    }

    async fn load(&mut self) -> Result<()> {
        apply(&self.client, &self.base("base", 41)).await?;
        self.has("kmm_base", "base", "41").await?;
        self.is_the_one(0, "kmm_base", "").await?;
        self.label(&names::ready(&module_name("base"))).await?;
        self.event("Node", NODE, "ModuleLoaded", "base").await
    }

    async fn plugin(&mut self) -> Result<()> {
        self.label(&names::device_plugin_ready(&module_name("base")))
            .await?;
        let counts = json!({"nodesMatchingSelectorNumber": 1, "desiredNumber": 1, "availableNumber": 1});
        for part in ["moduleLoader", "devicePlugin"] {
            let client = self.client.clone();
            until_within(
                PATIENCE,
                &format!("the Module counts its node in {part}"),
                async || {
                    let module = get(&client, BETA, "Module", NAMESPACE, "base").await?;
                    Ok(module["status"][part] == counts)
                },
            )
            .await?;
        }
        Ok(())
    }

    async fn parameter(&mut self) -> Result<()> {
        apply(&self.client, &self.base("base", 50)).await?;
        self.has("kmm_base", "base", "50").await?;
        self.label(&names::ready(&module_name("base"))).await
    }

    async fn image(&mut self) -> Result<()> {
        apply(&self.client, &self.base("base2", 50)).await?;
        self.has_version("kmm_base", "2.0.0").await?;
        self.is_the_one(0, "kmm_base", "other").await?;
        self.label(&names::ready(&module_name("base"))).await
    }

    async fn replace(&mut self) -> Result<()> {
        self.machine
            .shell("modprobe dummy && grep -q '^dummy ' /proc/modules")?;
        // The kernel's own has no version.
        self.machine.shell("[ ! -e /sys/module/dummy/version ]")?;
        let mut module = self.module("dummy", "dummy", "dummy");
        module["spec"]["moduleLoader"]["container"]["inTreeModulesToRemove"] = json!(["dummy"]);
        apply(&self.client, &module).await?;
        self.has_version("dummy", "1.0.0-kmm").await?;
        self.is_the_one(0, "dummy", "").await?;
        self.label(&names::ready(&module_name("dummy"))).await
    }

    async fn firmware(&mut self) -> Result<()> {
        let mut module = self.module("firmware", "kmm_fw", "firmware");
        module["spec"]["moduleLoader"]["container"]["modprobe"]["firmwarePath"] = json!("/firmware");
        apply(&self.client, &module).await?;
        self.label(&names::ready(&module_name("firmware"))).await?;
        let line = format!("kmm_fw: firmware of {} bytes", images::BLOB.len());
        let log = self.machine.shell("dmesg")?;
        ensure!(
            log.contains(&line),
            "the kernel did not find the firmware:\n{log}"
        );
        let file = self.machine.shell(&format!("cat /lib/firmware/{FIRMWARE}"))?;
        ensure!(file.as_bytes() == images::BLOB.trim_ascii(), "{file}");
        Ok(())
    }

    async fn in_use(&mut self) -> Result<()> {
        self.machine.shell("insmod /run/kmm/kmm_user.ko")?;
        apply(&self.client, &self.base("base", 50)).await?;
        self.event("Module", "base", "WorkerFailing", "InUse: ").await?;
        self.event("Module", "base", "WorkerFailing", "kmm_user").await?;
        let version = self.machine.shell("cat /sys/module/kmm_base/version")?;
        ensure!(version == "2.0.0", "version {version} is loaded");
        self.machine.shell("rmmod kmm_user")?;
        self.has_version("kmm_base", "1.0.0").await?;
        self.label(&names::ready(&module_name("base"))).await
    }

    async fn reboot(&mut self) -> Result<()> {
        let before = get(&self.client, "v1", "Node", "", NODE).await?;
        let boot = before["status"]["nodeInfo"]["bootID"]
            .as_str()
            .unwrap_or_default();
        self.machine.halt()?;
        self.boot(1)?;
        self.ready(1, boot).await?;
        self.has("kmm_base", "base", "50").await?;
        self.is_the_one(1, "kmm_base", "").await?;
        for module in ["base", "dummy", "firmware"] {
            self.label(&names::ready(&module_name(module))).await?;
        }
        let client = self.client.clone();
        let wanted = self.images.name("base-for-new:6.12");
        until_within(PATIENCE, "the image of the new kernel is recorded", async || {
            let config = get(&client, BETA, "NodeModulesConfig", "", NODE).await?;
            let modules = config["status"]["modules"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let base = modules.iter().find(|module| module["name"] == "base");
            Ok(base.is_some_and(|base| base["config"]["containerImage"] == wanted.as_str()))
        })
        .await?;
        self.is_the_one(1, "dummy", "").await?;
        self.is_the_one(1, "kmm_fw", "").await
    }

    async fn wrong_kernel(&mut self) -> Result<()> {
        apply(&self.client, &self.module("wrong", "kmm_user", "wrong")).await?;
        self.event("Module", "wrong", "WorkerFailing", "WrongKernel: ")
            .await?;
        sight::explained(self.kmm, self.plane, "wrong", "WrongKernel").await?;
        let node = get(&self.client, "v1", "Node", "", NODE).await?;
        let label = names::ready(&module_name("wrong"));
        ensure!(
            node["metadata"]["labels"][&label].is_null(),
            "the node has {label}"
        );
        let loaded = self.machine.shell("cat /proc/modules")?;
        ensure!(!loaded.contains("kmm_user"), "{loaded}");
        Ok(())
    }

    async fn delete(&mut self) -> Result<()> {
        for name in ["wrong", "firmware", "dummy", "base"] {
            let module = self.module(name, "", "");
            api_of(&self.client, &module)?
                .delete(name, &DeleteParams::background())
                .await?;
        }
        let client = self.client.clone();
        until_within(PATIENCE, "the Modules and their pods are gone", async || {
            let modules = list(&client, BETA, "Module").await?;
            let pods = list(&client, "v1", "Pod").await?;
            Ok(modules.is_empty() && pods.is_empty())
        })
        .await?;
        let loaded = self.machine.shell("cat /proc/modules")?;
        for module in ["kmm_", "dummy"] {
            ensure!(!loaded.contains(module), "{module} is still loaded:\n{loaded}");
        }
        let left = self
            .machine
            .shell(&format!("ls /lib/firmware/{FIRMWARE} || true"))?;
        ensure!(
            left.contains("No such file"),
            "the firmware is still there: {left}"
        );
        let client = self.client.clone();
        until_within(PATIENCE, "the node is as it was", async || {
            let node = get(&client, "v1", "Node", "", NODE).await?;
            let config = get(&client, BETA, "NodeModulesConfig", "", NODE).await?;
            let labels = node["metadata"]["labels"].to_string();
            let of = |part: &str| config[part]["modules"].as_array().is_none_or(Vec::is_empty);
            Ok(!labels.contains("kmm.node") && of("spec") && of("status"))
        })
        .await
    }

    /// Every worker pod had one capability and no privilege, and no init container.
    fn modest(&self) -> Result<()> {
        let workers = self.pods.workers();
        for pod in &workers {
            let security = &pod["spec"]["containers"][0]["securityContext"];
            ensure!(
                security["capabilities"] == json!({"add": ["SYS_MODULE"], "drop": ["ALL"]}),
                "{security}"
            );
            ensure!(security["privileged"] != true, "{security}");
            ensure!(pod["spec"]["initContainers"].is_null(), "{pod}");
        }
        ensure!(workers.len() >= 10, "{} worker pods were seen", workers.len());
        println!(
            "{} worker pods had CAP_SYS_MODULE and nothing else, none was privileged",
            workers.len()
        );
        Ok(())
    }

    /// Starts the node on a kernel.
    fn boot(&mut self, kernel: usize) -> Result<()> {
        let user = std::fs::read(self.parts.kernels[kernel].1.join("kmm_user.ko"))?;
        self.machine.start(kernel, &[("kmm_user.ko", user)])
    }

    /// Waits until the node is ready, on this kernel and on another boot than that one.
    async fn ready(&self, kernel: usize, boot: &str) -> Result<()> {
        sight::ready(&self.client, &self.parts.kernels[kernel].0.version, boot).await
    }

    /// A Module that loads a module of the kernel, from the image of this name for either kernel.
    fn module(&self, name: &str, module: &str, image: &str) -> Value {
        json!({
            "apiVersion": BETA, "kind": "Module", "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {
                "selector": {"pool": "real"},
                "moduleLoader": {"container": {
                    "modprobe": {"moduleName": module},
                    "kernelMappings": [{
                        "regexp": "^6\\.", "containerImage": self.images.name(image) + ":${KERNEL_X}.${KERNEL_Y}",
                    }],
                }},
            },
        })
    }

    /// The Module `base`: a parameter, another image for the new kernel, and a device plugin.
    fn base(&self, image: &str, parameter: u32) -> Value {
        let mut module = self.module("base", "kmm_base", image);
        let container = &mut module["spec"]["moduleLoader"]["container"];
        container["modprobe"]["parameters"] = json!([format!("base={parameter}")]);
        container["kernelMappings"] = json!([
            {"regexp": "^6\\.1\\.", "containerImage": self.images.name(image) + ":6.1"},
            {"literal": self.parts.kernels[1].0.version, "containerImage": self.images.name("base-for-new:6.12")},
        ]);
        module["spec"]["devicePlugin"] = json!({"container": {"image": self.images.name("plugin:1")}});
        module
    }

    /// Waits until a module is loaded with a parameter.
    async fn has(&mut self, module: &str, parameter: &str, value: &str) -> Result<()> {
        self.reads(&format!("{module}/parameters/{parameter}"), value)
            .await
    }

    /// Waits until a module is loaded in this version.
    async fn has_version(&mut self, module: &str, version: &str) -> Result<()> {
        self.reads(&format!("{module}/version"), version).await
    }

    /// Waits until a file below `/sys/module` holds a text.
    async fn reads(&mut self, file: &str, text: &str) -> Result<()> {
        let machine = &mut self.machine;
        until_within(PATIENCE, &format!("/sys/module/{file} says {text}"), async || {
            let said = machine.shell(&format!("cat /sys/module/{file} 2> /dev/null || true"))?;
            Ok(said == text)
        })
        .await
    }

    /// The loaded module is the one that was compiled: its `srcversion` is that of the file.
    async fn is_the_one(&mut self, kernel: usize, module: &str, folder: &str) -> Result<()> {
        let file = self.parts.kernels[kernel]
            .1
            .join(folder)
            .join(format!("{module}.ko"));
        let out = Command::new("modinfo")
            .args(["-F", "srcversion"])
            .arg(&file)
            .output()
            .context("could not start `modinfo`")?;
        let wanted = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        if wanted.is_empty() {
            bail!("`{}` has no srcversion", file.display());
        }
        self.reads(&format!("{module}/srcversion"), &wanted).await
    }

    /// Waits until the node has a label.
    async fn label(&self, label: &str) -> Result<()> {
        until_within(PATIENCE, &format!("the node has the label {label}"), async || {
            let node = get(&self.client, "v1", "Node", "", NODE).await?;
            Ok(node["metadata"]["labels"][label].is_string())
        })
        .await
    }

    /// Waits until an event about an object says something.
    async fn event(&self, kind: &str, name: &str, reason: &str, text: &str) -> Result<()> {
        sight::event(&self.client, kind, name, reason, text).await
    }
}

pub(super) fn module_name(name: &str) -> ModuleName {
    ModuleName {
        name: name.to_owned(),
        namespace: NAMESPACE.to_owned(),
    }
}
