//! `kmm explain --cluster` with the settings of the operator, which stand in its ConfigMap.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use anyhow::ensure;
use kube::Client;
use serde_json::Value;
use serde_json::json;

use super::access::NAMESPACE;
use super::control_plane::ControlPlane;
use super::life;
use super::life::BETA;
use super::objects::apply;
use super::objects::create;
use super::objects::get;
use super::objects::until;

/// A Module with firmware on a node, and no operator: whether it can be loaded is a question of the settings.
pub(super) async fn run(plane: &ControlPlane, client: &Client, kmm: &Path) -> Result<()> {
    let [mut module, _] = life::modules();
    module["metadata"]["name"] = json!("fw");
    if let Some(spec) = module["spec"].as_object_mut() {
        spec.remove("devicePlugin");
    }
    let container = &mut module["spec"]["moduleLoader"]["container"];
    container["modprobe"]["firmwarePath"] = json!("/firmware");
    apply(client, &module).await?;
    let (kernel, image) = (life::OLD, format!("registry.example.com/acme:{}", life::OLD));
    create(
        client,
        &json!({
            "apiVersion": BETA, "kind": "ModuleImagesConfig", "metadata": {"name": "fw", "namespace": "drivers"},
            "spec": {"imagePullPolicy": "", "images": [], "pushBuiltImage": false},
            "status": {"imagesStates": [{"image": image, "status": "Exists"}]},
        }),
    )
    .await?;
    create(client, &life::node("w5", "acme")).await?;
    create(
        client,
        &json!({
            "apiVersion": BETA, "kind": "NodeModulesConfig", "metadata": {"name": "w5"},
            "spec": {"modules": [{
                "name": "fw", "namespace": "drivers", "serviceAccountName": "default",
                "config": {
                    "kernelVersion": kernel, "containerImage": image, "imagePullPolicy": "", "insecurePull": false,
                    "modprobe": {
                        "moduleName": "acme_nic", "parameters": ["queues=4"], "dirName": "/opt",
                        "firmwarePath": "/firmware",
                    },
                },
            }]},
        }),
    )
    .await?;
    // Until the controllers have seen that it is ready, nothing is said of its workers.
    until("w5 has no taints", async || {
        let node = get(client, "v1", "Node", "", "w5").await?;
        Ok(node["spec"]["taints"].as_array().is_none_or(Vec::is_empty))
    })
    .await?;
    let ask = || -> Result<(bool, String)> {
        let out = Command::new(kmm)
            .args([
                "explain",
                "--cluster",
                "drivers/fw",
                "w5",
                "-o",
                "json",
                "--kubeconfig",
            ])
            .arg(plane.kubeconfig())
            .output()?;
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let answer: Value = serde_json::from_slice(&out.stdout)?;
        let reasons = answer["modules"][0]["reasons"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        Ok((
            reasons.iter().any(|reason| reason["code"] == "WorkerImpossible"),
            said,
        ))
    };
    let (impossible, said) = ask()?;
    ensure!(!impossible, "the default has a folder for firmware");
    ensure!(
        said.contains("its defaults are assumed"),
        "nothing is said of it: {said}"
    );
    for (text, wanted, complaint) in [
        ("worker: {firmwareHostPath: null}\n", true, ""),
        ("worker: {firmwareHostPath: /var/lib/firmware}\n", false, ""),
        ("workers: {}\n", false, "workers"),
    ] {
        apply(
            client,
            &json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "kmm-operator-config", "namespace": NAMESPACE},
                "data": {"config.yaml": text},
            }),
        )
        .await?;
        let (impossible, said) = ask()?;
        ensure!(impossible == wanted, "{text}: {impossible} {said}");
        ensure!(
            said.is_empty() == complaint.is_empty() && said.contains(complaint),
            "{text}: {said}"
        );
    }
    ensure!(
        !get(client, BETA, "Module", "drivers", "fw").await?.is_null(),
        "the Module is gone"
    );
    println!("kmm explain --cluster read the settings of the operator from its ConfigMap");
    Ok(())
}
