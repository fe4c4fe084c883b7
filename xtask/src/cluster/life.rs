//! The life of a Module on a real API server, with the built operator and kubelets that are played.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use kmm_core::reconcile::names;
use kmm_core::resolve::ModuleName;
use kube::Client;
use kube::api::DeleteParams;
use serde_json::Value;
use serde_json::json;

use super::access;
use super::access::Asked;
use super::control_plane::ControlPlane;
use super::kubelet::Kubelets;
use super::objects::api_of;
use super::objects::apply;
use super::objects::change;
use super::objects::create;
use super::objects::get;
use super::objects::list;
use super::objects::until;
use super::running;
use super::running::Operator;
use super::settings;
use super::taken;

pub(super) const BETA: &str = "kmm.sigs.x-k8s.io/v1beta1";
pub(super) const OLD: &str = "6.1.0-30-amd64";
const NEW: &str = "6.1.0-31-cloud-amd64";

/// How often in a row everything has to be the same, and for how long: the operator's own waits are shorter while nothing is
/// under way.
const LOOKS: u32 = 20;
const STILL: Duration = Duration::from_secs(2);

pub(super) fn nic() -> ModuleName {
    ModuleName {
        name: "acme-nic".to_owned(),
        namespace: "drivers".to_owned(),
    }
}

/// From the first Module to its end.
pub(super) async fn run(kmm: &Path) -> Result<Asked> {
    let (mut plane, client) = running::installed().await?;
    for (name, pool) in [("w1", "acme"), ("w2", "acme"), ("w3", "other")] {
        create(&client, &node(name, pool)).await?;
    }
    let kubelets = Kubelets::start(&client);
    let mut operator = Operator::start(&plane, kmm, "operator")?;
    operator.wait_until_listed().await?;
    let outcome = scenes(&client, &kubelets, &mut plane, kmm, operator).await;
    if outcome.is_err() {
        for pod in list(&client, "v1", "Pod").await? {
            println!("{pod}");
        }
        println!("the control plane's logs end with\n{}", plane.logs());
    }
    outcome?;
    access::asked(&plane)
}

async fn scenes(
    client: &Client,
    kubelets: &Kubelets,
    plane: &mut ControlPlane,
    kmm: &Path,
    operator: Operator,
) -> Result<()> {
    let with_log = |operator: &Operator| format!("the operator's log ends with\n{}", operator.last_lines());
    for module in modules() {
        apply(client, &module).await?;
    }
    loaded(client).await.with_context(|| with_log(&operator))?;
    told(client).await?;
    pods_are_modest(&kubelets.pods())?;
    println!("a Module came to its nodes, with labels, events, counts and its DaemonSet");

    reboot(client).await.with_context(|| with_log(&operator))?;
    println!("after a reboot into another kernel its image was loaded");

    // Without notice, and back: everything is as it was.
    let before = settled(client).await?;
    operator.kill();
    let mut operator = Operator::start(plane, kmm, "operator-2")?;
    operator.wait_until_listed().await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    ensure!(
        operator.writes().is_empty(),
        "the second operator wrote: {:#?}",
        operator.writes()
    );
    ensure!(
        before == settled(client).await?,
        "the second operator changed something"
    );
    println!("an operator that was killed and started again wrote nothing");

    plane.restart_apiserver().await?;
    change_image(client).await.with_context(|| with_log(&operator))?;
    println!("after the API server was killed and came back, a new image was loaded");

    // In the middle of its work, after every few writes.
    apply(client, &modules()[0]).await?;
    for writes in [1, 2, 3, 5] {
        until("the operator is at work", async || {
            Ok(operator.writes().len() >= writes || is_back(client).await?)
        })
        .await?;
        operator.kill();
        operator = Operator::start(plane, kmm, &format!("operator-after-{writes}"))?;
    }
    until("the first image is back", async || is_back(client).await)
        .await
        .with_context(|| with_log(&operator))?;
    println!("an operator that was killed four times in the middle of its work came through");

    look_anew(client).await.with_context(|| with_log(&operator))?;
    println!("its images were looked for anew, and its device plugin was changed");

    taken::run(client, &operator).await?;

    end(client).await.with_context(|| with_log(&operator))?;
    println!("the Module was deleted, unloaded, and left nothing behind");
    let unloaders = kubelets.pods();
    let unloaders = unloaders
        .iter()
        .filter(|pod| pod["metadata"]["labels"][names::WORKER_ACTION] == "Unload");
    ensure!(unloaders.count() >= 2, "no module was unloaded");
    ensure!(
        kubelets.too_early().is_empty(),
        "unloaded while the device plugin ran: {:?}",
        kubelets.too_early()
    );
    operator.stop()?;
    settings::run(plane, client, kmm).await
}

