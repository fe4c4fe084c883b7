//! Webhooks that a real API server asks: `kmm webhook`, with certificates made here.

use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use kmm_core::reconcile::names;
use kmm_kube::crd;
use kube::Client;
use kube::api::DeleteParams;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use serde_json::Value;
use serde_json::json;

use super::control_plane::ControlPlane;
use super::life;
use super::objects::api_of;
use super::objects::apply;
use super::objects::change;
use super::objects::create;
use super::objects::get;
use super::objects::until;
use super::serving::Serving;

const BETA2: &str = "kmm.sigs.x-k8s.io/v1beta2";

/// A CA, and a certificate that it signed for the loopback, in PEM.
struct Made {
    ca: String,
    certificate: String,
    key: String,
}

impl Made {
    fn new() -> Result<Self> {
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate()?;
        let pem = ca.self_signed(&ca_key)?.pem();
        let key = KeyPair::generate()?;
        let server = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
        Ok(Self {
            ca: pem,
            certificate: server.signed_by(&key, &Issuer::new(ca, ca_key))?.pem(),
            key: key.serialize_pem(),
        })
    }

    fn write(&self, folder: &Path) -> Result<()> {
        std::fs::write(folder.join("tls.crt"), &self.certificate)?;
        std::fs::write(folder.join("tls.key"), &self.key)?;
        Ok(())
    }

    /// As it stands in configurations of webhooks.
    fn bundle(&self) -> Value {
        // The API server takes bytes in base64, and gives them to nobody else.
        json!(crate::registry::base64(self.ca.as_bytes()))
    }
}

/// Has the API server ask.
pub(super) async fn run(plane: &ControlPlane, client: &Client, kmm: &Path) -> Result<()> {
    let folder = plane.folder().join("certificates");
    std::fs::create_dir(&folder)?;
    let made = Made::new()?;
    made.write(&folder)?;
    let config = json!({
        "healthProbeBindAddress": "127.0.0.1:0", "metrics": {"bindAddress": "0"}, "webhookPort": 0,
        "webhooks": {"bindAddress": "127.0.0.1", "certDir": folder},
    });
    let mut server = Serving::start(plane, kmm, "webhook", "webhook", &config)?;
    let address = server.address("webhooks").await?;
    apply(client, &configuration(&address, &made.bundle())).await?;
    modules(client).await?;
    namespaces(client).await?;
    preflights(client, &address, &made.bundle()).await?;
    limits(&address).await?;
    certificates(client, &mut server, &address, &folder).await?;
    server.stop()?;
    in_the_operator(plane, client, kmm).await
}

/// The same webhooks, served by the operator itself.
async fn in_the_operator(plane: &ControlPlane, client: &Client, kmm: &Path) -> Result<()> {
    let folder = plane.folder().join("operator-certificates");
    std::fs::create_dir(&folder)?;
    let made = Made::new()?;
    made.write(&folder)?;
    let config = json!({
        "leaderElection": {"enabled": false}, "healthProbeBindAddress": "0", "metrics": {"bindAddress": "0"},
        "webhookPort": 0, "webhooks": {"enabled": true, "bindAddress": "127.0.0.1", "certDir": folder},
    });
    let mut operator = Serving::start(plane, kmm, "operator", "operator-with-webhooks", &config)?;
    let address = operator.address("webhooks").await?;
    apply(client, &configuration(&address, &made.bundle())).await?;
    let mut bad = module("refused-by-the-operator");
    bad["spec"]["moduleLoader"]["container"]["kernelMappings"] =
        json!([{"literal": "a", "regexp": "(", "containerImage": "registry.example.com/other"}]);
    // The configuration takes a moment to be seen.
    let mut said = "nothing".to_owned();
    let refused = until("the operator refuses a Module", async || {
        match apply(client, &bad).await {
            Ok(_) => {
                delete(client, &bad).await?;
                "it was let in".clone_into(&mut said);
            }
            Err(error) => said = format!("{error:#}"),
        }
        Ok(said.contains("admission webhook \"vmodule.kb.io\" denied the request"))
    })
    .await;
    refused.with_context(|| format!("{}\nlast said: {said}", operator.last_lines()))?;
    let good = module("taken-by-the-operator");
    apply(client, &good).await?;
    until("the operator that admitted a Module looks after it", async || {
        let module = get(client, life::BETA, "Module", "drivers", "taken-by-the-operator").await?;
        Ok(module["metadata"]["finalizers"].is_array())
    })
    .await
    .with_context(|| operator.last_lines())?;
    delete(client, &good).await?;
    until("the Module goes", async || {
        let module = get(client, life::BETA, "Module", "drivers", "taken-by-the-operator").await?;
        Ok(module.is_null())
    })
    .await?;
    println!("an operator that serves the webhooks itself refused a Module, and looked after another");
    operator.stop()
}

