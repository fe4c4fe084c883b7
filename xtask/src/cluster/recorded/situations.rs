//! The steps of the recording, and the state in which the Go operator left the cluster after each.
//!
//! `steps.json` was made from the recorded writes: what was done by hand, the worker pods that were made, and for each
//! object that was written how the last write before the next step left it, as a merge patch on the state before. What the
//! garbage collector took is `null`, as is what was deleted.

use std::collections::BTreeMap;

use anyhow::Context;
use anyhow::Result;
use kmm_core::reconcile::patch;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::compare;
use super::takeover;

/// What is done at a time, and what comes of it.
#[derive(Debug, Deserialize)]
pub(super) struct Round {
    /// The step that it is part of; a step may have several rounds.
    pub(super) step: String,
    /// What is done by hand. The labels of ordered upgrade, which nothing moves here yet, are set where the Go operator
    /// moved them, and in its order (row `version-labels` of docs/compat.md).
    pub(super) does: Vec<Deed>,
    /// The worker pods that are made: `Load NODE/MODULE`.
    pub(super) workers: Vec<String>,
    /// What the step left; only of its last round.
    pub(super) leaves: Option<Vec<Left>>,
}

/// Something that an administrator does, or a node.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deed {
    api_version: String,
    kind: String,
    namespace: Option<String>,
    name: String,
    /// A merge patch; `null` deletes the object.
    pub(super) patch: Value,
}

impl Deed {
    /// The object that it is done to.
    pub(super) fn object(&self) -> Value {
        let mut metadata = json!({"name": self.name});
        if let Some(namespace) = &self.namespace {
            metadata["namespace"] = json!(namespace);
        }
        json!({"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata})
    }
}

/// How an object was left.
#[derive(Debug, Deserialize)]
pub(super) struct Left {
    kind: String,
    name: String,
    patch: Value,
}

/// All rounds, in their order.
pub(super) fn rounds() -> Result<Vec<Round>> {
    let rounds = Value::Array(takeover::recorded("steps.json")?);
    Vec::<Round>::deserialize(rounds).context("steps.json")
}

/// The cluster as the Go operator left it.
#[derive(Clone, Debug)]
pub(super) struct Theirs {
    objects: BTreeMap<(String, String), Value>,
}

impl Theirs {
    /// As it was recorded.
    pub(super) fn of(recorded: &[Value]) -> Result<Self> {
        let mut objects = BTreeMap::new();
        for object in recorded {
            let kind = object["kind"].as_str().context("an object without a kind")?;
            // Names of pods were random; workers are compared as they are made.
            if kind != "Pod" {
                let key = (kind.to_owned(), compare::name(object).to_owned());
                objects.insert(key, object.clone());
            }
        }
        Ok(Self { objects })
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = &Value> {
        self.objects.values()
    }

    /// What a round makes of it.
    pub(super) fn after(&mut self, round: &Round) -> Result<()> {
        for deed in &round.does {
            self.is_left(&deed.kind, &deed.name, &deed.patch)?;
        }
        for left in round.leaves.iter().flatten() {
            self.is_left(&left.kind, &left.name, &left.patch)?;
        }
        Ok(())
    }

    fn is_left(&mut self, kind: &str, name: &str, change: &Value) -> Result<()> {
        let key = (kind.to_owned(), name.to_owned());
        let object = self
            .objects
            .get_mut(&key)
            .with_context(|| format!("there is no {kind} {name}"))?;
        if change.is_null() {
            self.objects.remove(&key);
        } else {
            patch::apply(object, change);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was made of the recorded writes is what was seen on the cluster when it was looked at.
    #[test]
    fn the_steps_lead_to_the_state_that_was_recorded() {
        let mut theirs = Theirs::of(&takeover::recorded("settled.json").unwrap()).unwrap();
        let seen = Theirs::of(&takeover::recorded("settled-after-change.json").unwrap()).unwrap();
        assert_ne!(compare::lines(theirs.objects()), compare::lines(seen.objects()));
        let rounds = rounds().unwrap();
        let change = "mapping of acme-nic points to another image";
        let place = rounds.iter().position(|round| round.step == change).unwrap();
        for round in &rounds[..=place] {
            theirs.after(round).unwrap();
        }
        let (made, seen) = (compare::lines(theirs.objects()), compare::lines(seen.objects()));
        let differ: Vec<&String> = made.symmetric_difference(&seen).collect();
        assert!(differ.is_empty(), "{differ:#?}");
    }

    #[test]
    fn in_the_end_nothing_is_left_but_what_stays_with_its_node() {
        let mut theirs = Theirs::of(&takeover::recorded("settled.json").unwrap()).unwrap();
        let rounds = rounds().unwrap();
        for round in &rounds {
            theirs.after(round).unwrap();
        }
        let steps = rounds.iter().filter(|round| round.leaves.is_some()).count();
        assert_eq!(steps, 8);
        let kinds = theirs.objects.keys().map(|(kind, _)| kind.as_str());
        let kinds: std::collections::BTreeSet<&str> = kinds.collect();
        assert_eq!(Vec::from_iter(kinds), ["Namespace", "Node", "NodeModulesConfig"]);
        let lines = compare::lines(theirs.objects());
        let mut of_configs = lines.iter().filter(|line| line.starts_with("nodemodulesconfigs"));
        assert!(of_configs.all(|line| line.ends_with(" is there") || line.contains(" owners[")));
    }
}