pub(super) fn node(name: &str, pool: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"pool": pool, "kubernetes.io/arch": "amd64"}},
        "status": {
            "capacity": {"cpu": "8", "memory": "16Gi", "pods": "110"},
            "allocatable": {"cpu": "8", "memory": "16Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            "nodeInfo": {
                "kernelVersion": OLD, "bootID": format!("{name}-boot-1"), "architecture": "amd64",
                "kubeletVersion": "v1.36.3", "containerRuntimeVersion": "", "kubeProxyVersion": "",
                "machineID": "", "operatingSystem": "linux", "osImage": "", "systemUUID": "",
            },
        },
    })
}

/// One that fits, and one whose mappings take no kernel in use.
pub(super) fn modules() -> [Value; 2] {
    let module = |name: &str, mappings: Value| {
        json!({
            "apiVersion": BETA, "kind": "Module", "metadata": {"name": name, "namespace": "drivers"},
            "spec": {
                "selector": {"pool": "acme"},
                "moduleLoader": {"container": {
                    "modprobe": {"moduleName": "acme_nic", "parameters": ["queues=4"]},
                    "kernelMappings": mappings,
                }},
            },
        })
    };
    let image = "registry.example.com/acme:${KERNEL_FULL_VERSION}";
    let mut nic = module(
        "acme-nic",
        json!([{"regexp": "^6\\.1\\.", "containerImage": image}]),
    );
    nic["spec"]["devicePlugin"] = json!({"container": {"image": "registry.example.com/acme-dp:1"}});
    let lost = module("lost", json!([{"literal": "5.4.0", "containerImage": image}]));
    [nic, lost]
}

/// Every node of the pool has the Module, and everything says so.
async fn loaded(client: &Client) -> Result<()> {
    for name in ["w1", "w2"] {
        has_kernel(client, name, OLD).await?;
        for label in [names::ready(&nic()), names::device_plugin_ready(&nic())] {
            until(&format!("{name} has the label {label}"), async || {
                Ok(get(client, "v1", "Node", "", name).await?["metadata"]["labels"][&label].is_string())
            })
            .await?;
        }
    }
    let exists = json!([{"image": format!("registry.example.com/acme:{OLD}"), "status": "Exists"}]);
    until("the image is noted as one that exists", async || {
        let states = get(client, BETA, "ModuleImagesConfig", "drivers", "acme-nic").await?;
        Ok(states["status"]["imagesStates"] == exists)
    })
    .await?;
    let counts = json!({"nodesMatchingSelectorNumber": 2, "desiredNumber": 2, "availableNumber": 2});
    for part in ["moduleLoader", "devicePlugin"] {
        until(&format!("the Module counts its nodes in {part}"), async || {
            let module = get(client, BETA, "Module", "drivers", "acme-nic").await?;
            Ok(module["status"][part] == counts)
        })
        .await?;
    }
    is_marked(client, true).await?;
    let other = get(client, "v1", "Node", "", "w3").await?;
    ensure!(
        !other["metadata"]["labels"].to_string().contains("acme-nic"),
        "{other}"
    );
    ensure!(get(client, BETA, "NodeModulesConfig", "", "w3").await?.is_null());
    Ok(())
}

/// A node has the Module loaded for a kernel.
async fn has_kernel(client: &Client, node: &str, kernel: &str) -> Result<()> {
    until(&format!("{node} has the module for {kernel}"), async || {
        let config = get(client, BETA, "NodeModulesConfig", "", node).await?;
        let of = |part: &str| config[part]["modules"][0]["config"].clone();
        Ok(of("status")["kernelVersion"] == kernel
            && of("status")["containerImage"] == of("spec")["containerImage"])
    })
    .await
}

/// Events tell what was loaded, and what stands in the way.
async fn told(client: &Client) -> Result<()> {
    for (kind, name, reason) in [
        ("Node", "w1", "ModuleLoaded"),
        ("Node", "w2", "ModuleLoaded"),
        ("Module", "lost", "NodesLeftOut"),
    ] {
        until(&format!("an event {reason} about {kind} {name}"), async || {
            let events = list(client, "v1", "Event").await?;
            Ok(events.iter().any(|event| {
                let about = &event["involvedObject"];
                about["kind"] == kind && about["name"] == name && event["reason"] == reason
            }))
        })
        .await?;
    }
    Ok(())
}

/// Worker pods have what they need and nothing else: no privilege, and images as volumes.
fn pods_are_modest(pods: &[Value]) -> Result<()> {
    let mut workers = 0;
    for pod in pods {
        if pod["metadata"]["labels"][names::WORKER_ACTION].is_null() {
            continue;
        }
        let security = &pod["spec"]["containers"][0]["securityContext"];
        ensure!(security["privileged"] != true, "{security}");
        ensure!(
            security["capabilities"]["add"] == json!(["SYS_MODULE"]),
            "{security}"
        );
        ensure!(pod["spec"]["initContainers"].is_null(), "{pod}");
        workers += 1;
    }
    ensure!(workers >= 2, "{workers} worker pods were seen");
    Ok(())
}

