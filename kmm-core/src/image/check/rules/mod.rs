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

use super::context::Context;
use super::context::Found;
use super::finding::Findings;
use super::finding::Rule;
use super::finding::count;

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

/// A finding for each module that is refused in this way: the first reason, and how many more there are.
fn first_refusals(
    rule: &Rule,
    context: &Context<'_>,
    is: impl Fn(&Refusal) -> bool,
    more: &str,
    findings: &mut Findings,
) {
    for module in &context.modules {
        let mut found = refusals(module).filter(|refusal| is(refusal));
        let Some(first) = found.next() else {
            continue;
        };
        let message = match found.count() {
            0 => first.to_string(),
            others => format!("{first}; and {}", count(others, more)),
        };
        findings.push(rule.finding(&module.path, message).if_needed(module.needed));
    }
}
