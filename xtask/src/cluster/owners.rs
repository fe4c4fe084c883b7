//! What the operator may not create while it lacks the right to set finalizers on an owner: the API server asks for that
//! where an object names an owner whose end it blocks (OwnerReferencesPermissionEnforcement, as some distributions have it).

use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use kmm_core::reconcile::names;
use kube::Client;
use serde_json::Value;

use super::access;
use super::access::Record;
use super::control_plane::ControlPlane;
use super::kubelet::Kubelets;
use super::life;
use super::life::BETA;
use super::objects::apply;
use super::objects::create;
use super::objects::get;
use super::objects::list;
use super::objects::until;
use super::running;
use super::running::Operator;

const GROUP: &str = "kmm.sigs.x-k8s.io";

/// A permission, and the creates that need it.
struct Stage {
    resource: &'static str,
    /// Resources, and the beginnings of names.
    refused: &'static [(&'static str, &'static str)],
}

/// In the order of a rollout: each needs what the ones before have let through.
const STAGES: [Stage; 3] = [
    Stage {
        resource: "modules/finalizers",
        refused: &[
            ("moduleimagesconfigs", "acme-nic"),
            ("daemonsets", "acme-nic-device-plugin"),
        ],
    },
    Stage {
        resource: "moduleimagesconfigs/finalizers",
        refused: &[("pods", "acme-nic-pull")],
    },
    Stage {
        resource: "nodemodulesconfigs/finalizers",
        refused: &[("pods", "kmm-worker-w1-acme-nic")],
    },
];

/// Rolls a Module out without these permissions, and grants one after the other.
pub(super) async fn run(kmm: &Path) -> Result<()> {
    let (plane, client) = running::installed().await?;
    create(&client, &life::node("w1", "acme")).await?;
    let _kubelets = Kubelets::start(&client);
    grant_from(&client, 0).await?;
    let mut operator = Operator::start(&plane, kmm, "operator")?;
    operator.wait_until_listed().await?;
    apply(&client, &life::modules()[0]).await?;
    for (place, stage) in STAGES.iter().enumerate() {
        let outcome = is_refused(&plane, &client, &mut operator, stage).await;
        outcome.with_context(|| format!("the operator's log ends with\n{}", operator.last_lines()))?;
        grant_from(&client, place + 1).await?;
        println!(
            "without `update` on {} it is refused to create {:?}",
            stage.resource, stage.refused
        );
    }
    until("w1 has the module", async || {
        operator.check()?;
        let node = get(&client, "v1", "Node", "", "w1").await?;
        Ok(node["metadata"]["labels"][names::ready(&life::nic())].is_string())
    })
    .await
    .with_context(|| format!("the operator's log ends with\n{}", operator.last_lines()))?;
    println!("with all of them a Module came to its node");
    operator.stop()
}

/// Grants the permissions before this place.
async fn grant_from(client: &Client, place: usize) -> Result<()> {
    let taken: Vec<_> = STAGES[place..]
        .iter()
        .map(|stage| (GROUP, stage.resource, "update"))
        .collect();
    access::grant_without(client, &taken).await
}

/// The creates are refused for the very reason, the operator says so, and nothing of it is there.
async fn is_refused(
    plane: &ControlPlane,
    client: &Client,
    operator: &mut Operator,
    stage: &Stage,
) -> Result<()> {
    for (resource, name) in stage.refused {
        let is_it = |record: &Record| {
            record.verb == "create" && record.resource == *resource && record.name.starts_with(name)
        };
        until(&format!("a create of {resource} {name} is refused"), async || {
            operator.check()?;
            Ok(access::records(plane)?
                .iter()
                .any(|record| is_it(record) && record.code == 403))
        })
        .await?;
        let done = access::records(plane)?
            .iter()
            .any(|record| is_it(record) && record.code == 201);
        ensure!(!done, "{resource} {name} was created without {}", stage.resource);
        let says = ["is forbidden: cannot set blockOwnerDeletion", *name];
        until(
            &format!("the operator says so of {resource} {name}"),
            async || {
                operator.check()?;
                Ok(operator.said(&says) > 0)
            },
        )
        .await?;
        ensure!(
            there(client, resource, name).await? == 0,
            "there are {resource} {name}"
        );
    }
    Ok(())
}

/// How many objects have such a name.
async fn there(client: &Client, resource: &str, name: &str) -> Result<usize> {
    let objects = match resource {
        "moduleimagesconfigs" => list(client, BETA, "ModuleImagesConfig").await?,
        "daemonsets" => list(client, "apps/v1", "DaemonSet").await?,
        _ => list(client, "v1", "Pod").await?,
    };
    let has = |object: &&Value| {
        object["metadata"]["name"]
            .as_str()
            .is_some_and(|found| found.starts_with(name))
    };
    Ok(objects.iter().filter(has).count())
}
