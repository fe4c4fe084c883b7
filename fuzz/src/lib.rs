//! Fuzz targets: each takes any bytes, and panics when a promise is broken.

mod images;
mod registries;
mod signatures;

pub use images::image_manifest;
pub use images::tar_stream;
pub use registries::challenge;
pub use signatures::certificate;

use kmm_core::build::Dockerfile;
use kmm_core::depmod::BinaryIndex;
use kmm_core::depmod::Config;
use kmm_core::depmod::Dependencies;
use kmm_core::depmod::Index;
use kmm_core::depmod::MemoryTree;
use kmm_core::depmod::ModuleFacts;
use kmm_core::depmod::Options;
use kmm_core::document;
use kmm_core::document::Limits;
use kmm_core::kernel::KernelVersion;
use kmm_core::kmod;
use kmm_core::kmod::KernelObject;
use kmm_core::kmod::ModuleInfo;
use kmm_core::kmod::PlainOnly;
use kmm_core::kmod::Rendering;
use kmm_core::kmod::Signature;
use kmm_core::modprobe::Command;
use kmm_core::module::Compiled;
use kmm_core::pattern::Pattern;
use kmm_core::schema;
use kmm_core::template::Template;
use kmm_core::template::Variables;
use kmm_core::validate;
use kmm_core::validate::Neighbours;
use kmm_core::validate::Surroundings;

/// A file of manifests: read, checked, resolved; findings have their place in the text, and fixes leave it readable.
pub fn manifest(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let stream = document::read(text, &Limits::default());
    let neighbours = Neighbours::new(stream.objects().map(|object| object.node));
    let around = Surroundings {
        neighbours: Some(&neighbours),
        ..Surroundings::default()
    };
    let mut editor = stream.editor(text);
    for object in stream.objects() {
        for found in validate::examine(object.node, &around) {
            let document = &stream.documents[object.document];
            let span = document.locate(&object.base.join(&found.path), &found.part, text);
            assert!(
                text.get(span.clone()).is_some(),
                "{found}: {span:?} is no part of the text"
            );
            if let Some(fix) = &found.fix {
                // A fix may not fit beside another one; it must never leave half of itself.
                let _ = editor.add(object.document, &object.base, &fix.edits);
            }
        }
        if let Ok(resource) = schema::identify(object.node) {
            let stored = schema::check(resource, object.node).stored;
            if let Ok(module) = serde_json::from_value(stored) {
                let compiled = Compiled::new(&module);
                let kernel = KernelVersion::new("6.1.0-37-amd64");
                let explanation = compiled.explain(&kernel);
                assert_eq!(explanation.outcome, compiled.resolve(&kernel));
            }
        }
    }
    let _ = editor.finish();
}

/// A mapping regexp and a kernel, the first line and the rest: what is said about a match is true.
pub fn pattern(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (regexp, kernel) = text.split_once('\n').unwrap_or((&text, "6.1.0-37-amd64"));
    let Ok(pattern) = Pattern::parse(regexp) else {
        return;
    };
    let found = pattern.find(kernel);
    assert_eq!(pattern.is_match(kernel), found.is_some());
    if let Some(range) = found {
        assert!(kernel.get(range).is_some());
    }
    pattern.explain_miss(kernel);
    if let kmm_core::pattern::Witness::Some(witness) = pattern.witness() {
        assert!(
            pattern.is_match(&witness),
            "`{regexp}` does not match its witness `{witness}`"
        );
    }
}

/// A template: what a trace says adds up to the text.
pub fn template(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let template = Template::parse(text.as_ref());
    let kernel = KernelVersion::new("6.1.0-37-amd64");
    let Ok(variables) = Variables::kernel(&kernel) else {
        return;
    };
    let variables = variables.with_module("m", "ns");
    match (template.expand(&variables), template.trace(&variables)) {
        (Ok(expanded), Ok(steps)) => {
            let traced: String = steps.iter().map(|step| step.value).collect();
            assert_eq!(expanded, traced);
        }
        (expanded, traced) => assert_eq!(expanded.err(), traced.err()),
    }
    assert!(
        template
            .references()
            .all(|reference| text.get(reference.span.clone()) == Some(reference.name))
    );
}

