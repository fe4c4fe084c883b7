//! The rules, one in each file.

mod architecture;
mod checksum;
mod compression;
mod copy_tools;
mod dep_incomplete;
mod dep_missing;
mod dep_stale;
mod firmware_file;
mod firmware_folder;
mod host_link;
mod in_tree_dependency;
mod in_tree_name;
pub(super) mod kernel_folder;
mod leftovers;
mod licence;
mod loading_order;
mod module_missing;
mod namespace;
mod not_told;
mod parameter;
mod refused;
mod signature;
mod size;
mod unknown_symbol;
mod unreadable;
mod unsigned;
mod vermagic;

use crate::kmod::abi::Refusal;

use super::context::Found;
use super::finding::Rule;

/// All, by code.
pub(super) static ALL: [Rule; 27] = [
    kernel_folder::RULE,
    module_missing::RULE,
    loading_order::RULE,
    in_tree_name::RULE,
    parameter::RULE,
    unreadable::RULE,
    architecture::RULE,
    vermagic::RULE,
    checksum::RULE,
    unknown_symbol::RULE,
    licence::RULE,
    namespace::RULE,
    refused::RULE,
    not_told::RULE,
    dep_missing::RULE,
    dep_incomplete::RULE,
    dep_stale::RULE,
    in_tree_dependency::RULE,
    host_link::RULE,
    compression::RULE,
    firmware_folder::RULE,
    firmware_file::RULE,
    unsigned::RULE,
    signature::RULE,
    copy_tools::RULE,
    leftovers::RULE,
    size::RULE,
];

/// Why the kernel refuses a module.
fn refusals<'a>(module: &'a Found<'_>) -> impl Iterator<Item = &'a Refusal> {
    module.verdict.iter().flat_map(|verdict| &verdict.refusals)
}
