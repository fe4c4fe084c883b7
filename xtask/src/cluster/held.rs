//! Writes that the API server was working on when it was killed: an admission webhook that never answers holds them there.
//!
//! The operator does not know what became of such a write, and asks; without the right to ask it says so, and goes on.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::reconcile::names;
use kube::Client;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;

use super::access;
use super::access::Asked;
use super::control_plane::ControlPlane;
use super::kubelet::Kubelets;
use super::life;
use super::life::BETA;
use super::objects::PATIENCE;
use super::objects::apply;
use super::objects::change;
use super::objects::create;
use super::objects::delete_now;
use super::objects::get;
use super::objects::list;
use super::objects::until;
use super::running;
use super::running::Operator;

/// How long the operator's write is waited for, until it is caused again: the API server learns of the webhook by and by.
const PAUSE: Duration = Duration::from_secs(10);

/// What is held: its group and resource, and how the operator calls it.
struct Hold {
    group: &'static str,
    resource: &'static str,
    target: &'static str,
}

const HELD: [Hold; 3] = [
    Hold {
        group: "kmm.sigs.x-k8s.io",
        resource: "modules",
        target: "Module drivers/held-",
    },
    Hold {
        group: "",
        resource: "namespaces",
        target: "Namespace drivers",
    },
    Hold {
        group: "kmm.sigs.x-k8s.io",
        resource: "moduleimagesconfigs",
        target: "ModuleImagesConfig drivers/held-0",
    },
];

/// A worker pod that unloads; there is no question about it that others do not have.
const UNLOADER: Hold = Hold {
    group: "",
    resource: "pods",
    target: "Pod drivers/kmm-worker-w1-held-",
};

/// Holds a write of each kind of object that the operator asks for only then: with the right to ask, and without it.
pub(super) async fn run(kmm: &Path) -> Result<Asked> {
    let (mut plane, client) = running::installed().await?;
    create(&client, &life::node("w1", "acme")).await?;
    let _kubelets = Kubelets::start(&client);
    let mut operator = Operator::start(&plane, kmm, "operator")?;
    operator.wait_until_listed().await?;
    let mut count = 0;
    for granted in [true, false] {
        if !granted {
            let taken: Vec<_> = HELD
                .iter()
                .map(|hold| (hold.group, hold.resource, "get"))
                .collect();
            access::grant_without(&client, &taken).await?;
        }
        for hold in &HELD {
            let outcome = async {
                cut_off(&mut plane, &client, &mut operator, hold, &mut count).await?;
                asks(&plane, &mut operator, hold, granted).await?;
                done(&client, count).await
            };
            let outcome = outcome.await;
            outcome.with_context(|| {
                format!(
                    "{}: the operator's log ends with\n{}",
                    hold.resource,
                    operator.last_lines()
                )
            })?;
        }
    }
    println!(
        "writes of {} kinds were cut off, twice each; all of them were done in the end",
        HELD.len()
    );
    let outcome = unloads(&mut plane, &client, &mut operator, &mut count).await;
    outcome.with_context(|| {
        format!(
            "unloading: the operator's log ends with\n{}",
            operator.last_lines()
        )
    })?;
    operator.stop()?;
    let mut asked = access::asked(&plane)?;
    // What was taken away is not what the roles lack.
    asked.forget_refused();
    Ok(asked)
}

/// A node leaves, and the create of an unloader is cut off.
async fn unloads(
    plane: &mut ControlPlane,
    client: &Client,
    operator: &mut Operator,
    count: &mut usize,
) -> Result<()> {
    cut_off(plane, client, operator, &UNLOADER, count).await?;
    // It may have been moved back already, when the create came late.
    move_to(client, "none").await?;
    until("w1 has no modules", async || Ok(modules(client).await? == [0, 0])).await?;
    until("no worker pod is left", async || {
        let pods = list(client, "v1", "Pod").await?;
        Ok(pods
            .iter()
            .all(|pod| pod["metadata"]["labels"][names::WORKER_ACTION].is_null()))
    })
    .await?;
    println!("the create of an unloader was cut off, and all modules were unloaded in the end");
    Ok(())
}

/// Puts w1 into a pool; the Modules select that of `acme`.
async fn move_to(client: &Client, pool: &str) -> Result<()> {
    let labels = json!({"metadata": {"labels": {"pool": pool}}});
    change(client, &life::node("w1", "acme"), &labels).await
}

/// How many modules w1 is to have, and has.
async fn modules(client: &Client) -> Result<[usize; 2]> {
    let config = get(client, BETA, "NodeModulesConfig", "", "w1").await?;
    Ok(["spec", "status"].map(|part| config[part]["modules"].as_array().map_or(0, Vec::len)))
}

/// Has the operator write, and kills the API server while it works on that.
async fn cut_off(
    plane: &mut ControlPlane,
    client: &Client,
    operator: &mut Operator,
    hold: &Hold,
    count: &mut usize,
) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let webhook = webhook(hold, listener.local_addr()?.port());
    apply(client, &webhook).await?;
    let unknown = ["it is not known whether this was written", hold.target];
    let before = operator.said(&unknown);
    let started = Instant::now();
    let connection = loop {
        operator.check()?;
        if started.elapsed() > PATIENCE {
            bail!("no write of {} was held", hold.resource);
        }
        *count += 1;
        // What was caused before may come late, while it is caused again.
        let accepted = tokio::select! {
            accepted = listener.accept() => Some(accepted?),
            caused = cause(client, hold, *count) => {
                caused?;
                let accepted = tokio::time::timeout(PAUSE, listener.accept()).await;
                accepted.ok().transpose()?
            }
        };
        if let Some(connection) = accepted {
            break connection;
        }
    };
    // It is under way until the API server is gone.
    plane.restart_apiserver().await?;
    drop((connection, listener));
    delete_now(client, &webhook).await?;
    until("the operator knows that it does not know", async || {
        operator.check()?;
        Ok(operator.said(&unknown) > before)
    })
    .await
}

