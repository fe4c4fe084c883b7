//! Several operators on one cluster: one of them writes, and another goes on when it ends, however it ends.

use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use kube::Client;
use serde_json::Value;
use serde_json::json;

use super::control_plane::ControlPlane;
use super::kubelet::Kubelets;
use super::life;
use super::objects;
use super::objects::apply;
use super::objects::create;
use super::objects::get;
use super::objects::until;
use super::serving::Serving;

const LEASE: &str = "kmm.sigs.x-k8s.io";
const LEADS: &str = "this is the leader";
const STANDS_BY: &str = "another one is the leader";

/// Hands the work from one operator to the next.
pub(super) async fn run(plane: &ControlPlane, client: &Client, kmm: &Path) -> Result<()> {
    for name in ["w1", "w2"] {
        create(client, &life::node(name, "acme")).await?;
    }
    let _kubelets = Kubelets::start(client);
    let start = |name: &str| Serving::start(plane, kmm, "operator", name, &config());
    let mut first = start("first")?;
    let leader = first.says(LEADS).await?;
    ensure!(
        holder(client).await? == leader["identity"],
        "the Lease names another one"
    );
    let (mut second, mut third) = (start("second")?, start("third")?);
    for standing_by in [&mut second, &mut third] {
        standing_by.says(STANDS_BY).await?;
    }
    let module = life::modules()[0].clone();
    apply(client, &module).await?;
    loaded(client, "acme").await.with_context(|| first.last_lines())?;
    ensure!(first.writes() > 0, "the leader wrote nothing");
    ensure!(
        second.writes() + third.writes() == 0,
        "one that is not the leader wrote"
    );
    println!("of three operators one wrote");

    first.stop()?;
    let (mut leader, mut next) = taken_over(second, third).await?;
    change(client, "second").await?;
    loaded(client, "second")
        .await
        .with_context(|| leader.last_lines())?;
    ensure!(next.writes() == 0, "one that is not the leader wrote");
    println!("a leader that ended gave its Lease away, and another one went on");

    leader.kill();
    next.says(LEADS).await?;
    leader = next;
    change(client, "third").await?;
    loaded(client, "third")
        .await
        .with_context(|| leader.last_lines())?;
    println!("a leader was killed, and another one went on");

    // As when a machine stands still: it comes back and knows nothing of what happened.
    let mut last = start("last")?;
    last.says(STANDS_BY).await?;
    // What is under way when it stands still was asked for by a leader.
    life::settled(client).await?;
    leader.pause();
    let before = leader.writes();
    last.says(LEADS).await?;
    change(client, "fourth").await?;
    until("the new leader is at work", async || Ok(last.writes() > 0)).await?;
    leader.resume();
    let code = leader.end().await?;
    ensure!(code == Some(2), "it ended with {code:?}: {}", leader.last_lines());
    ensure!(
        leader.last_lines().contains("was lost"),
        "{}",
        leader.last_lines()
    );
    ensure!(
        leader.writes() == before,
        "it wrote when it was the leader no more: {before} writes until then, and at its end {}:\n{}",
        leader.writes(),
        leader.last_lines()
    );
    loaded(client, "fourth")
        .await
        .with_context(|| last.last_lines())?;
    println!("a leader that stood still wrote nothing when it came back, and ended");
    let lease = get(client, "coordination.k8s.io/v1", "Lease", "drivers", LEASE).await?;
    ensure!(lease["spec"]["leaseTransitions"] == 3, "{lease}");
    last.stop()?;
    ensure!(holder(client).await? == json!(""), "the Lease was not given away");
    Ok(())
}

fn config() -> Value {
    json!({
        "leaderElection": {"enabled": true, "resourceID": LEASE},
        "healthProbeBindAddress": "0", "metrics": {"bindAddress": "0"},
    })
}

async fn holder(client: &Client) -> Result<Value> {
    let lease = get(client, "coordination.k8s.io/v1", "Lease", "drivers", LEASE).await?;
    Ok(lease["spec"]["holderIdentity"].clone())
}

/// Which of two took over, and which did not.
async fn taken_over(one: Serving, other: Serving) -> Result<(Serving, Serving)> {
    until("one of two takes over", async || {
        Ok(one.count(LEADS) + other.count(LEADS) > 0)
    })
    .await?;
    Ok(if one.count(LEADS) > 0 {
        (one, other)
    } else {
        (other, one)
    })
}

/// Gives the Module images of another repository.
async fn change(client: &Client, repository: &str) -> Result<()> {
    let mut module = life::modules()[0].clone();
    let image = format!("registry.example.com/{repository}:${{KERNEL_FULL_VERSION}}");
    module["spec"]["moduleLoader"]["container"]["kernelMappings"][0]["containerImage"] = json!(image);
    apply(client, &module).await?;
    Ok(())
}

/// Both nodes have loaded the image of a repository.
async fn loaded(client: &Client, repository: &str) -> Result<()> {
    let image = format!("registry.example.com/{repository}:{}", life::OLD);
    for node in ["w1", "w2"] {
        until(&format!("{node} has {image}"), async || {
            let config = get(client, life::BETA, "NodeModulesConfig", "", node).await?;
            Ok(config["status"]["modules"][0]["config"]["containerImage"] == image)
        })
        .await?;
    }
    Ok(())
}

/// A cluster for it.
pub(super) async fn check(kmm: &Path) -> Result<()> {
    let mut plane = ControlPlane::start().await?;
    let client = plane.client().await?;
    objects::install_crds(&client).await?;
    plane.start_controllers().await?;
    super::check::make_namespace(&client, "drivers").await?;
    run(&plane, &client, kmm).await
}
