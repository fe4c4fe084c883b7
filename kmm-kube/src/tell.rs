//! Events: what people are told, once when it is new.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use kmm_core::driver::Cache;
use kmm_core::driver::Key;
use kmm_core::reconcile::Event;
use kmm_core::reconcile::Kind;
use kmm_core::reconcile::ObjectRef;
use kmm_core::reconcile::Reason;
use kmm_core::reconcile::Severity;
use kmm_core::reconcile::names;
use kmm_core::resolve::ModuleName;
use serde_json::Value;
use serde_json::json;

use crate::server::CallError;
use crate::server::MANAGER;
use crate::server::Server;

/// An event, and what makes it the same one as another.
#[derive(Clone, Debug)]
pub(crate) struct Tell {
    pub(crate) event: Event,
    /// What it is about besides its object and its reason.
    pub(crate) about: String,
}

/// What was told about each key.
#[derive(Debug, Default)]
pub(crate) struct Told {
    keys: BTreeMap<Key, BTreeSet<u64>>,
}

impl Told {
    /// Those that were not there at the last look. What is not there any more may be told again.
    pub(crate) fn new_ones(&mut self, key: &Key, tells: Vec<Tell>) -> Vec<Tell> {
        let now: BTreeSet<u64> = tells.iter().map(identity).collect();
        let before = if now.is_empty() {
            self.keys.remove(key)
        } else {
            self.keys.insert(key.clone(), now)
        };
        let before = before.unwrap_or_default();
        tells
            .into_iter()
            .filter(|tell| !before.contains(&identity(tell)))
            .collect()
    }
}

/// The events of the reasons that somebody has to look at.
///
/// What is wrong with single nodes when Modules are assigned, the Module's own controller tells in sum.
pub(crate) fn tells(cache: &Cache, key: &Key, reasons: &[Reason]) -> Vec<Tell> {
    if matches!(key, Key::Assign(_)) {
        return Vec::new();
    }
    let mut counts: BTreeMap<(&Option<ModuleName>, &str, &str), usize> = BTreeMap::new();
    let mut tells = Vec::new();
    for reason in reasons {
        if reason.cause.severity() == Severity::Normal {
            continue;
        }
        // The same may be the case of several images; the text, which has times in it, does not tell them apart.
        let same = (&reason.module, reason.node.as_str(), reason.cause.code());
        let count = counts.entry(same).or_default();
        *count += 1;
        if let Some(event) = event(cache, reason) {
            let about = format!("{} {count}", reason.node);
            tells.push(Tell { event, about });
        }
    }
    tells
}

/// The event of a reason: about its Module, or else its node.
fn event(cache: &Cache, reason: &Reason) -> Option<Event> {
    let module = reason.module.as_ref().and_then(|name| {
        let namespace = name.namespace.as_str();
        cache.find(&ObjectRef::namespaced(
            Kind::Module,
            namespace,
            name.name.as_str(),
        ))
    });
    let node = || cache.find(&ObjectRef::cluster(Kind::Node, reason.node.as_str()));
    let about = module.or_else(node)?;
    Some(reason.event(about.target().clone(), about.uid()))
}

/// The reason of an event about a name that is not free.
pub(crate) const NAME_TAKEN: &str = "NameTaken";

/// The event that an object cannot be created, because its name is that of somebody else's: about its Module.
pub(crate) fn name_taken(cache: &Cache, target: &ObjectRef, object: &Value) -> Option<Tell> {
    let labels = &object["metadata"]["labels"];
    let module = [names::MODULE_NAME, names::IMAGE_OWNER].map(|label| labels[label].as_str());
    let module = module.into_iter().flatten().next()?;
    let module = ObjectRef::namespaced(Kind::Module, target.namespace.as_str(), module);
    let uid = cache.find(&module)?.uid().to_owned();
    let message = format!(
        "{target} cannot be created: there is one of this name that is not the operator's; it is tried again and again until \
         that one is deleted"
    );
    let event = Event {
        about: module,
        uid,
        severity: Severity::Warning,
        reason: NAME_TAKEN.to_owned(),
        message,
        annotations: BTreeMap::new(),
    };
    let about = target.to_string();
    Some(Tell { event, about })
}

