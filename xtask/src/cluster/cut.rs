//! The API server is killed in the middle of the operator's writes, while many of them are under way: in a rollout, in the
//! change of an image, and while modules are unloaded. Afterwards everything is as it was to become, and nothing was done
//! twice.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use kmm_core::reconcile::names;
use kmm_core::resolve::ModuleName;
use kube::Client;
use serde_json::Value;
use serde_json::json;

use super::access;
use super::access::Asked;
use super::access::Record;
use super::control_plane::ControlPlane;
use super::kubelet::Kubelets;
use super::life;
use super::life::BETA;
use super::life::OLD;
use super::life::settled;
use super::objects::PATIENCE;
use super::objects::apply;
use super::objects::change;
use super::objects::create;
use super::objects::get;
use super::objects::list;
use super::objects::until;
use super::running;
use super::running::Operator;

const NODES: usize = 12;
const MODULES: [&str; 3] = ["acme-fs", "acme-gpu", "acme-nic"];
/// Those that leave the Modules' selector.
const LEAVE: usize = 6;
/// How often images are changed again at most, until a write was cut off.
const MORE: u32 = 10;

/// The operator says that a request had no answer.
const UNKNOWN: &str = "it is not known whether this was written";
/// Where there was nobody to send it to.
const NOT_SENT: &str = "(Connect)";

struct Scene {
    plane: ControlPlane,
    client: Client,
    kubelets: Kubelets,
    operator: Operator,
    /// How long the audit log was shortly before each kill, and after it.
    kills: Vec<RangeInclusive<usize>>,
}

/// Rolls three Modules out to twelve nodes, changes their images, and has half of the nodes leave.
pub(super) async fn run(kmm: &Path) -> Result<Asked> {
    let (plane, client) = running::installed().await?;
    for node in nodes() {
        create(&client, &life::node(&node, "acme")).await?;
    }
    let kubelets = Kubelets::start(&client);
    let mut operator = Operator::start(&plane, kmm, "operator")?;
    operator.wait_until_listed().await?;
    let mut scene = Scene {
        plane,
        client,
        kubelets,
        operator,
        kills: Vec::new(),
    };
    let outcome = scene.play().await;
    outcome.with_context(|| format!("the operator's log ends with\n{}", scene.operator.last_lines()))?;
    let Scene { plane, operator, .. } = scene;
    operator.stop()?;
    access::asked(&plane)
}

impl Scene {
    async fn play(&mut self) -> Result<()> {
        let stays: BTreeSet<String> = nodes().collect();
        self.apply("one").await?;
        self.kill_after(&[3, 30, 60]).await?;
        self.comes_to("one", &stays).await?;
        println!("{} Modules came to {NODES} nodes", MODULES.len());

        self.apply("two").await?;
        self.kill_after(&[5, 40]).await?;
        self.comes_to("two", &stays).await?;
        println!("all images were changed");

        let repository = self.was_cut_off(&stays).await?;

        // Here writes are few at a time, and the API server may well be killed between two of them: the part `held` has it
        // killed while it works on the create of an unloader.
        let leave: Vec<String> = nodes().take(LEAVE).collect();
        for node in &leave {
            let labels = json!({"metadata": {"labels": {"pool": "none"}}});
            change(&self.client, &life::node(node, "acme"), &labels).await?;
        }
        self.kill_after(&[4, 12, 20, 30]).await?;
        let stays = stays.into_iter().filter(|node| !leave.contains(node)).collect();
        self.comes_to(&repository, &stays).await?;
        println!("{LEAVE} nodes left");
        self.was_right()
    }

    /// Sees that writes were cut off while modules came. Whether one is under way at the very moment of a kill is chance:
    /// where none was yet, images are changed again. Gives the repository of those that are there in the end.
    async fn was_cut_off(&mut self, stays: &BTreeSet<String>) -> Result<String> {
        let mut repository = "two".to_owned();
        for round in 1..=MORE {
            if self.cut_off() > 0 {
                return Ok(repository);
            }
            repository = format!("more-{round}");
            self.apply(&repository).await?;
            self.kill_after(&[5, 40]).await?;
            self.comes_to(&repository, stays).await?;
        }
        ensure!(
            self.cut_off() > 0,
            "no write was cut off while modules came, in {} kills",
            self.kills.len()
        );
        Ok(repository)
    }

    async fn apply(&self, repository: &str) -> Result<()> {
        for name in MODULES {
            apply(&self.client, &module(name, repository)).await?;
        }
        Ok(())
    }

