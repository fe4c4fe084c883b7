//! From files to Modules, nodes and findings.

use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::api::ManagedClusterModule;
use kmm_core::api::Module;
use kmm_core::build::Dockerfile;
use kmm_core::diag::Diagnostic;
use kmm_core::diag::Part;
use kmm_core::diag::Severity;
use kmm_core::document;
use kmm_core::document::Limits;
use kmm_core::document::Object;
use kmm_core::document::Stream;
use kmm_core::module::Compiled;
use kmm_core::node::NodeFacts;
use kmm_core::node::NodeList;
use kmm_core::path::FieldPath;
use kmm_core::schema;
use kmm_core::schema::Resource;

use crate::cli::Manifests;
use crate::input;
use crate::input::Source;
use crate::printer::Printer;
use crate::render::Located;
use crate::render::ObjectName;
use crate::render::text;

/// Most bytes that a list of nodes may have; 1 GiB holds the nodes of the largest clusters many times over.
const NODES_BYTES: u64 = 1 << 30;

/// A file that was read.
#[derive(Debug)]
pub struct File {
    pub source: Source,
    pub stream: Stream,
}

impl File {
    /// Whether it came from standard input.
    pub fn is_stdin(&self) -> bool {
        self.source.name == input::STDIN
    }
}

/// Reads files of manifests. One that is named twice, in whatever words, is read once, under the name that comes first.
///
/// # Errors
///
/// When a file cannot be read, or is larger than the reader takes.
pub fn read(paths: &[PathBuf]) -> Result<Vec<File>> {
    let most = Limits::default().bytes as u64;
    let mut seen = HashSet::new();
    paths
        .iter()
        .filter(|path| regular(path).is_none_or(|real| seen.insert(real)))
        .map(|path| input::read(path, most).map(file_of))
        .collect()
}

/// Where a file really is. A pipe has something else each time that it is read, and is not meant.
fn regular(path: &Path) -> Option<PathBuf> {
    let real = path.canonicalize().ok()?;
    (path != Path::new("-") && real.is_file()).then_some(real)
}

/// The file with another text.
pub fn with_text(file: &File, text: String) -> File {
    file_of(Source {
        name: file.source.name.clone(),
        text,
    })
}

fn file_of(source: Source) -> File {
    let stream = document::read(&source.text, &Limits::default());
    File { source, stream }
}

/// What is wrong with a file as text, before anyone looks at what its objects mean; each with the document that it is in.
pub fn reading_findings(file: &File, number: usize) -> Vec<(Located, Option<usize>)> {
    let found = file.stream.findings.iter().cloned().chain(file.stream.unnamed());
    found
        .map(|found| {
            let document = found.document.and_then(|index| file.stream.documents.get(index));
            let diagnostic = found.diagnostic;
            let span = match (document, &diagnostic.part) {
                (_, Part::Source(range)) => range.clone(),
                (Some(document), part) => document.locate(&diagnostic.path, part, &file.source.text),
                (None, Part::Value | Part::Key | Part::Within(_)) => 0..0,
            };
            (
                Located {
                    diagnostic,
                    source: number,
                    span,
                    object: None,
                },
                found.document,
            )
        })
        .collect()
}

/// A finding about an object, with its place in the file.
pub fn locate(files: &[File], number: usize, object: &Object<'_>, diagnostic: Diagnostic) -> Located {
    let file = &files[number];
    let path = object.base.join(&diagnostic.path);
    let document = &file.stream.documents[object.document];
    let span = document.locate(&path, &diagnostic.part, &file.source.text);
    Located {
        diagnostic,
        source: number,
        span,
        object: Some(name_of(object)),
    }
}

/// What an object is called.
pub fn name_of(object: &Object<'_>) -> ObjectName {
    ObjectName {
        kind: object.kind.to_owned(),
        name: object.name.unwrap_or_default().to_owned(),
        namespace: object.namespace.unwrap_or_default().to_owned(),
    }
}

/// The Modules and nodes of the files that a command was given.
#[derive(Debug)]
pub struct Loaded {
    /// In the order of the files, and of the documents in them.
    pub modules: Vec<Compiled>,
    /// What each of them was made from.
    pub objects: Vec<Module>,
    /// In the same order.
    pub nodes: Vec<NodeFacts>,
    /// In the same order.
    pub dockerfiles: Vec<ConfigMapFile>,
}

