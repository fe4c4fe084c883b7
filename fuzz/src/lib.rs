//! Fuzz targets: each takes any bytes, and panics when a promise is broken.

mod images;

pub use images::image_manifest;
pub use images::tar_stream;

use kmm_core::build::Dockerfile;
use kmm_core::document;
use kmm_core::document::Limits;
use kmm_core::kernel::KernelVersion;
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