    /// Kills the API server when the operator has written so often since now, and starts it again; each time anew.
    async fn kill_after(&mut self, writes: &[usize]) -> Result<()> {
        let (_, before) = access::progress(&self.plane)?;
        for more in writes {
            let mut length;
            let started = Instant::now();
            loop {
                let (records, writes) = access::progress(&self.plane)?;
                length = records;
                if writes >= before + more {
                    break;
                }
                self.operator.check()?;
                ensure!(
                    started.elapsed() < PATIENCE,
                    "the operator has not written {more} times"
                );
                // Writes come in bursts, which are short.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let cut_off = self.cut_off();
            self.plane.restart_apiserver().await?;
            self.kills.push(length..=access::progress(&self.plane)?.0);
            println!(
                "  the API server was killed after {more} writes; {} requests had no answer",
                self.cut_off() - cut_off
            );
        }
        Ok(())
    }

    /// Writes that were sent, and had no answer.
    fn cut_off(&self) -> usize {
        self.operator.said(&[UNKNOWN]) - self.operator.said(&[UNKNOWN, NOT_SENT])
    }

    /// Waits until these nodes, and no others, have the images of a repository, and everything says so.
    async fn comes_to(&mut self, repository: &str, stays: &BTreeSet<String>) -> Result<()> {
        let mut lacking = String::new();
        until(&format!("everything is there of {repository}"), async || {
            self.operator.check()?;
            lacking = self.lacking(repository, stays).await?;
            Ok(lacking.is_empty())
        })
        .await
        .with_context(|| lacking.clone())?;
        settled(&self.client).await?;
        let lacking = self.lacking(repository, stays).await?;
        ensure!(lacking.is_empty(), "it was there, and is not any more: {lacking}");
        Ok(())
    }

    /// What is not yet as it is to be; empty when all is.
    async fn lacking(&self, repository: &str, stays: &BTreeSet<String>) -> Result<String> {
        for node in nodes() {
            let object = get(&self.client, "v1", "Node", "", &node).await?;
            let config = get(&self.client, BETA, "NodeModulesConfig", "", &node).await?;
            let wanted: BTreeMap<String, String> = MODULES
                .into_iter()
                .filter(|_| stays.contains(&node))
                .map(|name| {
                    (
                        name.to_owned(),
                        image(name, repository).replace("${KERNEL_FULL_VERSION}", OLD),
                    )
                })
                .collect();
            for part in ["spec", "status"] {
                let there = images(&config[part]["modules"]);
                if there != wanted {
                    return Ok(format!("{node} has in its {part} {there:?}, not {wanted:?}"));
                }
            }
            for name in MODULES {
                let labels = &object["metadata"]["labels"];
                for label in [
                    names::ready(&named(name)),
                    names::device_plugin_ready(&named(name)),
                ] {
                    let has_plugin = name == MODULES[0] || label == names::ready(&named(name));
                    if labels[&label].is_string() != (stays.contains(&node) && has_plugin) {
                        return Ok(format!("{node} has the labels {labels}"));
                    }
                }
            }
        }
        for name in MODULES {
            let module = get(&self.client, BETA, "Module", "drivers", name).await?;
            let counts = json!({
                "nodesMatchingSelectorNumber": stays.len(), "desiredNumber": stays.len(), "availableNumber": stays.len(),
            });
            if module["status"]["moduleLoader"] != counts {
                return Ok(format!("{name} counts {}", module["status"]));
            }
        }
        let pods = list(&self.client, "v1", "Pod").await?;
        let mut left = pods.iter().filter(|pod| {
            let labels = &pod["metadata"]["labels"];
            labels[names::WORKER_ACTION].is_string() || labels[names::IMAGE_OWNER].is_string()
        });
        Ok(left
            .next()
            .map(|pod| format!("there is a pod {}", pod["metadata"]["name"]))
            .unwrap_or_default())
    }

    /// What is to hold of everything that happened.
    fn was_right(&self) -> Result<()> {
        let cut_off = self.cut_off();
        let log = access::records(&self.plane)?;
        let (created, again) = created_again(&log, &self.kills);
        ensure!(again.is_empty(), "created again while it was there: {again:?}");
        let pods = self.kubelets.pods();
        let twice = made_twice(&pods);
        ensure!(twice.is_empty(), "made twice for the same: {twice:?}");
        let workers = pods.iter().filter(|pod| what_for(pod).is_some()).count();
        // Each node loads three, then three others after it has unloaded them, and half of them unload these.
        let least = NODES * MODULES.len() * 3 + LEAVE * MODULES.len();
        ensure!(
            workers >= least,
            "there were {workers} worker pods, and not {least}"
        );
        let early = self.kubelets.too_early();
        ensure!(
            early.is_empty(),
            "unloaded while the device plugin ran: {early:?}"
        );
        println!(
            "the API server was killed {} times; {cut_off} writes were cut off; {workers} worker pods, none made twice for \
             the same; {created} answered creates of pods, none of a name that was there",
            self.kills.len()
        );
        Ok(())
    }
}

fn nodes() -> impl Iterator<Item = String> {
    (1..=NODES).map(|node| format!("w{node:02}"))
}

fn named(name: &str) -> ModuleName {
    ModuleName {
        name: name.to_owned(),
        namespace: "drivers".to_owned(),
    }
}

fn image(name: &str, repository: &str) -> String {
    format!("registry.example.com/{name}-{repository}:${{KERNEL_FULL_VERSION}}")
}

/// A Module; the first one has a device plugin.
fn module(name: &str, repository: &str) -> Value {
    let mut module = life::modules()[0].clone();
    module["metadata"]["name"] = json!(name);
    let container = &mut module["spec"]["moduleLoader"]["container"];
    container["modprobe"]["moduleName"] = json!(name.replace('-', "_"));
    container["kernelMappings"][0]["containerImage"] = json!(image(name, repository));
    if name != MODULES[0]
        && let Some(spec) = module["spec"].as_object_mut()
    {
        spec.remove("devicePlugin");
    }
    module
}

/// Names and images of the entries of a NodeModulesConfig.
fn images(list: &Value) -> BTreeMap<String, String> {
    let entries = list.as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    entries
        .map(|entry| (text(&entry["name"]), text(&entry["config"]["containerImage"])))
        .collect()
}

/// What a worker pod does, where, and with which configuration; `None` for other pods.
fn what_for(pod: &Value) -> Option<String> {
    let metadata = &pod["metadata"];
    let action = metadata["labels"][names::WORKER_ACTION].as_str()?;
    let config = metadata["annotations"][names::WORKER_CONFIG].as_str()?;
    Some(format!(
        "{action} {} {}: {config}",
        metadata["name"], pod["spec"]["nodeName"]
    ))
}

/// What more than one pod was made for. Here nothing is wanted, given up, and wanted again.
fn made_twice(pods: &[Value]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let purposes = pods.iter().filter_map(what_for);
    purposes.filter(|purpose| !seen.insert(purpose.clone())).collect()
}

/// How many creates of pods were answered, and the names of those that were created again without being deleted in between:
/// neither in an answered request, nor in one that a kill may have cut off. They are taken in the order in which requests
/// came: an answer may be noted after what somebody did because of it.
fn created_again(log: &[Record], kills: &[RangeInclusive<usize>]) -> (usize, Vec<String>) {
    let mut there: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut created, mut again) = (0, Vec::new());
    let mut order: Vec<(usize, &Record)> = log.iter().enumerate().collect();
    order.sort_by(|(_, one), (_, other)| one.received.cmp(&other.received));
    for (place, record) in order {
        if record.resource != "pods" || !(200..300).contains(&record.code) {
            continue;
        }
        match record.verb.as_str() {
            "create" => {
                created += 1;
                if let Some(before) = there.insert(&record.name, place)
                    && !kills
                        .iter()
                        .any(|kill| before <= *kill.end() && place >= *kill.start())
                {
                    again.push(record.name.clone());
                }
            }
            "delete" => {
                there.remove(record.name.as_str());
            }
            _ => {}
        }
    }
    (created, again)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(verb: &str, name: &str) -> Record {
        at("", verb, name)
    }