/// Sends an event. One that is there already is counted up.
pub(crate) async fn send(server: &Server, tell: &Tell) -> Result<(), CallError> {
    let now = k8s_openapi::jiff::Timestamp::now();
    let now = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let object = to_json(tell, &now);
    let path = format!(
        "/api/v1/namespaces/{}/events",
        object["metadata"]["namespace"].as_str().unwrap_or_default()
    );
    match server.post(&path, &object).await {
        Ok(_) => return Ok(()),
        Err(CallError::Conflict(_)) => {}
        Err(error) => return Err(error),
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let count = server.read(&path, name).await?["count"].as_u64().unwrap_or(0);
    let patch = json!({"count": count + 1, "lastTimestamp": now, "message": object["message"]});
    server.merge(&path, name, &patch).await.map(drop)
}

/// The longest message that the API server takes, in bytes.
const LONGEST: usize = 1024;

fn to_json(tell: &Tell, now: &str) -> Value {
    let Event {
        about,
        uid,
        severity,
        reason,
        message,
        annotations,
    } = &tell.event;
    let namespace = if about.namespace.is_empty() {
        "default"
    } else {
        &about.namespace
    };
    let mut end = message.len().min(LONGEST);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    let prefix: String = about.name.chars().take(200).collect();
    let mut involved = json!({
        "apiVersion": about.kind.api_version(), "kind": about.kind.name(), "name": about.name, "uid": uid,
    });
    if !about.namespace.is_empty() {
        involved["namespace"] = json!(about.namespace);
    }
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": format!("{prefix}.{:016x}", identity(tell)),
            "namespace": namespace,
            "annotations": annotations,
        },
        "involvedObject": involved,
        "type": severity.name(),
        "reason": reason,
        "message": message[..end],
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
    })
}

/// FNV-1a, so that the name of an event is the same after a restart.
fn identity(tell: &Tell) -> u64 {
    let parts = [&tell.event.uid, &tell.event.reason, &tell.about];
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(reason: &str, message: &str, about: &str) -> Tell {
        Tell {
            event: Event {
                about: ObjectRef::namespaced(Kind::Module, "drivers", "nic"),
                uid: "u".to_owned(),
                severity: Severity::Warning,
                reason: reason.to_owned(),
                message: message.to_owned(),
                annotations: BTreeMap::new(),
            },
            about: about.to_owned(),
        }
    }

    #[test]
    fn only_what_is_new_is_told() {
        let key = Key::Module(ModuleName::default());
        let mut told = Told::default();
        let mut count = |tells: Vec<Tell>| told.new_ones(&key, tells).len();
        assert_eq!(count(vec![tell("A", "in 5 s", "w1")]), 1);
        assert_eq!(count(vec![tell("A", "in 4 s", "w1"), tell("A", "", "w2")]), 1);
        assert_eq!(count(vec![]), 0);
        assert_eq!(count(vec![tell("A", "in 5 s", "w1")]), 1);
    }

    #[test]
    fn a_name_that_is_taken_is_told_of_the_module() {
        let mut driver = kmm_core::driver::Driver::new(kmm_core::reconcile::Installation::default());
        let pod = ObjectRef::namespaced(Kind::Pod, "drivers", "kmm-worker-w1-nic");
        let object = json!({"metadata": {"labels": {names::MODULE_NAME: "nic"}}});
        assert!(
            name_taken(driver.cache(), &pod, &object).is_none(),
            "there is no Module"
        );
        let module = json!({
            "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module",
            "metadata": {"name": "nic", "namespace": "drivers", "uid": "u"}, "spec": {"selector": {}},
        });
        let seen = kmm_core::driver::Seen::read(&module, None).unwrap();
        let change = kmm_core::driver::Change::Put(std::sync::Arc::new(seen));
        driver.observe(&change, kmm_core::reconcile::Timestamp(0));
        let tell = name_taken(driver.cache(), &pod, &object).unwrap();
        let event = to_json(&tell, "");
        assert_eq!(event["involvedObject"]["name"], "nic");
        assert_eq!(event["involvedObject"]["uid"], "u");
        let message = event["message"].as_str().unwrap();
        assert!(message.contains("kmm-worker-w1-nic"), "{message}");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let long = to_json(&tell("A", &"ä".repeat(1000), ""), "");
        assert_eq!(long["message"].as_str().unwrap().len(), 1024);
        let odd = to_json(&tell("A", &format!("x{}", "ä".repeat(1000)), ""), "");
        assert_eq!(odd["message"].as_str().unwrap().len(), 1023);
    }
}
