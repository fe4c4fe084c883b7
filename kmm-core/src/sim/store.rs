//! The API server: objects with versions, and what became of them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;
use thiserror::Error;

use crate::driver::ReadError;
use crate::driver::Seen;
use crate::reconcile::Kind;
use crate::reconcile::ObjectRef;
use crate::reconcile::Part;
use crate::reconcile::Precondition;
use crate::reconcile::Timestamp;
use crate::reconcile::patch;

/// Why the API server takes a write not.
#[derive(Debug, Error)]
pub enum Refused {
    /// There is no such object.
    #[error("{0} is not there")]
    NotFound(ObjectRef),
    /// There is one already.
    #[error("{0} is already there")]
    AlreadyExists(ObjectRef),
    /// A precondition does not hold.
    #[error("{0} has changed")]
    Conflict(ObjectRef),
    /// It is not allowed.
    #[error("{target}: {why}")]
    Invalid {
        /// Which object.
        target: ObjectRef,
        /// Why.
        why: &'static str,
    },
    /// It makes no sense.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
}

/// An object in one of its versions.
#[derive(Debug)]
pub struct Stored {
    /// As JSON.
    pub value: Value,
    /// As the operator reads it.
    pub seen: Arc<Seen>,
}

/// One write, as watches have it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) version: u64,
    pub(super) target: ObjectRef,
    /// The object; `None` where it went.
    pub(super) object: Option<Arc<Stored>>,
}

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The object has this version now.
    Version(u64),
    /// The object says what it said before, and keeps its version.
    Unchanged(u64),
    /// The object has gone.
    Gone,
}

/// Objects with versions.
#[derive(Clone, Debug, Default)]
pub struct Store {
    objects: BTreeMap<ObjectRef, Arc<Stored>>,
    log: Vec<Entry>,
    version: u64,
    identities: u64,
    /// The time.
    pub(super) now: Timestamp,
}

impl Store {
    /// One object.
    pub fn find(&self, target: &ObjectRef) -> Option<&Arc<Stored>> {
        self.objects.get(target)
    }

