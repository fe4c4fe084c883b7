//! Kubernetes objects in documents.

use crate::diag::Part;
use crate::path::FieldPath;

use super::Found;
use super::Node;
use super::Stream;
use super::rules;

/// An object: a document, or an item of a list of objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Object<'a> {
    /// Its `kind`; empty where it has none.
    pub kind: &'a str,
    /// Its `apiVersion`; empty where it has none.
    pub api_version: &'a str,
    /// Its `metadata.name`.
    pub name: Option<&'a str>,
    /// Its `metadata.namespace`.
    pub namespace: Option<&'a str>,
    /// The object as it was written.
    pub node: &'a Node,
    /// The document that it stands in, by its place in [`Stream::documents`].
    pub document: usize,
    /// Where in the document it stands: the root, or `items[3]`.
    pub base: FieldPath,
}

impl Stream {
    /// The objects of every document, in order: a `List`, `NodeList` or other list of objects counts as its items.
    ///
    /// Items of a list that leave out `kind` and `apiVersion`, as the API server writes them, have those of the list
    /// without the `List`.
    ///
    /// # Example: items of a list
    ///
    /// ```
    /// use kmm_core::document::{Limits, read};
    ///
    /// let text = r#"{"kind":"NodeList","apiVersion":"v1","items":[{"metadata":{"name":"a"}}]}"#;
    /// let stream = read(text, &Limits::default());
    /// let node = stream.objects().next().unwrap();
    /// assert_eq!((node.kind, node.name), ("Node", Some("a")));
    /// assert_eq!(node.base.to_string(), "items[0]");
    /// ```
    pub fn objects(&self) -> impl Iterator<Item = Object<'_>> {
        let documents = self.documents.iter().enumerate();
        documents.flat_map(|(index, document)| objects_of(index, &document.root))
    }

    /// A warning `KMM0012` for each object that does not say what it is.
    pub fn unnamed(&self) -> Vec<Found> {
        let mut found = Vec::new();
        for object in self.objects().filter(|object| object.node.as_mapping().is_some()) {
            let missing = match (object.api_version.is_empty(), object.kind.is_empty()) {
                (false, false) => continue,
                (true, true) => "no `apiVersion` and no `kind`",
                (true, false) => "no `apiVersion`",
                (false, true) => "no `kind`",
            };
            let finding =
                rules::MISSING_KIND.finding(object.base.clone(), format!("the object has {missing}"));
            let start = object.node.span.start;
            let first = object
                .node
                .as_mapping()
                .and_then(|mapping| mapping.entries.first());
            let place = first.map_or(start..start, |entry| entry.key_span.clone());
            found.push(Found {
                document: Some(object.document),
                diagnostic: finding.at(Part::Source(place)),
            });
            if found.len() >= self.limits.findings {
                break;
            }
        }
        found
    }
}

fn objects_of(document: usize, root: &Node) -> Vec<Object<'_>> {
    let list = object(document, root, FieldPath::root());
    let items = root.get("items").and_then(Node::as_sequence);
    match (list.kind.strip_suffix("List"), items) {
        (Some(kind), Some(items)) => {
            let items = items.iter().enumerate();
            items
                .map(|(i, item)| {
                    let mut item = object(document, item, FieldPath::root().field("items").index(i));
                    if item.kind.is_empty() && item.api_version.is_empty() && !kind.is_empty() {
                        item.kind = kind;
                        item.api_version = list.api_version;
                    }
                    item
                })
                .collect()
        }
        _ => vec![list],
    }
}

fn object(document: usize, node: &Node, base: FieldPath) -> Object<'_> {
    let metadata = node.get("metadata");
    Object {
        kind: node.get("kind").and_then(Node::as_str).unwrap_or(""),
        api_version: node.get("apiVersion").and_then(Node::as_str).unwrap_or(""),
        name: metadata
            .and_then(|metadata| metadata.get("name"))
            .and_then(Node::as_str),
        namespace: metadata
            .and_then(|metadata| metadata.get("namespace"))
            .and_then(Node::as_str),
        node,
        document,
        base,
    }
}