async fn delete(client: &Client, object: &Value) -> Result<()> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    api_of(client, object)?
        .delete(name, &DeleteParams::background())
        .await?;
    Ok(())
}

/// The configuration of the Go operator, with an address for its Service.
fn configuration(address: &str, bundle: &Value) -> Value {
    let webhook = |name: &str, path: &str, rule: Value| {
        json!({
            "name": name, "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": format!("https://{address}{path}"), "caBundle": bundle}, "rules": [rule],
        })
    };
    let rule = |group: &str, version: &str, resource: &str, operations: &[&str]| {
        json!({
            "apiGroups": [group], "apiVersions": [version], "resources": [resource], "operations": operations,
        })
    };
    let group = "kmm.sigs.x-k8s.io";
    let mut namespaces = webhook(
        "namespace-deletion.kmm.sigs.k8s.io",
        "/validate--v1-namespace",
        rule("", "v1", "namespaces", &["DELETE"]),
    );
    namespaces["namespaceSelector"] = json!({"matchLabels": {names::CONTAINS_MODULES: ""}});
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "kmm"},
        "webhooks": [
            webhook(
                "vmodule.kb.io",
                "/validate-kmm-sigs-x-k8s-io-v1beta1-module",
                rule(group, "v1beta1", "modules", &["CREATE", "UPDATE"]),
            ),
            namespaces,
            webhook(
                "vpreflightvalidation.kb.io",
                "/validate-kmm-sigs-x-k8s-io-v1beta2-preflightvalidation",
                rule(group, "v1beta2", "preflightvalidations", &["CREATE", "UPDATE"]),
            ),
        ],
    })
}

fn module(name: &str) -> Value {
    let mut module = life::modules()[0].clone();
    module["metadata"]["name"] = json!(name);
    // Nobody's nodes: it stays as it is.
    module["spec"]["selector"] = json!({"pool": "nobody"});
    module
}

/// What went wrong with what was to be refused.
fn refusal<T>(result: Result<T>) -> Result<String> {
    match result {
        Ok(_) => bail!("it was not refused"),
        Err(error) => Ok(format!("{error:#}")),
    }
}

async fn modules(client: &Client) -> Result<()> {
    let mut bad = module("bad");
    let container = "/spec/moduleLoader/container";
    let part = bad.pointer_mut(container).context("no container")?;
    part["kernelMappings"] = json!([{"containerImage": "registry.example.com/acme"}, {"literal": "a", "regexp": "(", "containerImage": "registry.example.com/other"}]);
    // The configuration takes a moment to be seen.
    let mut text = String::new();
    until("a Module with faults is refused", async || {
        let applied = apply(client, &bad).await;
        match applied {
            Ok(_) => {
                api_of(client, &bad)?
                    .delete("bad", &DeleteParams::background())
                    .await?;
                Ok(false)
            }
            Err(error) => {
                text = format!("{error:#}");
                Ok(true)
            }
        }
    })
    .await?;
    for fault in [
        "admission webhook \"vmodule.kb.io\" denied the request: 5 faults:",
        "must explicitely set a tag or digest; got: registry.example.com/acme",
        "must explicitely set a tag or digest; got: registry.example.com/other",
        "regexp or literal must be set at kernelMappings[0]",
        "regexp and literal are mutually exclusive properties at kernelMappings[1]",
        "invalid regexp at index 1",
    ] {
        ensure!(text.contains(fault), "no `{fault}` in: {text}");
    }
    println!("a Module with five faults was refused, with all of them");

    let mut odd = module("odd");
    let part = odd.pointer_mut(container).context("no container")?;
    part["modprobe"]["moduleName"] = json!("acme_nic.ko");
    let request = http::Request::post("/apis/kmm.sigs.x-k8s.io/v1beta1/namespaces/drivers/modules")
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(kube::client::Body::from(odd.to_string().into_bytes()))?;
    let answer = client.send(request).await?;
    ensure!(
        answer.status() == http::StatusCode::CREATED,
        "{}",
        answer.status()
    );
    let warnings: Vec<_> = answer.headers().get_all(http::header::WARNING).iter().collect();
    ensure!(
        warnings
            .iter()
            .any(|text| String::from_utf8_lossy(text.as_bytes()).contains("acme_nic.ko")),
        "no warning of the lint: {warnings:?}"
    );
    println!("a Module with an oddity was let in, with a warning");

    let version = json!({"spec": {"moduleLoader": {"container": {"version": "1"}}}});
    let text = refusal(change(client, &odd, &version).await)?;
    ensure!(
        text.contains("cannot update to or from an empty version"),
        "{text}"
    );
    Ok(())
}