/// The Dockerfile of a ConfigMap.
#[derive(Debug)]
pub struct ConfigMapFile {
    name: String,
    namespace: String,
    dockerfile: Dockerfile,
}

impl Loaded {
    /// The Dockerfile of this ConfigMap; a namespace that is left out may be any.
    pub fn dockerfile(&self, namespace: &str, name: &str) -> Option<&Dockerfile> {
        let found = self.dockerfiles.iter().find(|file| {
            file.name == name
                && (file.namespace == namespace || file.namespace.is_empty() || namespace.is_empty())
        });
        found.map(|file| &file.dockerfile)
    }
}

/// Reads what `arguments` name, and tells on standard error what is wrong with it.
///
/// A Module that an API server would refuse is taken as long as it can be read: who writes it wants to know what it
/// would do.
///
/// # Errors
///
/// When a file or a Module cannot be read, or there is no Module.
pub fn load(arguments: &Manifests, printer: &Printer) -> Result<Loaded> {
    let files = read(&arguments.files)?;
    let mut findings: Vec<Located> = Vec::new();
    for (number, file) in files.iter().enumerate() {
        findings.extend(
            reading_findings(file, number)
                .into_iter()
                .map(|(located, _)| located),
        );
    }
    let mut loaded = Loaded {
        modules: Vec::new(),
        objects: Vec::new(),
        nodes: Vec::new(),
        dockerfiles: Vec::new(),
    };
    let mut unreadable = 0;
    let mut passed_over: Vec<String> = Vec::new();
    for (number, file) in files.iter().enumerate() {
        for object in file.stream.objects() {
            if object.kind == "Node" {
                let name = &file.source.name;
                let node: NodeFacts = serde_json::from_value(object.node.to_json())
                    .with_context(|| format!("`{name}`: a Node cannot be read"))?;
                check_nodes(std::slice::from_ref(&node), name)?;
                loaded.nodes.push(node);
                continue;
            }
            if object.kind == "ConfigMap" {
                loaded.dockerfiles.extend(dockerfile_of(&object));
                continue;
            }
            let Ok(resource @ (Resource::Module | Resource::ManagedClusterModule)) =
                schema::identify(object.node)
            else {
                continue;
            };
            let report = schema::check(resource, object.node);
            findings.extend(
                report
                    .errors
                    .into_iter()
                    .map(|found| locate(&files, number, &object, found)),
            );
            match module_of(resource, report.stored) {
                Ok(module) if is_wanted(arguments.module.as_deref(), &module) => {
                    loaded.modules.push(Compiled::new(&module));
                    loaded.objects.push(module);
                }
                Ok(module) => passed_over.push(full_name(&module)),
                Err(_) => unreadable += 1,
            }
        }
    }
    findings.retain(|found| found.diagnostic.severity == Severity::Error);
    for found in &findings {
        printer.notice(&text::finding(found, &files[found.source].source));
    }
    if unreadable > 0 || (loaded.modules.is_empty() && !findings.is_empty()) {
        bail!("the manifests cannot be read: mend the errors above");
    }
    if loaded.modules.is_empty() {
        let names: Vec<String> = files
            .iter()
            .map(|file| format!("`{}`", file.source.name))
            .collect();
        match &arguments.module {
            Some(name) => bail!(
                "there is no Module `{name}` in {}{}",
                names.join(", "),
                there_is(&passed_over)
            ),
            None => bail!("there is no Module in {}", names.join(", ")),
        }
    }
    Ok(loaded)
}

/// The Dockerfile that a build would find in a ConfigMap.
fn dockerfile_of(object: &Object<'_>) -> Option<ConfigMapFile> {
    let text = object.node.at(&FieldPath::of("data.dockerfile"))?.as_str()?;
    Some(ConfigMapFile {
        name: object.name.unwrap_or_default().to_owned(),
        namespace: object.namespace.unwrap_or_default().to_owned(),
        dockerfile: Dockerfile::read(text),
    })
}

