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
use kube::api::DynamicObject;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::core::GroupVersionKind;
use serde_json::Value;

/// How long something that a controller does may take; a loaded machine takes its time.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// Who writes, in the managed fields.
const MANAGER: &str = "xtask";

/// The API of the kind of `object`, in its namespace if it has one.
pub(super) fn api_of(client: &Client, object: &Value) -> Result<Api<DynamicObject>> {
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
pub(super) async fn apply(client: &Client, object: &Value) -> Result<Value> {
    let name = object["metadata"]["name"].as_str().context("no name")?;
    let params = PatchParams::apply(MANAGER).force().validation_strict();
    let applied = api_of(client, object)?
        .patch(name, &params, &Patch::Apply(object))
        .await
        .with_context(|| format!("could not apply {} {name}", object["kind"]))?;
    Ok(serde_json::to_value(applied)?)
}

/// Installs the CRDs of a cluster and waits until the API server serves them.
pub(super) async fn install_crds(client: &Client) -> Result<usize> {
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
pub(super) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !is_so().await.with_context(|| what.to_owned())? {
        if started.elapsed() > PATIENCE {
            bail!("not seen within {} s: {what}", PATIENCE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
