//! Which image: the mapping's or the container's.

use crate::path::FieldPath;

use super::origin::Origins;
use super::origin::Source;
use super::template::SourcedTemplate;

/// The mapping's where it names one, else the container's.
pub(super) fn merge(
    container: &str,
    mapping: &str,
    mapping_path: &FieldPath,
    origins: &mut Origins,
) -> SourcedTemplate {
    if !mapping.is_empty() {
        origins.add("containerImage", Source::Mapping);
        return SourcedTemplate::new(mapping_path.field("containerImage"), mapping);
    }
    let unset = container.is_empty();
    origins.add(
        "containerImage",
        if unset { Source::Unset } else { Source::Container },
    );
    SourcedTemplate::new(
        FieldPath::of("spec.moduleLoader.container.containerImage"),
        container,
    )
}
