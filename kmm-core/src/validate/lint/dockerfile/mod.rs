//! Lints of Dockerfiles and of the ConfigMaps that hold them.

mod argument_nobody_passes;
mod argument_not_declared;
mod base_image_floating;
mod config_map_absent;
mod config_map_key;
mod config_map_spec;
mod config_map_version;
mod copy_from_context;
mod copy_outside;
mod depmod_missing;
mod depmod_other_base;
mod depmod_without_version;
mod image_without_shell;
mod kernel_of_build_node;
mod not_understood;
mod references;
mod stage_misspelt;
mod variable_as_command;
mod variable_in_exec_form;
mod variable_torn;

use super::Rule;

pub(super) const COUNT: usize = 19;

/// By code.
pub(super) const RULES: [Rule; COUNT] = [
    config_map_absent::RULE,
    config_map_key::RULE,
    config_map_spec::RULE,
    config_map_version::RULE,
    not_understood::RULE,
    argument_not_declared::RULE,
    argument_nobody_passes::RULE,
    variable_torn::RULE,
    variable_as_command::RULE,
    variable_in_exec_form::RULE,
    depmod_without_version::RULE,
    depmod_other_base::RULE,
    depmod_missing::RULE,
    copy_outside::RULE,
    copy_from_context::RULE,
    stage_misspelt::RULE,
    image_without_shell::RULE,
    kernel_of_build_node::RULE,
    base_image_floating::RULE,
];