/// Holds what the operator writes to one kind of object. Where nobody listens any more, nothing is held.
fn webhook(hold: &Hold, port: u16) -> Value {
    let is_pod = hold.resource == "pods";
    let mut expression = format!("request.userInfo.username == '{}'", access::user());
    if is_pod {
        expression += &format!(
            " && object.metadata.labels['{}'] == '{}'",
            names::WORKER_ACTION,
            names::UNLOAD
        );
    }
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "hold"},
        "webhooks": [{
            "name": "hold.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "failurePolicy": "Ignore", "timeoutSeconds": 30,
            "clientConfig": {"url": format!("https://127.0.0.1:{port}/")},
            "matchConditions": [{"name": "operator", "expression": expression}],
            "rules": [{
                "apiGroups": [hold.group], "apiVersions": ["*"], "operations": [if is_pod { "CREATE" } else { "UPDATE" }], "resources": [hold.resource],
            }],
        }],
    })
}

/// Has the operator write to such an object.
async fn cause(client: &Client, hold: &Hold, count: usize) -> Result<()> {
    match hold.resource {
        // A new Module gets a finalizer.
        "modules" => apply(client, &module(&format!("held-{count}"), 0))
            .await
            .map(drop),
        // Somebody takes its mark off.
        "namespaces" => {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "drivers"}});
            let gone = json!({"metadata": {"labels": {names::CONTAINS_MODULES: null}}});
            change(client, &namespace, &gone).await
        }
        "pods" => {
            // What was unloaded before the API server knew of the webhook is loaded again first.
            move_to(client, "acme").await?;
            until("w1 has all modules", async || {
                let [wanted, there] = modules(client).await?;
                Ok(wanted > 0 && wanted == there)
            })
            .await?;
            move_to(client, "none").await
        }
        // Another image is listed.
        _ => apply(client, &module("held-0", count)).await.map(drop),
    }
}

fn module(name: &str, version: usize) -> Value {
    let mut module = life::modules()[0].clone();
    module["metadata"]["name"] = json!(name);
    let image = format!("registry.example.com/acme-{version}:${{KERNEL_FULL_VERSION}}");
    module["spec"]["moduleLoader"]["container"]["kernelMappings"][0]["containerImage"] = json!(image);
    if let Some(spec) = module["spec"].as_object_mut() {
        spec.remove("devicePlugin");
    }
    module
}

/// Asks what became of the write, or says why it cannot.
async fn asks(plane: &ControlPlane, operator: &mut Operator, hold: &Hold, granted: bool) -> Result<()> {
    if granted {
        return until(&format!("the operator asks for {}", hold.resource), async || {
            operator.check()?;
            let log = access::records(plane)?;
            Ok(log
                .iter()
                .any(|record| record.verb == "get" && record.resource == hold.resource && record.code == 200))
        })
        .await;
    }
    let refused = format!("cannot get resource \"{}\"", hold.resource);
    let says = ["it stays unknown whether this was written", hold.target, &refused];
    until(&format!("the operator says that it {refused}"), async || {
        operator.check()?;
        Ok(operator.said(&says) > 0)
    })
    .await?;
    println!(
        "without the right to get {} the operator says that it stays unknown",
        hold.resource
    );
    Ok(())
}

/// What was cut off is done in the end.
async fn done(client: &Client, count: usize) -> Result<()> {
    let mut lacking = String::new();
    until("what was cut off is done", async || {
        let namespace = get(client, "v1", "Namespace", "", "drivers").await?;
        if !namespace["metadata"]["labels"][names::CONTAINS_MODULES].is_string() {
            lacking = "the namespace has no mark".to_owned();
            return Ok(false);
        }
        for place in 0..=count {
            let name = format!("held-{place}");
            let module = get(client, BETA, "Module", "drivers", &name).await?;
            if module.is_null() {
                continue;
            }
            let wanted = &module["spec"]["moduleLoader"]["container"]["kernelMappings"][0]["containerImage"];
            let wanted = wanted
                .as_str()
                .unwrap_or_default()
                .replace("${KERNEL_FULL_VERSION}", life::OLD);
            let images = get(client, BETA, "ModuleImagesConfig", "drivers", &name).await?;
            let listed = images["spec"]["images"].as_array().into_iter().flatten();
            let listed: Vec<&Value> = listed.map(|image| &image["image"]).collect();
            if listed != [&json!(wanted)]
                || module["metadata"]["finalizers"] != json!([names::MODULE_FINALIZER])
            {
                lacking = format!(
                    "{name} lists {listed:?}, not {wanted}: {}",
                    module["metadata"]["finalizers"]
                );
                return Ok(false);
            }
        }
        Ok(true)
    })
    .await
    .with_context(|| lacking.clone())
}
