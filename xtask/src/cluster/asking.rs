//! What the operator asks (registries, the API server about readers) and what it answers (health, metrics, webhooks).

use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use kube::Client;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;

use super::admission;
use super::check::make_namespace;
use super::control_plane::ControlPlane;
use super::life;
use super::objects;
use super::objects::apply;
use super::objects::create;
use super::objects::get;
use super::objects::list;
use super::objects::until;
use super::rivals;
use super::serving::Serving;
use crate::registry;
use crate::registry::Registry;

/// One cluster for all of it.
pub(super) async fn check(kmm: &Path) -> Result<()> {
    let mut plane = ControlPlane::start().await?;
    let client = plane.client().await?;
    objects::install_crds(&client).await?;
    plane.start_controllers().await?;
    make_namespace(&client, "drivers").await?;
    for name in ["w1", "w2"] {
        create(&client, &life::node(name, "acme")).await?;
    }
    admission::run(&plane, &client, kmm).await.context("webhooks")?;
    // Nobody serves them now.
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "kmm"},
    });
    objects::delete_now(&client, &configuration).await?;
    registries(&plane, &client, kmm).await.context("registries")?;
    rivals::run(&plane, &client, kmm).await.context("rivals")
}

/// An operator that asks registries itself, and serves health and metrics.
async fn registries(plane: &ControlPlane, client: &Client, kmm: &Path) -> Result<()> {
    registry::set_up()?;
    let registry = Registry::start(registry::Kind::PlainBasic)?;
    let image = layout(plane.folder())?;
    registry.push(&image, "acme:there")?;
    let pull = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull", "namespace": "drivers"},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": registry::base64(registry.auth_json().to_string().as_bytes())},
    });
    apply(client, &pull).await?;
    let config = json!({
        "leaderElection": {"enabled": false}, "images": {"check": "registry"},
        "healthProbeBindAddress": "127.0.0.1:0", "metrics": {"bindAddress": "127.0.0.1:0"},
    });
    let mut operator = Serving::start(plane, kmm, "operator", "asking", &config)?;
    let health = operator.address("health").await?;
    let metrics = operator.address("metrics").await?;
    until("the operator is ready", async || {
        let answer = reqwest::get(format!("http://{health}/readyz")).await?;
        Ok(answer.status() == 200)
    })
    .await?;
    let alive = reqwest::get(format!("http://{health}/healthz")).await?;
    ensure!(alive.status() == 200 && alive.text().await? == "ok", "/healthz");

    apply(client, &module(&registry, "there", "there", true)).await?;
    apply(client, &module(&registry, "later", "later", true)).await?;
    apply(client, &module(&registry, "locked", "there", false)).await?;
    exists(client, "there")
        .await
        .with_context(|| operator.last_lines())?;
    for (name, why) in [("later", "missing"), ("locked", "failed")] {
        until(
            &format!("the registry has answered for {name}: {why}"),
            async || {
                Ok(operator
                    .asked(name)
                    .iter()
                    .any(|outcome| outcome.to_lowercase().contains(why)))
            },
        )
        .await
        .with_context(|| operator.last_lines())?;
        let images = get(client, life::BETA, "ModuleImagesConfig", "drivers", name).await?;
        ensure!(
            images["status"]["imagesStates"]
                .as_array()
                .is_none_or(Vec::is_empty),
            "{images}"
        );
    }
    let refused = operator.asked("locked").join("\n");
    ensure!(
        refused.contains("pull secret"),
        "nothing says what is lacking: {refused}"
    );
    registry.push(&image, "acme:later")?;
    apply(client, &module(&registry, "locked", "there", true)).await?;
    for name in ["later", "locked"] {
        exists(client, name)
            .await
            .with_context(|| operator.last_lines())?;
    }
    let pods = list(client, "v1", "Pod").await?;
    let pulls: Vec<_> = pods
        .iter()
        .filter(|pod| pod["metadata"]["labels"][kmm_core::reconcile::names::IMAGE_OWNER].is_string())
        .collect();
    ensure!(pulls.is_empty(), "it made pods to look for images: {pulls:?}");
    println!("a registry was asked with the Secret of each Module, again where it had to be");
    readers(client, &metrics).await?;
    operator.stop()
}

