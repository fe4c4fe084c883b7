//! Writing and reading objects of any kind, as `kubectl` does.

use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_kube::crd;
use kube::Api;
use kube::Client;
use kube::api::ApiResource;
use kube::api::DeleteParams;
use kube::api::DynamicObject;
use kube::api::ListParams;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use kube::api::Preconditions;
use kube::core::GroupVersionKind;
use serde_json::Value;

/// How long something that a controller does may take; a loaded machine takes its time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// How long an API server may be away.
const AWAY: Duration = Duration::from_secs(60);

/// Who writes, in the managed fields.
const MANAGER: &str = "xtask";

/// The API of the kind of `object`, in its namespace if it has one.
pub(crate) fn api_of(client: &Client, object: &Value) -> Result<Api<DynamicObject>> {
    let api_version = object["apiVersion"].as_str().context("no apiVersion")?;
    let kind = object["kind"].as_str().context("no kind")?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Ok(match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    })
}

/// Server-side apply with strict validation: an unknown field is refused.
pub(crate) async fn apply(client: &Client, object: &Value) -> Result<Value> {
    let name = object["metadata"]["name"].as_str().context("no name")?;
    let params = PatchParams::apply(MANAGER).force().validation_strict();
    let applied = api_of(client, object)?
        .patch(name, &params, &Patch::Apply(object))
        .await
        .with_context(|| format!("could not apply {} {name}", object["kind"]))?;
    Ok(serde_json::to_value(applied)?)
}

/// Creates an object, and gives it the status that it came with.
pub(crate) async fn create(client: &Client, object: &Value) -> Result<Value> {
    let name = object["metadata"]["name"].as_str().context("no name")?;
    let api = api_of(client, object)?;
    let mut bare = object.clone();
    let status = bare.as_object_mut().and_then(|bare| bare.remove("status"));
    let what = || format!("could not create {} {name}", object["kind"]);
    let bare: DynamicObject = serde_json::from_value(bare)?;
    let mut created = api
        .create(&PostParams::default(), &bare)
        .await
        .with_context(what)?;
    if let Some(status) = status.filter(|status| status.as_object().is_some_and(|map| !map.is_empty())) {
        let patch = serde_json::json!({ "status": status });
        created = api
            .patch_status(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .with_context(what)?;
    }
    Ok(serde_json::to_value(created)?)
}

/// Changes an object, or its status, by a merge patch.
pub(crate) async fn change(client: &Client, object: &Value, patch: &Value) -> Result<()> {
    let name = object["metadata"]["name"].as_str().context("no name")?;
    let api = api_of(client, object)?;
    let patch_of = Patch::Merge(patch);
    if patch.get("status").is_some() {
        api.patch_status(name, &PatchParams::default(), &patch_of).await?;
    } else {
        api.patch(name, &PatchParams::default(), &patch_of).await?;
    }
    Ok(())
}

/// Deletes this very object without waiting for a kubelet.
pub(crate) async fn delete_now(client: &Client, object: &Value) -> Result<()> {
    let name = object["metadata"]["name"].as_str().context("no name")?;
    let uid = object["metadata"]["uid"].as_str().map(str::to_owned);
    let same = Preconditions {
        uid,
        resource_version: None,
    };
    let params = DeleteParams::default().grace_period(0).preconditions(same);
    api_of(client, object)?.delete(name, &params).await?;
    Ok(())
}

/// All objects of a kind, in every namespace.
pub(crate) async fn list(client: &Client, api_version: &str, kind: &str) -> Result<Vec<Value>> {
    let any = serde_json::json!({"apiVersion": api_version, "kind": kind});
    let api = api_of(client, &any)?;
    let begun = Instant::now();
    let found = loop {
        match api.list(&ListParams::default()).await {
            Err(error) if is_away(&error, begun).await => {}
            answer => break answer?,
        }
    };
    let objects = found.items.into_iter().map(|object| {
        // In lists, objects of Kubernetes' own kinds do not say their kind.
        let mut object = serde_json::to_value(object)?;
        object["apiVersion"] = api_version.into();
        object["kind"] = kind.into();
        Ok(object)
    });
    objects.collect()
}

/// An object; `null` where there is none.
pub(crate) async fn get(
    client: &Client,
    api_version: &str,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Result<Value> {
    let mut object = serde_json::json!({"apiVersion": api_version, "kind": kind, "metadata": {}});
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = serde_json::json!(namespace);
    }
    let api = api_of(client, &object)?;
    let begun = Instant::now();
    let found = loop {
        match api.get_opt(name).await {
            Err(error) if is_away(&error, begun).await => {}
            answer => break answer?,
        }
    };
    Ok(found
        .map(serde_json::to_value)
        .transpose()?
        .unwrap_or(Value::Null))
}

/// Whether there was no answer, and what only reads is to be asked again: a connection may break, as when the API server was
/// started anew.
async fn is_away(error: &kube::Error, since: Instant) -> bool {
    let away = matches!(error, kube::Error::Service(_) | kube::Error::HyperError(_));
    let again = away && since.elapsed() < AWAY;
    if again {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    again
}

/// Installs the CRDs of a cluster and waits until the API server serves them.
pub(crate) async fn install_crds(client: &Client) -> Result<usize> {
    let mut crds = crd::definitions(crd::Install::Cluster, &crd::Conversion::default());
    for found in crd::definitions(crd::Install::Hub, &crd::Conversion::default()) {
        if !crds.contains(&found) {
            crds.push(found);
        }
    }
    for crd in &crds {
        apply(client, crd).await?;
    }
    for crd in &crds {
        let name = crd["metadata"]["name"].as_str().context("a CRD without a name")?;
        let api = api_of(client, crd)?;
        until(&format!("{name} is established"), async || {
            let conditions = api.get(name).await?.data["status"]["conditions"].clone();
            let conditions = conditions.as_array().cloned().unwrap_or_default();
            if let Some(bad) = conditions
                .iter()
                .find(|one| one["type"] == "NonStructuralSchema" && one["status"] == "True")
            {
                bail!("{name}: {}", bad["message"]);
            }
            Ok(conditions
                .iter()
                .any(|one| one["type"] == "Established" && one["status"] == "True"))
        })
        .await?;
    }
    Ok(crds.len())
}

/// Waits until something is so.
///
/// # Errors
///
/// When it is not so in time, or asking fails.
pub(crate) async fn until(what: &str, is_so: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    until_within(PATIENCE, what, is_so).await
}

/// Waits until something is so, for this long.
///
/// # Errors
///
/// When it is not so in time, or asking fails.
pub(crate) async fn until_within(
    patience: Duration,
    what: &str,
    mut is_so: impl AsyncFnMut() -> Result<bool>,
) -> Result<()> {
    let started = Instant::now();
    while !is_so().await.with_context(|| what.to_owned())? {
        if started.elapsed() > patience {
            bail!("not seen within {} s: {what}", patience.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    if started.elapsed() > patience / 10 {
        // How much room there is on a slower machine.
        println!("  took {} s: {what}", started.elapsed().as_secs());
    }
    Ok(())
}
