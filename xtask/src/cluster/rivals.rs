//! Another client that changes what the operator is about to write, between its look and its write.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use kube::Client;
use serde_json::Value;
use serde_json::json;

use super::control_plane::ControlPlane;
use super::kubelet::Kubelets;
use super::life;
use super::objects::PATIENCE;
use super::objects::apply;
use super::objects::change;
use super::objects::get;
use super::objects::until;
use super::serving::Serving;

/// Its mark on everything.
const MARK: &str = "example.com/rival";

/// How long it goes on at least, with the operator at work: until it has changed everything, and something came between a
/// look and a write.
const TIME: Duration = Duration::from_secs(8);

/// Changes labels and annotations of everything without a pause, and the Module's parameters now and then.
pub(super) async fn run(plane: &ControlPlane, client: &Client, kmm: &Path) -> Result<()> {
    let _kubelets = Kubelets::start(client);
    let config = json!({
        "leaderElection": {"enabled": false}, "healthProbeBindAddress": "0", "metrics": {"bindAddress": "0"},
    });
    let mut operator = Serving::start(plane, kmm, "operator", "rivalled", &config)?;
    operator.says("listed").await?;
    let done = Arc::new(AtomicBool::new(false));
    // The rival changes one after the other; so many of them it has met.
    let met = Arc::new(AtomicUsize::new(0));
    let (seen, changed, rival) = (Arc::clone(&done), Arc::clone(&met), client.clone());
    let rival = tokio::spawn(async move {
        let mut round = 0_u32;
        while !seen.load(Ordering::Relaxed) {
            round += 1;
            let mut there = 0;
            for object in objects() {
                let patch =
                    json!({"metadata": {"labels": {MARK: round.to_string()}, "annotations": {MARK: "x"}}});
                // Most of them are not there yet.
                there += usize::from(change(&rival, &object, &patch).await.is_ok());
            }
            changed.fetch_max(there, Ordering::Relaxed);
        }
        round
    });
    let mut module = life::modules()[0].clone();
    let begun = std::time::Instant::now();
    let mut queues = 0;
    let again = || operator.count("another decision is needed");
    let all = objects().len();
    let waits = || again() == 0 || met.load(Ordering::Relaxed) < all;
    while begun.elapsed() < TIME || (waits() && begun.elapsed() < PATIENCE) {
        queues += 1;
        module["spec"]["moduleLoader"]["container"]["modprobe"]["parameters"] =
            json!([format!("queues={queues}")]);
        apply(client, &module).await?;
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    done.store(true, Ordering::Relaxed);
    let rounds = rival.await?;
    let parameters = json!([format!("queues={queues}")]);
    for node in ["w1", "w2"] {
        until(&format!("{node} has the last parameters"), async || {
            let config = get(client, life::BETA, "NodeModulesConfig", "", node).await?;
            let of = |part: &str| config[part]["modules"].as_array().cloned().unwrap_or_default();
            let has = |list: &[Value]| {
                list.iter().any(|entry| {
                    entry["name"] == "acme-nic" && entry["config"]["modprobe"]["parameters"] == parameters
                })
            };
            Ok(has(&of("spec")) && has(&of("status")))
        })
        .await
        .with_context(|| operator.about(&format!("node-modules {node}")))?;
    }
    for object in objects() {
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
        let (api_version, kind) = (object["apiVersion"].as_str(), object["kind"].as_str());
        let (api_version, kind) = (api_version.unwrap_or_default(), kind.unwrap_or_default());
        let found = get(client, api_version, kind, text("namespace"), text("name")).await?;
        ensure!(
            found["metadata"]["labels"][MARK].is_string(),
            "the rival's label of {kind} is gone: {found}"
        );
        ensure!(
            found["metadata"]["annotations"][MARK] == "x",
            "the rival's annotation of {kind} is gone: {found}"
        );
    }
    let again = again();
    ensure!(again > 0, "nothing came between: the rival is too slow");
    println!("in {rounds} rounds of a rival {again} decisions were made anew, and what it wrote stayed");
    operator.stop()
}

/// What the operator writes to.
fn objects() -> [Value; 6] {
    let of = |api_version: &str, kind: &str, namespace: Option<&str>, name: &str| {
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
        if let Some(namespace) = namespace {
            object["metadata"]["namespace"] = json!(namespace);
        }
        object
    };
    [
        of("v1", "Node", None, "w1"),
        of("v1", "Namespace", None, "drivers"),
        of(life::BETA, "Module", Some("drivers"), "acme-nic"),
        of(life::BETA, "ModuleImagesConfig", Some("drivers"), "acme-nic"),
        of(life::BETA, "NodeModulesConfig", None, "w1"),
        of(life::BETA, "NodeModulesConfig", None, "w2"),
    ]
}