    fn at(received: &str, verb: &str, name: &str) -> Record {
        Record {
            received: received.to_owned(),
            verb: verb.to_owned(),
            resource: "pods".to_owned(),
            name: name.to_owned(),
            code: 200,
        }
    }

    #[test]
    fn a_pod_is_created_again_only_where_it_may_be_gone() {
        let log = [
            record("create", "a"),
            record("create", "b"),
            record("delete", "a"),
            record("create", "a"),
        ];
        assert_eq!(created_again(&log, &[]), (3, vec![]));
        let log = [
            record("create", "a"),
            record("create", "b"),
            record("create", "a"),
        ];
        assert_eq!(created_again(&log, &[]), (3, vec!["a".to_owned()]));
        assert_eq!(created_again(&log, &[2..=2]), (3, vec![]));
        assert_eq!(created_again(&log, &[3..=4]), (3, vec!["a".to_owned()]));
        // The answer to the delete was noted last.
        let log = [
            at("1", "create", "a"),
            at("3", "create", "a"),
            at("2", "delete", "a"),
        ];
        assert_eq!(created_again(&log, &[]), (2, vec![]));
        let log = [
            at("1", "create", "a"),
            at("2", "create", "a"),
            at("3", "delete", "a"),
        ];
        assert_eq!(created_again(&log, &[]), (2, vec!["a".to_owned()]));
    }

    #[test]
    fn a_pod_is_made_twice_where_its_purpose_is_the_same() {
        let pod = |action: &str, config: &str| {
            json!({
                "metadata": {
                    "name": "a", "labels": {names::WORKER_ACTION: action},
                    "annotations": {names::WORKER_CONFIG: config},
                },
                "spec": {"nodeName": "w1"},
            })
        };
        let other = json!({"metadata": {"name": "plugin"}});
        let pods = [
            pod("Load", "x"),
            pod("Load", "y"),
            pod("Unload", "x"),
            other.clone(),
            other,
        ];
        assert_eq!(made_twice(&pods), Vec::<String>::new());
        let pods = [pod("Load", "x"), pod("Load", "x")];
        assert_eq!(made_twice(&pods).len(), 1);
    }
}
