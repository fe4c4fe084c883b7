//! What the operator knows of the objects of one kind.
//!
//! Two sources fill a store: the watch, and the answers to own writes. The younger one counts, so that every own write is
//! there when the next decision is made, and a watch that is behind does not take it back.
//!
//! Versions are compared as numbers. Kubernetes promises that for objects of one kind since 1.35, and has always done so.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;

use kmm_core::resolve::ModuleName;
use serde_json::Value;

/// Namespace and name of an object; the namespace is empty for kinds without.
pub(crate) type Name = ModuleName;

/// An object of one kind, reduced to what is kept of it.
pub(crate) trait Kept: Sized {
    /// Reads it; `None` where it is not wanted here.
    ///
    /// # Errors
    ///
    /// When the object is not as its kind is.
    fn read(object: Value) -> Result<Option<Self>, serde_json::Error>;
}

#[derive(Debug)]
struct Held<T> {
    version: u64,
    uid: String,
    /// The list in which, or after which, it was seen last.
    list: u64,
    value: T,
}

/// The objects of one kind.
#[derive(Debug)]
pub(crate) struct Store<T> {
    held: BTreeMap<Name, Held<T>>,
    /// Objects that are known to be gone although the watch has not said so yet.
    gone: HashSet<String>,
    /// Objects that could not be read, and of which nothing older is known.
    unreadable: BTreeSet<Name>,
    list: u64,
}

impl<T> Default for Store<T> {
    fn default() -> Self {
        Self {
            held: BTreeMap::new(),
            gone: HashSet::new(),
            unreadable: BTreeSet::new(),
            list: 0,
        }
    }
}

/// What a message did to a store.
#[derive(Debug, PartialEq)]
pub(crate) enum Change<T> {
    /// Nothing.
    None,
    /// There is a new object, or a newer state of one; the old state.
    Put(Option<T>),
    /// There is one object less.
    Removed(T),
}

impl<T: Kept> Store<T> {
    /// The value of an object.
    pub(crate) fn get(&self, name: &Name) -> Option<&T> {
        self.held.get(name).map(|held| &held.value)
    }

    /// Every object, in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Name, &T)> {
        self.held.iter().map(|(name, held)| (name, &held.value))
    }

    /// The objects of a namespace.
    pub(crate) fn in_namespace<'s>(&'s self, namespace: &'s str) -> impl Iterator<Item = (&'s Name, &'s T)> {
        self.iter().filter(move |(name, _)| name.namespace == namespace)
    }

    /// Whether something is there that nothing is known of.
    pub(crate) fn has_unreadable(&self) -> bool {
        !self.unreadable.is_empty()
    }

    /// Takes a state of an object in, unless a younger one is known.
    pub(crate) fn put(&mut self, object: Value) -> (Name, Change<T>) {
        let metadata = &object["metadata"];
        let name = name_of(&object);
        let uid = metadata["uid"].as_str().unwrap_or_default().to_owned();
        let version = version_of(&object);
        if self.gone.contains(&uid) {
            return (name, Change::None);
        }
        let list = self.list;
        if let Some(held) = self.held.get_mut(&name) {
            held.list = list;
            if version <= held.version {
                return (name, Change::None);
            }
        }
        let value = match T::read(object) {
            Ok(Some(value)) => value,
            // It was one of ours, and is no longer.
            Ok(None) => return self.take(name),
            Err(error) => {
                tracing::error!(%error, namespace = name.namespace, name = name.name, "an object cannot be read");
                if !self.held.contains_key(&name) {
                    self.unreadable.insert(name.clone());
                }
                return (name, Change::None);
            }
        };
        self.unreadable.remove(&name);
        let held = Held {
            version,
            uid,
            list,
            value,
        };
        let old = self.held.insert(name.clone(), held).map(|held| held.value);
        (name, Change::Put(old))
    }

    /// The watch says that an object is gone.
    pub(crate) fn removed(&mut self, object: &Value) -> (Name, Change<T>) {
        let name = name_of(object);
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
        self.gone.remove(uid);
        self.unreadable.remove(&name);
        // Another object may have the name by now.
        if self.held.get(&name).is_some_and(|held| held.uid != uid) {
            return (name, Change::None);
        }
        self.take(name)
    }

    /// The API server says that there is no such object, before the watch does.
    pub(crate) fn absent(&mut self, name: Name) -> (Name, Change<T>) {
        if let Some(held) = self.held.get(&name) {
            self.gone.insert(held.uid.clone());
        }
        self.take(name)
    }

    /// A new list begins.
    pub(crate) fn begin_list(&mut self) {
        self.list += 1;
    }

    /// The list is complete: what was neither in it nor written since is gone.
    pub(crate) fn end_list(&mut self) -> Vec<(Name, Change<T>)> {
        self.gone.clear();
        let lost: Vec<Name> = self
            .held
            .iter()
            .filter(|(_, held)| held.list < self.list)
            .map(|(name, _)| name.clone())
            .collect();
        lost.into_iter().map(|name| self.take(name)).collect()
    }

    fn take(&mut self, name: Name) -> (Name, Change<T>) {
        let change = match self.held.remove(&name) {
            Some(held) => Change::Removed(held.value),
            None => Change::None,
        };
        (name, change)
    }
}

