//! Which in-tree modules to unload first.

use crate::api::KernelMapping;
use crate::api::ModuleLoaderContainerSpec;

use super::origin::Origins;
use super::origin::Source;

const FIELD: &str = "inTreeModulesToRemove";

/// The in-tree modules that a container removes first, whatever its mappings say.
pub fn in_tree_to_remove(container: &ModuleLoaderContainerSpec) -> Vec<String> {
    merge(container, &KernelMapping::default(), &mut Origins::default()).unwrap_or_default()
}

/// The mapping's list where it has one (an empty one counts), else the container's. Then the deprecated name, of the
/// mapping or else of the container, takes the place of the whole list.
pub(super) fn merge(
    container: &ModuleLoaderContainerSpec,
    mapping: &KernelMapping,
    origins: &mut Origins,
) -> Option<Vec<String>> {
    let deprecated = if mapping.in_tree_module_to_remove.is_empty() {
        (&container.in_tree_module_to_remove, Source::Container)
    } else {
        (&mapping.in_tree_module_to_remove, Source::Mapping)
    };
    if let (name, source) = deprecated
        && !name.is_empty()
    {
        let note = "the deprecated `inTreeModuleToRemove` takes the place of any list";
        origins.add_noted(FIELD, source, note);
        return Some(vec![name.clone()]);
    }
    if mapping.in_tree_modules_to_remove.is_some() {
        if container.in_tree_modules_to_remove.is_some() {
            origins.add_noted(FIELD, Source::Mapping, "replaces the container's list");
        } else {
            origins.add(FIELD, Source::Mapping);
        }
        return mapping.in_tree_modules_to_remove.clone();
    }
    let unset = container.in_tree_modules_to_remove.is_none();
    origins.add(FIELD, if unset { Source::Unset } else { Source::Container });
    container.in_tree_modules_to_remove.clone()
}