async fn reboot(client: &Client) -> Result<()> {
    let info = json!({"status": {"nodeInfo": {"kernelVersion": NEW, "bootID": "w1-boot-2"}}});
    change(client, &node("w1", "acme"), &info).await?;
    has_kernel(client, "w1", NEW).await?;
    let config = get(client, BETA, "NodeModulesConfig", "", "w1").await?;
    ensure!(
        config["status"]["modules"][0]["bootId"] == "w1-boot-2",
        "{config}"
    );
    until("w1 is ready again", async || {
        let node = get(client, "v1", "Node", "", "w1").await?;
        Ok(node["metadata"]["labels"][names::ready(&nic())].is_string())
    })
    .await
}

async fn change_image(client: &Client) -> Result<()> {
    let mut module = modules()[0].clone();
    let image = "registry.example.com/acme2:${KERNEL_FULL_VERSION}";
    module["spec"]["moduleLoader"]["container"]["kernelMappings"][0]["containerImage"] = json!(image);
    apply(client, &module).await?;
    for (node, kernel) in [("w1", NEW), ("w2", OLD)] {
        until(&format!("{node} has the new image"), async || {
            let config = get(client, BETA, "NodeModulesConfig", "", node).await?;
            let loaded = &config["status"]["modules"][0]["config"]["containerImage"];
            Ok(*loaded == format!("registry.example.com/acme2:{kernel}"))
        })
        .await?;
    }
    Ok(())
}