fn name_of(object: &Value) -> Name {
    let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
    Name {
        name: text("name"),
        namespace: text("namespace"),
    }
}

fn version_of(object: &Value) -> u64 {
    let version = object["metadata"]["resourceVersion"].as_str();
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Text(String);

    impl Kept for Text {
        fn read(object: Value) -> Result<Option<Self>, serde_json::Error> {
            if object["skip"] == true {
                return Ok(None);
            }
            serde_json::from_value(object["text"].clone()).map(|text| Some(Self(text)))
        }
    }

    fn object(version: u32, text: &str) -> Value {
        json!({"metadata": {"name": "a", "uid": "u", "resourceVersion": version.to_string()}, "text": text})
    }

    fn text(store: &Store<Text>) -> Option<&str> {
        let name = name_of(&object(0, ""));
        store.get(&name).map(|text| text.0.as_str())
    }

    #[test]
    fn an_own_write_is_not_taken_back_by_a_watch_that_is_behind() {
        let mut store = Store::default();
        store.put(object(5, "five"));
        store.put(object(9, "nine"));
        assert_eq!(store.put(object(7, "seven")).1, Change::None);
        assert_eq!(text(&store), Some("nine"));
        assert_eq!(
            store.put(object(10, "ten")).1,
            Change::Put(Some(Text("nine".to_owned())))
        );
    }

    #[test]
    fn what_is_known_to_be_gone_does_not_come_back() {
        let mut store = Store::default();
        let (name, _) = store.put(object(5, "five"));
        assert_eq!(store.absent(name).1, Change::Removed(Text("five".to_owned())));
        assert_eq!(store.put(object(6, "late")).1, Change::None);
        assert_eq!(text(&store), None);
        store.removed(&object(7, ""));
        let next = json!({"metadata": {"name": "a", "uid": "v", "resourceVersion": "8"}, "text": "next"});
        store.put(next);
        assert_eq!(text(&store), Some("next"));
        // The end of the old object is not that of the new one.
        assert_eq!(store.removed(&object(9, "")).1, Change::None);
    }

    #[test]
    fn a_list_removes_what_it_does_not_have() {
        let mut store: Store<Text> = Store::default();
        store.put(object(5, "five"));
        store.begin_list();
        // The object is unchanged, and listed.
        store.put(object(5, "five"));
        assert_eq!(store.end_list(), []);
        store.begin_list();
        assert_eq!(store.end_list().len(), 1);
        // Written while the list was under way.
        store.begin_list();
        store.put(object(6, "six"));
        assert_eq!(store.end_list(), []);
    }

    #[test]
    fn what_is_no_longer_ours_goes() {
        let mut store = Store::default();
        store.put(object(5, "five"));
        let mut other = object(6, "six");
        other["skip"] = json!(true);
        assert_eq!(store.put(other).1, Change::Removed(Text("five".to_owned())));
    }

    #[test]
    fn an_object_that_cannot_be_read_is_remembered() {
        let mut store: Store<Text> = Store::default();
        let broken = json!({"metadata": {"name": "a", "uid": "u", "resourceVersion": "1"}, "text": 5});
        store.put(broken.clone());
        assert!(store.has_unreadable());
        store.put(object(2, "two"));
        assert!(!store.has_unreadable());
        // The older state stays.
        store.put(broken);
        assert_eq!(text(&store), Some("two"));
    }
}
