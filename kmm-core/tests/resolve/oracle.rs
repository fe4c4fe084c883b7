//! A second, naive resolver: over JSON, one kernel at a time, nothing prepared.

use kmm_core::kernel::KernelVersion;
use kmm_core::pattern::Pattern;
use kmm_core::template::Template;
use kmm_core::template::Variables;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The place of the first mapping that takes the kernel, or the code of the error.
pub(crate) fn winner(mappings: &[Value], raw: &str) -> Result<usize, &'static str> {
    let kernel = raw.strip_suffix('+').unwrap_or(raw);
    for (index, mapping) in mappings.iter().enumerate() {
        if !text(mapping, "literal").is_empty() && text(mapping, "literal") == kernel {
            return Ok(index);
        }
        if text(mapping, "regexp").is_empty() {
            continue;
        }
        match Pattern::parse(text(mapping, "regexp")) {
            Err(_) => return Err("regexp"),
            Ok(pattern) if pattern.is_match(kernel) => return Ok(index),
            Ok(_) => {}
        }
    }
    Err("noMapping")
}

/// The merged fields, or the code of the error.
pub(crate) fn resolve(container: &Value, raw: &str) -> Result<Value, &'static str> {
    let mappings = list(container, "kernelMappings");
    let index = winner(&mappings, raw)?;
    let mapping = &mappings[index];
    let variables = Variables::kernel(&KernelVersion::new(raw));

    let sign = match (&container["sign"], &mapping["sign"]) {
        (Value::Null, Value::Null) => Value::Null,
        (container, mapping) => {
            let variables = variables.as_ref().map_err(|_| "kernel")?;
            let mut sign = both(container, mapping, &["unsignedImage", "keySecret", "certSecret"]);
            let expand = |template: &str| {
                Template::parse(template)
                    .expand(variables)
                    .map_err(|_| "template")
            };
            sign.insert(
                "unsignedImage".into(),
                json!(expand(text(&json!(sign), "unsignedImage"))?),
            );
            let mut files = Vec::new();
            for level in [container, mapping] {
                for file in list(level, "filesToSign") {
                    files.push(expand(file.as_str().unwrap())?);
                }
            }
            sign.insert("filesToSign".into(), json!(files));
            json!(sign)
        }
    };

    let build = match (&container["build"], &mapping["build"]) {
        (Value::Null, Value::Null) => Value::Null,
        (Value::Null, build) | (build, Value::Null) => build.clone(),
        (container, mapping) => {
            let mut build = both(container, mapping, &["dockerfileConfigMap"]);
            let secrets = [list(container, "secrets"), list(mapping, "secrets")].concat();
            build.insert("secrets".into(), json!(secrets));
            let mut args = list(container, "buildArgs");
            let overrides = list(mapping, "buildArgs");
            for arg in &mut args {
                if let Some(over) = overrides.iter().rev().find(|over| over["name"] == arg["name"]) {
                    *arg = over.clone();
                }
            }
            let mut names: Vec<&str> = overrides.iter().map(|over| text(over, "name")).collect();
            names.sort_unstable();
            for name in names {
                if args.iter().all(|arg| arg["name"] != name) {
                    args.push(
                        overrides
                            .iter()
                            .rev()
                            .find(|over| over["name"] == name)
                            .unwrap()
                            .clone(),
                    );
                }
            }
            build.insert("buildArgs".into(), json!(args));
            json!(build)
        }
    };

    let mut in_tree = match (
        &container["inTreeModulesToRemove"],
        &mapping["inTreeModulesToRemove"],
    ) {
        (container, Value::Null) => container.clone(),
        (_, mapping) => mapping.clone(),
    };
    for level in [container, mapping] {
        if !text(level, "inTreeModuleToRemove").is_empty() {
            in_tree = json!([level["inTreeModuleToRemove"]]);
        }
    }

    let image = match text(mapping, "containerImage") {
        "" => text(container, "containerImage"),
        image => image,
    };
    let variables = variables.map_err(|_| "kernel")?.with_module("drv", "ns");
    let image = Template::parse(image)
        .expand(&variables)
        .map_err(|_| "template")?;
    let tls = match &mapping["registryTLS"] {
        Value::Null => &container["registryTLS"],
        tls => tls,
    };
    Ok(json!({
        "mapping": {"index": index}, "containerImage": image, "build": build, "sign": sign, "registryTLS": tls,
        "inTreeModulesToRemove": in_tree,
    }))
}

/// The container's fields, with those named taken from the mapping where it has them.
fn both(container: &Value, mapping: &Value, names: &[&str]) -> Map<String, Value> {
    let (Value::Object(base), over) = (if container.is_null() { mapping } else { container }, mapping) else {
        panic!("no object");
    };
    let mut merged = base.clone();
    for name in names {
        if !over[name].is_null() && over[name] != "" {
            merged.insert((*name).to_owned(), over[name].clone());
        }
    }
    merged
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

fn list(object: &Value, field: &str) -> Vec<Value> {
    object[field].as_array().cloned().unwrap_or_default()
}
