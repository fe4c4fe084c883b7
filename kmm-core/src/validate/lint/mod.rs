//! Lints: what admission lets pass, and is most likely not meant.
//!
//! Nothing here refuses an object. An error cannot do what it says, a warning most likely does not, a note is worth
//! knowing. A lint that cannot be sure says so by its severity.

mod build_argument_name;
mod build_argument_replaced;
mod deprecated_in_tree_module;
mod deprecated_preflight_version;
mod dir_name;
mod dockerfile;
mod fields;
mod files_to_sign_braces;
mod files_to_sign_compressed;
mod files_to_sign_one_kernel;
mod files_to_sign_twice;
mod firmware_path;
mod image_latest;
mod image_not_a_reference;
mod image_pull_policy_unknown;
mod image_same_for_every_kernel;
mod image_without_tag;
mod in_tree_module_not_a_name;
mod kaniko_tag;
mod kernels_share_build_name;
mod labels;
mod literal_never_matches;
mod loading_order_not_a_name;
mod loading_order_repeats;
mod mapping_shadowed;
mod mapping_value_ignored;
mod modprobe_argument_not_split;
mod modprobe_field_ignored;
mod module_name_not_a_name;
mod name_collides;
mod names;
mod object_twice;
mod parameter_malformed;
mod parameter_twice;
mod paths;
mod raw_args_folder;
mod raw_args_unload_loads;
mod reference;
mod reference_without_name;
mod regexp_never_matches;
mod regexp_not_anchored;
mod regexp_too_large;
mod regexp_unescaped_dot;
mod regexps;
mod registry_insecure;
mod secret_used_twice;
mod selector_not_a_label;
mod selector_value_not_a_string;
mod sign_path_of_odd_kernel;
mod sign_source_is_target;
mod sign_without_source;
mod spelling;
mod template_broken;
mod template_not_expanded_here;
mod template_not_simple;
mod template_unknown_variable;
mod template_variable_empty_here;
mod text_not_a_string;
mod unsigned_image_ignored;
mod version_not_a_label;

use crate::path::FieldPath;

use super::Kind;
use super::Rule;
use super::Subject;

/// Lints of Modules, by code.
pub(super) static MODULE: [Rule; 52] = [
    literal_never_matches::RULE,
    regexp_never_matches::RULE,
    mapping_shadowed::RULE,
    regexp_unescaped_dot::RULE,
    regexp_not_anchored::RULE,
    image_same_for_every_kernel::RULE,
    kernels_share_build_name::RULE,
    regexp_too_large::RULE,
    image_without_tag::RULE,
    image_latest::RULE,
    image_not_a_reference::RULE,
    image_pull_policy_unknown::RULE,
    registry_insecure::RULE,
    template_broken::RULE,
    template_unknown_variable::RULE,
    template_variable_empty_here::RULE,
    template_not_simple::RULE,
    template_not_expanded_here::RULE,
    files_to_sign_one_kernel::RULE,
    files_to_sign_compressed::RULE,
    files_to_sign_braces::RULE,
    files_to_sign_twice::RULE,
    sign_without_source::RULE,
    sign_source_is_target::RULE,
    unsigned_image_ignored::RULE,
    sign_path_of_odd_kernel::RULE,
    module_name_not_a_name::RULE,
    parameter_malformed::RULE,
    parameter_twice::RULE,
    loading_order_not_a_name::RULE,
    loading_order_repeats::RULE,
    in_tree_module_not_a_name::RULE,
    modprobe_field_ignored::RULE,
    modprobe_argument_not_split::RULE,
    raw_args_folder::RULE,
    raw_args_unload_loads::RULE,
    dir_name::RULE,
    firmware_path::RULE,
    version_not_a_label::RULE,
    mapping_value_ignored::RULE,
    kaniko_tag::RULE,
    secret_used_twice::RULE,
    reference_without_name::RULE,
    build_argument_replaced::RULE,
    build_argument_name::RULE,
    selector_value_not_a_string::RULE,
    selector_not_a_label::RULE,
    text_not_a_string::RULE,
    deprecated_in_tree_module::RULE,
    deprecated_preflight_version::RULE,
    object_twice::RULE,
    name_collides::RULE,
];

/// Lints of Dockerfiles and of the ConfigMaps that hold them, by code.
pub(super) static DOCKERFILE: [Rule; dockerfile::COUNT] = dockerfile::RULES;

/// Where maps of labels stand, whether they can be read as such or not.
fn selectors(subject: &Subject<'_>) -> Vec<FieldPath> {
    let mut paths = Vec::new();
    match subject.kind {
        Kind::Module => {}
        Kind::ManagedClusterModule => paths.push(FieldPath::of("spec.selector")),
        Kind::PreflightValidation | Kind::ConfigMap => return paths,
    }
    paths.push(subject.spec("selector"));
    paths.push(subject.container("build.selector"));
    let mappings = subject.node.at(&subject.container("kernelMappings"));
    for index in 0..mappings.and_then(|node| node.as_sequence()).map_or(0, <[_]>::len) {
        paths.push(subject.mapping(index).field("build").field("selector"));
    }
    paths
}