/// The Module that `stored` is; that of a ManagedClusterModule is the one which its clusters get.
pub fn module_of(resource: Resource, stored: serde_json::Value) -> serde_json::Result<Module> {
    if resource == Resource::Module {
        return serde_json::from_value(stored);
    }
    let outer: ManagedClusterModule = serde_json::from_value(stored)?;
    let mut module = Module {
        spec: outer.spec.module_spec,
        ..Module::default()
    };
    module.metadata.name = outer.metadata.name;
    module.metadata.namespace = outer.spec.spoke_namespace;
    Ok(module)
}

/// `drivers/nic`, or `nic` where the manifest leaves the namespace to whoever applies it.
pub fn full_name(module: &Module) -> String {
    let (namespace, name) = (&module.metadata.namespace, &module.metadata.name);
    match namespace.as_str() {
        "" => name.clone(),
        namespace => format!("{namespace}/{name}"),
    }
}

/// Names that are there where one is not: the first of them.
pub fn there_is(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match (shown.is_empty(), names.len().saturating_sub(SHOWN)) {
        (true, _) => String::new(),
        (false, 0) => format!(": there is {}", shown.join(", ")),
        (false, more) => format!(": there is {} and {more} more", shown.join(", ")),
    }
}

/// Leaves only the node of this name.
///
/// # Errors
///
/// When there is none; `place` says where it was looked for.
pub fn keep_node(nodes: &mut Vec<NodeFacts>, name: &str, place: &str) -> Result<()> {
    if !nodes.iter().any(|node| node.name == name) {
        let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
        bail!("there is no node `{name}` in {place}{}", there_is(&names));
    }
    nodes.retain(|node| node.name == name);
    Ok(())
}

pub fn is_wanted(wanted: Option<&str>, module: &Module) -> bool {
    let metadata = &module.metadata;
    match wanted.map(|wanted| wanted.split_once('/').unwrap_or(("", wanted))) {
        None => true,
        Some((namespace, name)) => {
            metadata.name == name && (namespace.is_empty() || metadata.namespace == namespace)
        }
    }
}

/// Reads a list of nodes, JSON or YAML.
///
/// JSON, which a large list is, goes straight into the facts that are needed of each node.
///
/// # Errors
///
/// When the file cannot be read, or holds no Node.
pub fn read_nodes(path: &Path) -> Result<Vec<NodeFacts>> {
    let source = input::read(path, NODES_BYTES)?;
    let nodes = if source.text.trim_start().starts_with('{') {
        nodes_of_json(&source.text)
    } else {
        nodes_of_yaml(&source.text)
    };
    let nodes = nodes.with_context(|| format!("`{}` is no list of nodes", source.name))?;
    if nodes.is_empty() {
        bail!(
            "there is no Node in `{}`: it is to hold what `kubectl get nodes -o json` prints",
            source.name
        );
    }
    check_nodes(&nodes, &source.name)?;
    Ok(nodes)
}

/// Without a kernel version there is nothing to decide for a node.
pub fn check_nodes(nodes: &[NodeFacts], file: &str) -> Result<()> {
    if let Some(node) = nodes.iter().find(|node| node.kernel_version.is_empty()) {
        let name = &node.name;
        bail!("`{file}`: `{name}` has no status.nodeInfo.kernelVersion: is it a Node of a cluster?");
    }
    Ok(())
}

/// Lists of nodes, or single ones, one after the other.
fn nodes_of_json(text: &str) -> Result<Vec<NodeFacts>> {
    let mut nodes = Vec::new();
    let mut documents = serde_json::Deserializer::from_str(text).into_iter::<NodeList>();
    let mut start = 0;
    while let Some(list) = documents.next() {
        let items = list?.items;
        let end = documents.byte_offset();
        if items.is_empty() {
            let single: NodeFacts = serde_json::from_str(&text[start..end])?;
            nodes.extend(Some(single).filter(|node| !node.name.is_empty()));
        }
        nodes.extend(items);
        start = end;
    }
    Ok(nodes)
}

fn nodes_of_yaml(text: &str) -> Result<Vec<NodeFacts>> {
    let limits = Limits {
        bytes: text.len(),
        ..Limits::default()
    };
    let stream = document::read(text, &limits);
    if let Some(found) = stream
        .findings
        .iter()
        .find(|found| found.diagnostic.severity == Severity::Error)
    {
        bail!("{}", found.diagnostic);
    }
    let nodes = stream.objects().filter(|object| object.kind == "Node");
    nodes
        .map(|object| Ok(serde_json::from_value(object.node.to_json())?))
        .collect()
}