    /// All objects of a kind, by namespace and name.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Arc<Stored>> {
        let first = ObjectRef::cluster(kind, "");
        let from = self.objects.range((Bound::Included(first), Bound::Unbounded));
        from.take_while(move |(target, _)| target.kind == kind)
            .map(|(_, stored)| stored)
    }

    /// All objects.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<Stored>> {
        self.objects.values()
    }

    /// The version of the last write.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The writes after a version.
    pub(super) fn after(&self, version: u64) -> impl Iterator<Item = &Entry> {
        let from = self.log.partition_point(|entry| entry.version <= version);
        self.log.iter().skip(from)
    }

    /// The version of an object; `None` where there is none.
    pub(super) fn version_of(&self, target: &ObjectRef) -> Option<&str> {
        Some(self.find(target)?.seen.version())
    }

    /// Creates an object.
    ///
    /// # Errors
    ///
    /// When it is there already, or cannot be read.
    pub fn create(&mut self, object: &Value) -> Result<u64, Refused> {
        let Some(target) = ObjectRef::of(object) else {
            return Err(ReadError::Kind(object["kind"].to_string()).into());
        };
        if self.objects.contains_key(&target) {
            return Err(Refused::AlreadyExists(target));
        }
        self.identities += 1;
        let mut object = object.clone();
        let metadata = &mut object["metadata"];
        metadata["uid"] = json!(format!("uid-{}", self.identities));
        metadata["creationTimestamp"] = json!(self.now.to_string());
        if target.kind == Kind::Pod && object["status"].is_null() {
            object["status"] = json!({"phase": "Pending"});
        }
        self.put(target, object)
    }

    fn put(&mut self, target: ObjectRef, mut object: Value) -> Result<u64, Refused> {
        let version = self.version + 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let before = self.objects.get(&target);
        let seen = Seen::read(&object, before.map(|stored| &*stored.seen))?;
        self.version = version;
        let stored = Arc::new(Stored {
            value: object,
            seen: Arc::new(seen),
        });
        self.log.push(Entry {
            version,
            target: target.clone(),
            object: Some(Arc::clone(&stored)),
        });
        self.objects.insert(target, stored);
        Ok(version)
    }

    fn remove(&mut self, target: &ObjectRef) {
        if self.objects.remove(target).is_some() {
            self.version += 1;
            self.log.push(Entry {
                version: self.version,
                target: target.clone(),
                object: None,
            });
        }
    }

    fn meeting(&self, target: &ObjectRef, precondition: &Precondition) -> Result<&Arc<Stored>, Refused> {
        let Some(stored) = self.objects.get(target) else {
            return Err(Refused::NotFound(target.clone()));
        };
        let Precondition {
            uid,
            resource_version,
        } = precondition;
        let holds = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        if holds(uid, stored.seen.uid()) && holds(resource_version, stored.seen.version()) {
            Ok(stored)
        } else {
            Err(Refused::Conflict(target.clone()))
        }
    }

    /// Changes an object by a merge patch.
    ///
    /// # Errors
    ///
    /// When it is not there, a precondition does not hold, or what comes out is not allowed.
    pub fn patch(
        &mut self,
        target: &ObjectRef,
        part: Part,
        precondition: &Precondition,
        change: &Value,
    ) -> Result<Taken, Refused> {
        let stored = self.meeting(target, precondition)?;
        let before = &stored.value;
        let mut after = before.clone();
        patch::apply(&mut after, change);
        match part {
            Part::Object => after["status"] = before["status"].clone(),
            Part::Status => {
                let status = after["status"].take();
                after = before.clone();
                after["status"] = status;
            }
        }
        if after == *before {
            return Ok(Taken::Unchanged(stored.seen.version().parse().unwrap_or(0)));
        }
        forbid(target, before, &after)?;
        if is_done_for(&after) {
            self.remove(target);
            return Ok(Taken::Gone);
        }
        self.put(target.clone(), after).map(Taken::Version)
    }

    /// Deletes an object: at once, or by a mark where finalizers or a kubelet have to act first.
    ///
    /// # Errors
    ///
    /// When it is not there, or a precondition does not hold.
    pub fn delete(&mut self, target: &ObjectRef, precondition: &Precondition) -> Result<Taken, Refused> {
        let stored = self.meeting(target, precondition)?;
        let mut object = stored.value.clone();
        if object["metadata"]["deletionTimestamp"].is_string() {
            return Ok(Taken::Unchanged(stored.seen.version().parse().unwrap_or(0)));
        }
        let pod = stored.seen.pod();
        let grace = pod.is_some_and(|pod| !pod.node_name().is_empty() && !pod.status.phase.is_over());
        object["metadata"]["deletionTimestamp"] = json!(self.now.to_string());
        object["metadata"]["deletionGracePeriodSeconds"] = json!(if grace { 30 } else { 0 });
        if is_done_for(&object) {
            self.remove(target);
            return Ok(Taken::Gone);
        }
        self.put(target.clone(), object).map(Taken::Version)
    }

    /// The kubelet, or who stands in for it, has nothing more to do for a pod that is being deleted.
    pub(super) fn end_grace(&mut self, target: &ObjectRef) -> Result<(), Refused> {
        let stored = self.meeting(target, &Precondition::default())?;
        let mut object = stored.value.clone();
        if object["metadata"]["deletionTimestamp"].is_null() {
            object["metadata"]["deletionTimestamp"] = json!(self.now.to_string());
        }
        object["metadata"]["deletionGracePeriodSeconds"] = json!(0);
        if is_done_for(&object) {
            self.remove(target);
            return Ok(());
        }
        self.put(target.clone(), object).map(|_| ())
    }

    /// Forgets what no watch is behind any more.
    pub(super) fn forget_before(&mut self, version: u64) {
        let keep = self.log.partition_point(|entry| entry.version <= version);
        self.log.drain(..keep);
    }
}

fn has_finalizers(object: &Value) -> bool {
    let finalizers = object["metadata"]["finalizers"].as_array();
    finalizers.is_some_and(|list| !list.is_empty())
}

/// Whether an object that is to be deleted waits for nobody any more.
fn is_done_for(object: &Value) -> bool {
    let metadata = &object["metadata"];
    metadata["deletionTimestamp"].is_string()
        && metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0
        && !has_finalizers(object)
}

fn forbid(target: &ObjectRef, before: &Value, after: &Value) -> Result<(), Refused> {
    let refuse = |why| {
        Err(Refused::Invalid {
            target: target.clone(),
            why,
        })
    };
    if before["metadata"]["deletionTimestamp"].is_string() {
        let old = before["metadata"]["finalizers"].as_array();
        let new = after["metadata"]["finalizers"].as_array();
        let known = |finalizer: &Value| old.is_some_and(|old| old.contains(finalizer));
        if new.is_some_and(|new| !new.iter().all(known)) {
            return refuse("no new finalizers once the object is being deleted");
        }
    }
    for path in ["/metadata/uid", "/metadata/name", "/spec/selector/matchLabels"] {
        if before.pointer(path) != after.pointer(path)
            && (target.kind == Kind::DaemonSet || !path.starts_with("/spec"))
        {
            return refuse("an immutable field changes");
        }
    }
    Ok(())
}
