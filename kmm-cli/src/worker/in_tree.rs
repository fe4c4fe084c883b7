//! Removing modules that came with the kernel, so that those of the image can take their places.

use kmm_core::api::ModuleConfig;
use kmm_core::modprobe::fold_name;
use kmm_core::modprobe::in_tree_modules;
use kmm_core::modprobe::remove_in_tree;
use kmm_core::worker::Reason;
use kmm_core::worker::loaded::Identity;
use kmm_core::worker::loaded::State;

use crate::failure::Failure;
use crate::image::Image;
use crate::process;
use crate::run::Run;

/// The modules that have to go: those of the list that are loaded and are not the image's own.
pub fn to_remove(run: &mut Run, config: &ModuleConfig, image: &Image) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in in_tree_modules(config) {
        let name = fold_name(name);
        if name.is_empty() || names.contains(&name) {
            continue;
        }
        let observed = run.node.observe(&name);
        let own = image
            .module(&name)
            .map(|module| module.expected.identity(&observed));
        match (observed.state(), own) {
            (State::Absent, _) => {}
            (State::BuiltIn, _) => {
                let proof = format!("`{name}` cannot be removed: it is a part of the kernel");
                run.warn(Reason::BuiltIn, &proof);
            }
            (_, Some(Identity::Same(proof))) => {
                run.info(
                    "not removed: it is the image's own",
                    &[("module", &name), ("proof", &proof)],
                );
            }
            (State::Coming | State::Live | State::Going, _) => names.push(name),
        }
    }
    names
}

/// Removes them.
pub fn remove(run: &mut Run, names: &[String]) -> Result<(), Failure> {
    let Some(mut command) = remove_in_tree(names) else {
        run.info("nothing to remove", &[]);
        return Ok(());
    };
    if !run.node.is_real() {
        command
            .args
            .splice(0..0, ["-d".to_owned(), run.node.path_text("/")]);
    }
    let outcome = process::modprobe(run, &command)?;
    let there: Vec<String> = names
        .iter()
        .filter(|name| run.node.observe(name).state() != State::Absent)
        .map(|name| match run.node.observe(name).in_use() {
            Some(used) => format!("`{name}` is {used}"),
            None => format!("`{name}` is still loaded"),
        })
        .collect();
    if there.is_empty() {
        run.info("removed", &[("modules", &names.join(","))]);
        return Ok(());
    }
    let mut proof = there.join(", ");
    if let Some(line) = outcome.lines.back() {
        proof = format!("{proof}; modprobe says: {line}");
    }
    Err(Failure::new(Reason::InTreeRemoval, proof))
}