/// A command line: words between line feeds are printed and read back; any text is read without a panic.
pub fn command(data: &[u8]) {
    let text = String::from_utf8_lossy(data).replace('\0', "");
    let mut words = text.split('\n');
    let program = words
        .next()
        .filter(|program| !program.is_empty())
        .unwrap_or("modprobe");
    let command = Command::new(program, words);
    assert_eq!(Command::parse_shell(&command.to_shell()).as_ref(), Ok(&command));
    let _ = Command::parse_shell(&text);
}

/// A Dockerfile: every place in it is a part of the text.
pub fn dockerfile(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = Dockerfile::read(&text);
}

/// A kernel object: all readers agree on it, it can be printed, and an index of it can be read back.
pub fn object(data: &[u8]) {
    let whole = KernelObject::read(data, &PlainOnly);
    let info = ModuleInfo::read(data, &PlainOnly);
    let facts = ModuleFacts::read(data, &PlainOnly);
    if let Ok(whole) = &whole {
        // Who reads less is not more severe.
        assert_eq!(info.as_ref(), Ok(&whole.info));
        assert!(facts.is_ok());
        for import in &whole.imports {
            whole.crc_of(&import.name);
        }
    }
    if let Ok(info) = &info {
        for field in [None, Some("parm"), Some("signature")] {
            let rendering = Rendering {
                field: field.map(str::to_owned),
                nul: false,
            };
            rendering.text("a.ko", info);
        }
        kmod::json("a.ko", info);
        info.depends();
        info.soft_dependencies();
        info.weak_dependencies();
        info.vermagic();
    }
    let mut tree = MemoryTree::default();
    tree.add("kernel/a.ko", facts);
    let Ok(index) = Index::build(&tree, &Config::default(), &Options::default()) else {
        // It needs itself.
        return;
    };
    let _ = index.shown();
    let Ok((files, _)) = index.files() else { return };
    for file in files {
        if file.name == "modules.dep" {
            assert!(Dependencies::parse(&file.bytes).is_ok_and(|found| found.of("a").is_some()));
        } else if file.name.ends_with(".bin") {
            let index = BinaryIndex::parse(&file.bytes).expect("what was written has a head");
            // Aliases may be longer than any key that is followed.
            let _ = index.walk(|key, values| {
                assert_eq!(index.lookup(key).as_deref(), Ok(values));
            });
        }
    }
}

/// The end of a signed module: what is signed and what signs it lie inside of the file.
pub fn signature(data: &[u8]) {
    for bytes in [data.to_vec(), [data, kmod::MAGIC].concat()] {
        if let Ok(Some(found)) = Signature::of(&bytes) {
            assert_eq!(found.signed.start, 0);
            assert!(found.signed.end <= found.block.start);
            assert!(bytes.get(found.block.clone()).is_some());
            found.shown_by_modinfo();
        }
    }
}

/// `modules.dep` and a binary index: what a walk shows, a look-up finds.
pub fn modules_dep(data: &[u8]) {
    if let Ok(found) = Dependencies::parse(data) {
        for module in found.modules() {
            assert!(found.of(&module.name()).is_some());
        }
    }
    let Ok(index) = BinaryIndex::parse(data) else {
        return;
    };
    let mut keys = Vec::new();
    let walked = index.walk(|key, values| keys.push((key.to_vec(), values.to_vec())));
    if walked.is_ok() {
        for (key, values) in keys.iter().take(1000) {
            assert_eq!(index.lookup(key).as_ref(), Ok(values));
            let _ = index.dependencies(&String::from_utf8_lossy(key));
        }
    }
}
