//! The objects of the same files, found by what they are called.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::document::Node;
use crate::path::FieldPath;

/// The objects of the same files as the one under check, found by what they are called.
///
/// # Example: is there a ConfigMap of that name?
///
/// ```
/// use kmm_core::document::Node;
/// use kmm_core::validate::Neighbours;
///
/// let map: Node = serde_json::from_str(r#"{"kind": "ConfigMap", "metadata": {"name": "a"}}"#)?;
/// let neighbours = Neighbours::new([&map]);
/// assert_eq!(neighbours.named("ConfigMap", "a").len(), 1);
/// assert!(neighbours.named("ConfigMap", "b").is_empty());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Neighbours<'a> {
    /// By kind, then by name.
    named: HashMap<&'a str, HashMap<&'a str, Vec<&'a Node>>>,
    /// Names of ConfigMaps, in order.
    config_maps: Vec<&'a str>,
    /// Objects with a Module spec, by the ConfigMaps that they build from.
    builders: HashMap<&'a str, Vec<&'a Node>>,
}

impl<'a> Neighbours<'a> {
    /// The objects of the files; the one under check may be among them.
    pub fn new(nodes: impl IntoIterator<Item = &'a Node>) -> Self {
        let mut neighbours = Self::default();
        for node in nodes {
            neighbours.add(node);
        }
        neighbours
    }

    /// No objects.
    pub fn none() -> &'static Neighbours<'static> {
        static NONE: LazyLock<Neighbours<'static>> = LazyLock::new(Neighbours::default);
        &NONE
    }

    /// The objects of this kind and name, in any namespace.
    pub fn named(&self, kind: &str, name: &str) -> &[&'a Node] {
        self.named
            .get(kind)
            .and_then(|named| named.get(name))
            .map_or(&[], Vec::as_slice)
    }

    /// The names of all ConfigMaps.
    pub fn config_maps(&self) -> &[&'a str] {
        &self.config_maps
    }

    /// The Modules and ManagedClusterModules, in any namespace, that build from a ConfigMap of this name.
    pub fn builders_from(&self, config_map: &str) -> &[&'a Node] {
        self.builders.get(config_map).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, node: &'a Node) {
        let kind = node.get("kind").and_then(Node::as_str).unwrap_or_default();
        let metadata = node.get("metadata");
        if let Some(name) = metadata
            .and_then(|metadata| metadata.get("name"))
            .and_then(Node::as_str)
        {
            self.named
                .entry(kind)
                .or_default()
                .entry(name)
                .or_default()
                .push(node);
            if kind == "ConfigMap" {
                self.config_maps.push(name);
            }
        }
        for name in config_maps_of(kind, node) {
            let builders = self.builders.entry(name).or_default();
            if !builders.last().is_some_and(|last| std::ptr::eq(*last, node)) {
                builders.push(node);
            }
        }
    }
}

/// The names of the ConfigMaps that an object's builds name.
fn config_maps_of<'a>(kind: &str, node: &'a Node) -> Vec<&'a str> {
    let Some(container) = module_spec(kind, node).and_then(|spec| spec.get("moduleLoader")?.get("container"))
    else {
        return Vec::new();
    };
    let mappings = container
        .get("kernelMappings")
        .and_then(Node::as_sequence)
        .unwrap_or_default();
    let levels = std::iter::once(container).chain(mappings);
    levels
        .filter_map(|level| {
            level
                .get("build")?
                .get("dockerfileConfigMap")?
                .get("name")?
                .as_str()
        })
        .collect()
}

/// The Module spec of an object that has one.
pub(super) fn module_spec<'a>(kind: &str, node: &'a Node) -> Option<&'a Node> {
    match kind {
        "Module" => node.get("spec"),
        "ManagedClusterModule" => node.at(&FieldPath::of("spec.moduleSpec")),
        _ => None,
    }
}