async fn namespaces(client: &Client) -> Result<()> {
    let namespace = |name: &str, labels: Value| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
    let (marked, plain) = (
        namespace("marked", json!({names::CONTAINS_MODULES: ""})),
        namespace("plain", json!({})),
    );
    for object in [&marked, &plain] {
        apply(client, object).await?;
    }
    let namespaces = api_of(client, &marked)?;
    match namespaces.delete("marked", &DeleteParams::background()).await {
        Ok(_) => bail!("a namespace with Modules was deleted"),
        Err(error) => {
            let text = error.to_string();
            ensure!(text.contains("contains one or more Module resources"), "{text}");
        }
    }
    namespaces.delete("plain", &DeleteParams::background()).await?;
    println!("a namespace with Modules was kept, and another one deleted");
    Ok(())
}

async fn preflights(client: &Client, address: &str, bundle: &Value) -> Result<()> {
    let preflight = |name: &str, kernel: &str| {
        json!({
            "apiVersion": BETA2, "kind": "PreflightValidation", "metadata": {"name": name},
            "spec": {"kernelVersion": kernel},
        })
    };
    let text = refusal(apply(client, &preflight("bad", "6")).await)?;
    ensure!(text.contains("invalid kernelVersion 6"), "{text}");
    let service = crd::WebhookService {
        namespace: "any".to_owned(),
        name: "any".to_owned(),
    };
    let crds = crd::definitions(crd::Install::Cluster, &crd::Conversion::Webhook(service));
    let mut crd = crds
        .into_iter()
        .find(|crd| crd["metadata"]["name"] == "preflightvalidations.kmm.sigs.x-k8s.io")
        .context("no CRD of PreflightValidation")?;
    let url = format!("https://{address}/convert");
    crd["spec"]["conversion"]["webhook"]["clientConfig"] = json!({"url": url, "caBundle": bundle});
    apply(client, &crd).await?;
    let mut done = preflight("done", "6.1.0-31-amd64");
    done["status"] = json!({"modules": [{
        "name": "nic", "namespace": "drivers", "verificationStatus": "Success", "verificationStage": "Done",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]});
    create(client, &done).await?;
    until("the status is seen through the old version too", async || {
        let old = get(client, life::BETA, "PreflightValidation", "", "done").await?;
        Ok(old["status"]["crStatuses"]["drivers/nic"]["verificationStatus"] == "Success")
    })
    .await?;
    println!("a PreflightValidation was read in both versions");
    Ok(())
}

/// What is too large is not read.
async fn limits(address: &str) -> Result<()> {
    let client = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .build()?;
    let url = format!("https://{address}/validate--v1-namespace");
    let large = client.post(&url).body(vec![b' '; (7 << 20) + 1]).send().await?;
    ensure!(large.status() == 413, "{}", large.status());
    for (body, status) in [("{", 400), ("{}", 400)] {
        let answer = client.post(&url).body(body).send().await?;
        ensure!(answer.status() == status, "{body}: {}", answer.status());
    }
    let elsewhere = client.post(format!("https://{address}/")).send().await?;
    ensure!(elsewhere.status() == 404, "{}", elsewhere.status());
    println!("requests that are too large, no JSON or for nothing were refused");
    Ok(())
}

/// The files change, first one and then the other, and the API server is told of the new CA.
async fn certificates(client: &Client, server: &mut Serving, address: &str, folder: &Path) -> Result<()> {
    let new = Made::new()?;
    std::fs::write(folder.join("tls.crt"), &new.certificate)?;
    server.says("the last certificate stays").await?;
    apply(client, &module("meanwhile")).await?;
    std::fs::write(folder.join("tls.key"), &new.key)?;
    server.says("the certificate was read again").await?;
    apply(client, &configuration(address, &new.bundle())).await?;
    until("the new certificate is served", async || {
        Ok(apply(client, &module("afterwards")).await.is_ok())
    })
    .await?;
    println!("the certificate was changed while the server ran");
    Ok(())
}
