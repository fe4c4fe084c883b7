//! Our own conformance vectors: one file for each rule.

use kmm_core::api::Module;
use kmm_core::kernel::KernelVersion;
use kmm_core::module::Compiled;
use kmm_core::resolve::Record;
use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vector {
    about: String,
    /// Fields of `spec` next to `moduleLoader`.
    #[serde(default)]
    spec: Map<String, Value>,
    /// Fields of `spec.moduleLoader` next to `container`.
    #[serde(default)]
    loader: Map<String, Value>,
    /// Fields of the container.
    #[serde(default)]
    container: Map<String, Value>,
    /// The one mapping, to which `literal` is added; or all of them.
    mapping: Option<Map<String, Value>>,
    mappings: Option<Vec<Value>>,
    kernel: Option<String>,
    /// Fields that the result has to have, as they are; `null` also where the field is absent.
    #[serde(default)]
    expect: Map<String, Value>,
    error: Option<String>,
    message: Option<String>,
    /// Origins that have to be named: field to source.
    #[serde(default)]
    origins: Map<String, Value>,
    /// Exactly the fields whose mapping value is ignored.
    #[serde(default)]
    ignored: Vec<String>,
}

fn check(file: &str, text: &str) {
    let vectors: Vec<Vector> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert!(!vectors.is_empty());
    for vector in vectors {
        let about = format!("{file}: {}", vector.about);
        let kernel = KernelVersion::new(vector.kernel.as_deref().unwrap_or("6.1.0-rt"));
        let mut container = vector.container;
        container.insert(
            "kernelMappings".to_owned(),
            match (vector.mapping, vector.mappings) {
                (Some(mut mapping), None) => {
                    mapping.insert("literal".to_owned(), json!(kernel.matched()));
                    json!([mapping])
                }
                (None, Some(mappings)) => json!(mappings),
                _ => panic!("{about}: one of mapping and mappings"),
            },
        );
        let mut loader = vector.loader;
        loader.insert("container".to_owned(), json!(container));
        let mut spec = vector.spec;
        spec.insert("moduleLoader".to_owned(), json!(loader));
        let module = json!({"metadata": {"name": "drv", "namespace": "ns"}, "spec": spec});
        let compiled = Compiled::new(&serde_json::from_value::<Module>(module).unwrap());

        let found = serde_json::to_value(Record::new(&compiled, &kernel)).unwrap();
        for (field, expected) in &vector.expect {
            assert_eq!(&found[field], expected, "{about}: {field}");
        }
        assert_eq!(
            found["error"]["code"].as_str(),
            vector.error.as_deref(),
            "{about}"
        );
        if let Some(message) = &vector.message {
            assert_eq!(
                found["error"]["message"].as_str(),
                Some(message.as_str()),
                "{about}"
            );
        }
        let explanation = compiled.explain(&kernel);
        for (field, source) in &vector.origins {
            let origin = explanation.origins.iter().find(|origin| origin.field == *field);
            let origin = origin.unwrap_or_else(|| panic!("{about}: no origin of {field}"));
            assert_eq!(
                &serde_json::to_value(origin.source).unwrap(),
                source,
                "{about}: {field}"
            );
        }
        let ignored = explanation.origins.iter().filter(|origin| origin.ignored);
        let ignored: Vec<&str> = ignored.map(|origin| origin.field.as_str()).collect();
        assert_eq!(ignored, vector.ignored, "{about}");
    }
}

macro_rules! vectors {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            let file = concat!(stringify!($name), ".json");
            check(file, include_str!(concat!("../data/resolve/", stringify!($name), ".json")));
        }
    )*};
}

vectors! {
    build build_args container_image container_only errors in_tree registry_tls selection sign tolerations
}