/// Whether both nodes have the image of the first Module again.
async fn is_back(client: &Client) -> Result<bool> {
    for (node, kernel) in [("w1", NEW), ("w2", OLD)] {
        let config = get(client, BETA, "NodeModulesConfig", "", node).await?;
        let loaded = &config["status"]["modules"][0]["config"]["containerImage"];
        let node = get(client, "v1", "Node", "", node).await?;
        if *loaded != format!("registry.example.com/acme:{kernel}")
            || !node["metadata"]["labels"][names::ready(&nic())].is_string()
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The images are forgotten and found again, and the DaemonSet gets another image.
async fn look_anew(client: &Client) -> Result<()> {
    let mut module = modules()[0].clone();
    let image = "registry.example.com/acme-dp:2";
    module["spec"]["imageRebuildTriggerGeneration"] = json!(1);
    module["spec"]["devicePlugin"]["container"]["image"] = json!(image);
    apply(client, &module).await?;
    until("the images were looked for anew", async || {
        let module = get(client, BETA, "Module", "drivers", "acme-nic").await?;
        let images = get(client, BETA, "ModuleImagesConfig", "drivers", "acme-nic").await?;
        let states = images["status"]["imagesStates"].as_array().map_or(0, Vec::len);
        Ok(module["status"]["imageRebuildTriggerGeneration"] == 1 && states == 2)
    })
    .await?;
    until("the device plugin has its new image", async || {
        let sets = list(client, "apps/v1", "DaemonSet").await?;
        let has = |set: &Value| set["spec"]["template"]["spec"]["containers"][0]["image"] == image;
        Ok(!sets.is_empty() && sets.iter().all(has))
    })
    .await
}

async fn end(client: &Client) -> Result<()> {
    for module in modules() {
        let name = module["metadata"]["name"].as_str().unwrap_or_default();
        api_of(client, &module)?
            .delete(name, &DeleteParams::background())
            .await?;
        until(&format!("the Module {name} is gone"), async || {
            Ok(get(client, BETA, "Module", "drivers", name).await?.is_null())
        })
        .await?;
    }
    until("nothing is left of it", async || {
        let nodes = list(client, "v1", "Node").await?;
        let labelled = nodes
            .iter()
            .any(|node| node["metadata"]["labels"].to_string().contains("acme-nic"));
        let configs = list(client, BETA, "NodeModulesConfig").await?;
        let configured = configs.iter().any(|config| {
            config["spec"]["modules"]
                .as_array()
                .is_some_and(|list| !list.is_empty())
                || config["status"]["modules"]
                    .as_array()
                    .is_some_and(|list| !list.is_empty())
        });
        let images = list(client, BETA, "ModuleImagesConfig").await?;
        let sets = list(client, "apps/v1", "DaemonSet").await?;
        let pods = list(client, "v1", "Pod").await?;
        Ok(!labelled && !configured && images.is_empty() && sets.is_empty() && pods.is_empty())
    })
    .await?;
    is_marked(client, false).await
}

/// Waits until the namespace is marked as one with Modules, or is not any more.
async fn is_marked(client: &Client, marked: bool) -> Result<()> {
    let what = if marked {
        "is marked"
    } else {
        "is not marked any more"
    };
    until(&format!("the namespace {what}"), async || {
        let namespace = get(client, "v1", "Namespace", "", "drivers").await?;
        Ok(namespace["metadata"]["labels"][names::CONTAINS_MODULES].is_string() == marked)
    })
    .await
}

/// Everything that the operator writes, once it changes no more, and nothing is on its way that would change it.
pub(super) async fn settled(client: &Client) -> Result<Value> {
    let mut last = Value::Null;
    let mut moves = None;
    let (mut same, mut since) = (0, Instant::now());
    until("nothing changes any more", async || {
        let objects = objects_of(client).await?;
        moves = objects.iter().find_map(on_its_way);
        let now = state(&objects);
        if now == last && moves.is_none() {
            same += 1;
        } else {
            (same, since) = (0, Instant::now());
        }
        last = now;
        Ok(same >= LOOKS && since.elapsed() >= STILL)
    })
    .await
    .with_context(|| moves.clone().unwrap_or_default())?;
    Ok(last)
}

async fn objects_of(client: &Client) -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    for (api_version, kind) in [
        ("v1", "Namespace"),
        ("v1", "Node"),
        ("v1", "Pod"),
        ("apps/v1", "DaemonSet"),
        (BETA, "Module"),
        (BETA, "NodeModulesConfig"),
        (BETA, "ModuleImagesConfig"),
    ] {
        objects.extend(list(client, api_version, kind).await?);
    }
    Ok(objects)
}

/// What shows that work is under way, though nothing may change for a while: the operator waits for pods to end, and the
/// controllers of Kubernetes have queues of their own.
fn on_its_way(object: &Value) -> Option<String> {
    let (metadata, status) = (&object["metadata"], &object["status"]);
    let labels = &metadata["labels"];
    let why = match object["kind"].as_str() {
        Some("Namespace" | "Node") => return None,
        // That of somebody else, who may wait for a kubelet.
        Some("Pod") if labels[names::MODULE_NAME].is_null() && labels[names::IMAGE_OWNER].is_null() => {
            return None;
        }
        _ if metadata["deletionTimestamp"].is_string() => "is being deleted",
        Some("Pod") if labels[names::WORKER_ACTION].is_string() => "is a worker",
        Some("Pod") if labels[names::IMAGE_OWNER].is_string() => "pulls an image",
        Some("DaemonSet") => {
            let count = |name: &str| status[name].as_u64().unwrap_or_default();
            let wanted = count("desiredNumberScheduled");
            let there = ["currentNumberScheduled", "updatedNumberScheduled", "numberReady"];
            if status["observedGeneration"] == metadata["generation"]
                && there.iter().all(|name| count(name) == wanted)
                && count("numberMisscheduled") == 0
            {
                return None;
            }
            "has not all of its pods"
        }
        _ => return None,
    };
    Some(format!("{} {} {why}: {status}", object["kind"], metadata["name"]))
}

fn state(objects: &[Value]) -> Value {
    let mut all = json!({});
    for object in objects {
        let metadata = &object["metadata"];
        let kind = object["kind"].as_str().unwrap_or_default();
        let key = format!("{kind} {} {}", metadata["namespace"], metadata["name"]);
        let mut kept = json!({"spec": object["spec"]});
        for field in [
            "uid",
            "labels",
            "annotations",
            "finalizers",
            "ownerReferences",
            "deletionTimestamp",
        ] {
            kept[field] = metadata[field].clone();
        }
        if object["apiVersion"] == BETA {
            kept["status"] = object["status"].clone();
        }
        all[key] = kept;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_is_told_from_what_stands() {
        let pod = |labels: Value| json!({"kind": "Pod", "metadata": {"name": "p", "labels": labels}});
        let set = |there: u32, seen: u32| {
            json!({
                "kind": "DaemonSet", "metadata": {"name": "d", "generation": 2},
                "status": {
                    "observedGeneration": seen, "desiredNumberScheduled": 3, "currentNumberScheduled": 3,
                    "updatedNumberScheduled": there, "numberReady": 3, "numberMisscheduled": 0,
                },
            })
        };
        let leaves = |labels: Value| {
            let mut pod = pod(labels);
            pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            pod
        };
        let of_module = json!({names::MODULE_NAME: "nic"});
        for stands in [
            pod(of_module.clone()),
            leaves(json!({})),
            set(3, 2),
            modules()[0].clone(),
        ] {
            assert_eq!(on_its_way(&stands), None);
        }
        for moves in [
            pod(json!({names::MODULE_NAME: "nic", names::WORKER_ACTION: "Load"})),
            pod(json!({names::IMAGE_OWNER: "x"})),
            leaves(of_module),
            set(2, 2),
            set(3, 1),
        ] {
            assert!(on_its_way(&moves).is_some(), "{moves}");
        }
    }
}
