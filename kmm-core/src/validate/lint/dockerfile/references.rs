//! Which Modules of the same files build from a ConfigMap.

use crate::document::Node;
use crate::path::FieldPath;
use crate::validate::Kind;
use crate::validate::Subject;
use crate::validate::neighbours::module_spec;

/// One use of the ConfigMap by a Module.
pub(super) struct Build {
    /// Names of the build arguments that the Module passes there.
    pub(super) arguments: Vec<String>,
    dir_name: String,
}

/// The folders that hold `lib/modules`.
pub(super) struct Folders {
    pub(super) names: Vec<String>,
    /// Whether Modules say so; otherwise it is the default.
    pub(super) known: bool,
}

/// The `dirName`s of the Modules that build from the ConfigMap.
pub(super) fn folders(subject: &Subject<'_>) -> Folders {
    let mut names: Vec<String> = builds(subject).into_iter().map(|build| build.dir_name).collect();
    names.sort_unstable();
    names.dedup();
    let known = !names.is_empty();
    if !known {
        names.push("/opt".to_owned());
    }
    Folders { names, known }
}

/// How the Modules of the same files build from the ConfigMap.
pub(super) fn builds(subject: &Subject<'_>) -> Vec<Build> {
    let own = subject.node.get("metadata");
    let field = |metadata: Option<&'_ Node>, name: &str| {
        metadata
            .and_then(|node| node.get(name))
            .and_then(Node::as_str)
            .map(str::to_owned)
    };
    let Some(name) = field(own, "name").filter(|_| subject.kind == Kind::ConfigMap) else {
        return Vec::new();
    };
    let namespace = field(own, "namespace");
    let mut found = Vec::new();
    for module in subject.neighbours.builders_from(&name) {
        let kind = module.get("kind").and_then(Node::as_str).unwrap_or_default();
        let spec = module_spec(kind, module);
        let there = field(module.get("metadata"), "namespace");
        let apart = namespace.is_some() && there.is_some() && namespace != there;
        let container = spec.and_then(|spec| spec.at(&FieldPath::of("moduleLoader.container")));
        if let Some(container) = container.filter(|_| !apart) {
            of_container(container, &name, &mut found);
        }
    }
    found
}

fn of_container(container: &Node, name: &str, found: &mut Vec<Build>) {
    let dir_name = container
        .at(&FieldPath::of("modprobe.dirName"))
        .and_then(Node::as_str);
    let dir_name = dir_name.filter(|name| !name.is_empty()).unwrap_or("/opt");
    let common = container.get("build");
    let mappings = container
        .get("kernelMappings")
        .and_then(Node::as_sequence)
        .unwrap_or_default();
    for mapping in mappings {
        let own = mapping.get("build");
        let map = own
            .or(common)
            .and_then(|build| build.at(&FieldPath::of("dockerfileConfigMap.name")));
        if map.and_then(Node::as_str) != Some(name) {
            continue;
        }
        let lists = [common, own]
            .into_iter()
            .flatten()
            .filter_map(|build| build.get("buildArgs")?.as_sequence());
        let arguments = lists
            .flatten()
            .filter_map(|argument| argument.get("name")?.as_str());
        found.push(Build {
            arguments: arguments.map(str::to_owned).collect(),
            dir_name: dir_name.to_owned(),
        });
    }
}
