//! The control plane works: CRDs, the examples, the controllers.

use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::document;
use kube::Client;
use kube::api::DeleteParams;
use serde_json::Value;
use serde_json::json;

use super::control_plane::ControlPlane;
use super::objects;
use super::objects::api_of;
use super::objects::apply;
use super::objects::until;
use crate::steps;

/// Starts a control plane, installs the CRDs, creates the objects of every example, and stops it.
pub(super) async fn check() -> Result<()> {
    let started = Instant::now();
    let mut plane = ControlPlane::start().await?;
    let client = plane.client().await?;
    let crds = objects::install_crds(&client).await?;
    println!("{crds} CRDs are established");
    plane.start_controllers().await?;
    make_namespace(&client, "drivers").await?;
    let mut modules = 0;
    for (example, object) in examples()? {
        let applied = apply(&client, &object).await;
        if example == "broken" && object["kind"] == "Module" {
            refuses(&applied)?;
            continue;
        }
        let applied = applied.with_context(|| format!("examples/{example}"))?;
        if object["kind"] == "Module" {
            keeps_everything(&object["spec"], &applied["spec"], "spec")
                .with_context(|| format!("examples/{example}"))?;
            modules += 1;
        }
    }
    if modules == 0 {
        bail!("no example has a Module");
    }
    println!("{modules} Modules of the examples were taken with strict validation");
    unknown_fields_are_refused(&client).await?;
    garbage_is_collected(&client).await?;
    plane.restart_apiserver().await?;
    println!("the API server was killed and came back");
    drop(plane);
    println!("all of it took {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Makes a namespace, and waits for what the controllers put into it.
pub(crate) async fn make_namespace(client: &Client, name: &str) -> Result<()> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    apply(client, &namespace).await?;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": name}});
    let accounts = api_of(client, &account)?;
    until("the default service account is there", async || {
        Ok(accounts.get_opt("default").await?.is_some())
    })
    .await
}

/// Every object of the examples, with the name of its example.
fn examples() -> Result<Vec<(String, Value)>> {
    let mut found = Vec::new();
    let mut folders: Vec<_> = std::fs::read_dir(steps::root().join("examples"))?.collect::<Result<_, _>>()?;
    folders.sort_by_key(std::fs::DirEntry::path);
    for folder in folders {
        let path = folder.path().join("module.yaml");
        if !path.is_file() {
            continue;
        }
        let name = folder.file_name().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path)?;
        let stream = document::read(&text, &document::Limits::default());
        for object in stream.objects() {
            found.push((name.clone(), object.node.to_json()));
        }
    }
    Ok(found)
}

/// The example of what goes wrong is wrong for the API server too.
fn refuses(applied: &Result<Value>) -> Result<()> {
    match applied {
        Ok(_) => bail!("the Module of examples/broken was taken"),
        Err(error) => {
            let text = format!("{error:#}");
            if !text.contains("nodeSelector") && !text.contains("selector") {
                bail!("examples/broken was refused for something else: {text}");
            }
            Ok(())
        }
    }
}

/// Everything that was given is still there: nothing was dropped as unknown.
fn keeps_everything(given: &Value, stored: &Value, path: &str) -> Result<()> {
    match (given, stored) {
        (Value::Object(given), Value::Object(stored)) => {
            for (key, value) in given {
                let found = stored
                    .get(key)
                    .with_context(|| format!("{path}.{key} was dropped"))?;
                keeps_everything(value, found, &format!("{path}.{key}"))?;
            }
            Ok(())
        }
        (Value::Array(given), Value::Array(stored)) if given.len() == stored.len() => {
            for (place, (given, stored)) in given.iter().zip(stored).enumerate() {
                keeps_everything(given, stored, &format!("{path}[{place}]"))?;
            }
            Ok(())
        }
        (given, stored) if given == stored => Ok(()),
        (given, stored) => bail!("{path}: {given} became {stored}"),
    }
}

async fn unknown_fields_are_refused(client: &Client) -> Result<()> {
    let module = json!({
        "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module",
        "metadata": {"name": "typo", "namespace": "drivers"}, "spec": {"selector": {}, "selectr": {}},
    });
    match apply(client, &module).await {
        Ok(_) => bail!("a Module with an unknown field was taken"),
        Err(error) if format!("{error:#}").contains("selectr") => Ok(()),
        Err(error) => Err(error),
    }
}

/// The garbage collector knows our kinds: what a Module owns goes with it.
async fn garbage_is_collected(client: &Client) -> Result<()> {
    let owner = json!({
        "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module",
        "metadata": {"name": "owner", "namespace": "drivers"}, "spec": {"selector": {}},
    });
    let applied = apply(client, &owner).await?;
    let images = json!({
        "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "ModuleImagesConfig",
        "metadata": {"name": "owner", "namespace": "drivers", "ownerReferences": [{
            "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module", "name": "owner",
            "uid": applied["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
        }]},
        "spec": {"images": []},
    });
    apply(client, &images).await?;
    api_of(client, &owner)?
        .delete("owner", &DeleteParams::background())
        .await?;
    let lists = api_of(client, &images)?;
    until("the ModuleImagesConfig goes with its Module", async || {
        Ok(lists.get_opt("owner").await?.is_none())
    })
    .await
}