/// A Module whose image is in the registry, or will be.
fn module(registry: &Registry, name: &str, tag: &str, secret: bool) -> Value {
    let mut module = life::modules()[0].clone();
    module["metadata"]["name"] = json!(name);
    if let Some(spec) = module["spec"].as_object_mut() {
        spec.remove("devicePlugin");
    }
    let container = &mut module["spec"]["moduleLoader"]["container"];
    container["modprobe"]["args"] = json!({"load": ["-v", "-f"], "unload": ["-v"]});
    let mapping = &mut container["kernelMappings"][0];
    mapping["containerImage"] = json!(format!("{}/acme:{tag}", registry.addr));
    mapping["registryTLS"] = json!({"insecure": true});
    if secret {
        module["spec"]["imageRepoSecret"] = json!({"name": "pull"});
    }
    module
}

async fn exists(client: &Client, name: &str) -> Result<()> {
    until(&format!("the image of {name} exists"), async || {
        let images = get(client, life::BETA, "ModuleImagesConfig", "drivers", name).await?;
        Ok(images["status"]["imagesStates"][0]["status"] == "Exists")
    })
    .await
}

/// Metrics are for those who may read them, over TLS.
async fn readers(client: &Client, address: &str) -> Result<()> {
    let account = |name: &str| json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "drivers"}});
    for name in ["reader", "stranger"] {
        apply(client, &account(name)).await?;
    }
    apply(
        client,
        &json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "metrics-reader"},
            "rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}],
        }),
    )
    .await?;
    apply(
        client,
        &json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "metrics-reader"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "metrics-reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": "drivers"}],
        }),
    )
    .await?;
    let http = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .build()?;
    let ask = async |token: Option<String>| -> Result<(u16, String)> {
        let mut request = http.get(format!("https://{address}/metrics"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    };
    ensure!(ask(None).await?.0 == 401, "nobody may read");
    ensure!(
        ask(Some("nonsense".to_owned())).await?.0 == 401,
        "a token of nobody"
    );
    let stranger = token(client, "stranger").await?;
    ensure!(ask(Some(stranger)).await?.0 == 403, "somebody who may not");
    // The binding takes a moment to be seen.
    let mut page = String::new();
    let reader = token(client, "reader").await?;
    until("the reader may read", async || {
        let (status, text) = ask(Some(reader.clone())).await?;
        page = text;
        Ok(status == 200)
    })
    .await?;
    for line in [
        "kmm_module_num ",
        "kmm_device_plugin_num 3",
        "kmm_modprobe_args{name=\"there\",namespace=\"drivers\",modprobeArgs=\"-v,-f\"} 1",
        "kmm_registry_questions_total{answer=\"found\"} ",
        "kmm_registry_questions_total{answer=\"failed\"} ",
        "kmm_writes_total{kind=\"ModuleImagesConfig\",verb=\"create\",result=\"done\"} ",
        "kmm_reconcile_time_seconds_count{controller=\"images\"} ",
        "kmm_queue_depth{state=\"due\"} ",
        "kmm_reasons{reason=\"ImageExists\"} ",
    ] {
        ensure!(
            page.lines().any(|found| found.starts_with(line)),
            "no `{line}` in\n{page}"
        );
    }
    println!("health and metrics were served, metrics to those who may read them");
    Ok(())
}

async fn token(client: &Client, account: &str) -> Result<String> {
    let path = format!("/api/v1/namespaces/drivers/serviceaccounts/{account}/token");
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let request = http::Request::post(path)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body.to_string().into_bytes())?;
    let answer: Value = client.request(request).await?;
    let token = answer["status"]["token"].as_str().context("no token")?;
    Ok(token.to_owned())
}

/// An image without layers, in a layout; nobody here looks into it.
fn layout(folder: &Path) -> Result<String> {
    let folder = folder.join("layout");
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs)?;
    let blob = |kind: &str, content: &Value| -> Result<Value> {
        let text = content.to_string();
        let digest: String = Sha256::digest(&text)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        std::fs::write(blobs.join(&digest), &text)?;
        let kind = format!("application/vnd.oci.image.{kind}.v1+json");
        Ok(json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": text.len()}))
    };
    let rootfs = json!({"type": "layers", "diff_ids": []});
    let config = json!({"architecture": "amd64", "os": "linux", "rootfs": rootfs});
    let config = blob("config", &config)?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [],
    });
    let mut manifest = blob("manifest", &manifest)?;
    manifest["annotations"] = json!({"org.opencontainers.image.ref.name": "v1"});
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    std::fs::write(folder.join("index.json"), index.to_string())?;
    std::fs::write(
        folder.join("oci-layout"),
        json!({"imageLayoutVersion": "1.0.0"}).to_string(),
    )?;
    Ok(format!("oci:{}:v1", folder.display()))
}
