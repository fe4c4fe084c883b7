//! The files in `docs/guide/worker.md`: configurations are read as the worker reads them, and the pod as Kubernetes does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use k8s_openapi::api::core::v1::Container;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::core::v1::Volume;
use kmm_core::document;
use kmm_core::document::Limits;
use kmm_core::worker::config;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Test;
use crate::node::Node;

pub(crate) const TESTS: &[Test] = &[
    ("guide::configurations", configurations),
    ("guide::the_pod", the_pod),
];

fn guide() -> String {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(package.parent().unwrap().join("docs/guide/worker.md")).unwrap()
}

/// What stands between two texts, each time.
fn between<'g>(guide: &'g str, begin: &str, end: &str) -> Vec<&'g str> {
    let parts = guide.split(begin).skip(1);
    parts.map(|part| part.split_once(end).unwrap().0).collect()
}

fn json(yaml: &str) -> Value {
    let stream = document::read(yaml, &Limits::default());
    assert_eq!(stream.findings, []);
    let [document] = stream.documents.as_slice() else {
        panic!("not one document: {yaml}");
    };
    document.root.to_json()
}

/// Reads a value, and fails where anything of it is not known: Kubernetes would leave it out, or refuse it.
fn strictly<T: DeserializeOwned + Serialize>(value: &Value) -> T {
    let read: T = serde_json::from_value(value.clone()).unwrap();
    let known = serde_json::to_value(&read).unwrap();
    assert_eq!(&known, value, "not all of it is known");
    read
}

fn configurations() {
    let guide = guide();
    let blocks = between(&guide, "```yaml\n", "```");
    let heredocs = between(&guide, "config.yaml <<'YAML'\n", "YAML\n");
    let configs: Vec<&str> = blocks
        .into_iter()
        .filter(|block| block.contains("moduleName:"))
        .chain(heredocs)
        .collect();
    assert_eq!(configs.len(), 2);
    for text in configs {
        let read = config::read(text).unwrap();
        assert_eq!(read.modprobe.module_name, "acme_nic");
        assert_eq!(read.modprobe.dir_name, "/opt");
    }
}

fn the_pod() {
    let guide = guide();
    let blocks = between(&guide, "```yaml\n", "```");
    let pods: Vec<&str> = blocks
        .into_iter()
        .filter(|block| block.contains("kind: Pod"))
        .collect();
    let [pod] = pods.as_slice() else {
        panic!("{} pods", pods.len());
    };
    let pod: Pod = strictly(&json(pod));
    let spec = pod.spec.unwrap();
    let volumes: BTreeSet<&str> = spec
        .volumes
        .iter()
        .flatten()
        .map(|volume| volume.name.as_str())
        .collect();
    let all = spec.init_containers.iter().flatten().chain(&spec.containers);
    let mut mounted = BTreeSet::new();
    for container in all {
        takes_the_words(container);
        mounted.extend(
            container
                .volume_mounts
                .iter()
                .flatten()
                .map(|mount| mount.name.as_str()),
        );
    }
    assert_eq!(mounted, volumes);
    // The volume that takes the place of what is copied.
    let image = between(&guide, "`image: {", "}`");
    let [image] = image.as_slice() else {
        panic!("{} image volumes", image.len());
    };
    let volume = json(&format!("{{name: files, image: {{{image}}}}}"));
    let volume: Volume = strictly(&volume);
    assert!(volume.image.is_some());
}

/// The worker takes the words of a container for what they are meant: it gets as far as to look for the files.
fn takes_the_words(container: &Container) {
    let words: Vec<&str> = match (&container.command, &container.args) {
        (Some(command), None) => command.iter().skip(1).map(String::as_str).collect(),
        (None, Some(args)) => args.iter().map(String::as_str).collect(),
        _ => panic!("`{}` has both, or none", container.name),
    };
    let node = Node::new();
    let words: Vec<String> = words
        .into_iter()
        .map(|word| match word.strip_prefix('/') {
            Some(path) => node.path(path).to_string_lossy().into_owned(),
            None => word.to_owned(),
        })
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut command = node.bare(&words);
    let output = command.arg("--result").arg(node.path("result")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let result = node.read("result");
    let action = if words.first() == Some(&"copy") {
        "copy"
    } else {
        "load"
    };
    assert!(
        result.contains(&format!("\"action\":\"{action}\"")),
        "{words:?}: {said}"
    );
    assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
}
