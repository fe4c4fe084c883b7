//! How to build: the container's `build` and the mapping's.

use crate::api::Build;
use crate::api::BuildArg;

use super::build_args;
use super::origin::Origins;
use super::origin::Source;

/// One level alone is taken as it is. Of two, the container's is the base: the mapping replaces the Dockerfile,
/// overrides arguments and appends secrets, and the rest of it is ignored.
pub(super) fn merge(
    container: Option<&Build>,
    mapping: Option<&Build>,
    origins: &mut Origins,
) -> Option<Build> {
    let (container, mapping) = match (container, mapping) {
        (None, None) => {
            origins.add("build", Source::Unset);
            return None;
        }
        (Some(build), None) => {
            origins.add("build", Source::Container);
            return Some(build.clone());
        }
        (None, Some(build)) => {
            origins.add("build", Source::Mapping);
            return Some(build.clone());
        }
        (Some(container), Some(mapping)) => (container, mapping),
    };

    let mut build = container.clone();
    if mapping.dockerfile_config_map.is_some() {
        build
            .dockerfile_config_map
            .clone_from(&mapping.dockerfile_config_map);
        origins.add("build.dockerfileConfigMap", Source::Mapping);
    } else {
        origins.add("build.dockerfileConfigMap", Source::Container);
    }
    build.build_args = build_args::overridden(&container.build_args, &mapping.build_args);
    for arg in &build.build_args {
        add_arg(arg, container, mapping, origins);
    }
    build.secrets.extend(mapping.secrets.iter().cloned());
    origins.add(
        "build.secrets",
        match (container.secrets.is_empty(), mapping.secrets.is_empty()) {
            (true, true) => Source::Unset,
            (false, true) => Source::Container,
            (true, false) => Source::Mapping,
            (false, false) => Source::Both,
        },
    );
    origins.add_container_only(
        "build.baseImageRegistryTLS",
        &container.base_image_registry_tls,
        &mapping.base_image_registry_tls,
    );
    origins.add_container_only(
        "build.kanikoParams",
        &container.kaniko_params,
        &mapping.kaniko_params,
    );
    origins.add_container_only("build.selector", &container.selector, &mapping.selector);
    Some(build)
}

fn add_arg(arg: &BuildArg, container: &Build, mapping: &Build, origins: &mut Origins) {
    let field = format!("build.buildArgs[{}]", arg.name);
    let has = |build: &Build| build.build_args.iter().any(|other| other.name == arg.name);
    match (has(container), has(mapping)) {
        (true, true) => origins.add_noted(field, Source::Mapping, "replaces the container's value"),
        (false, true) => origins.add_noted(field, Source::Mapping, "added after the container's"),
        (true, false) | (false, false) => origins.add(field, Source::Container),
    }
}
