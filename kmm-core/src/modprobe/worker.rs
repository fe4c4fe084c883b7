//! Commands of the worker, which has the folder of the image below its own root.

use crate::api::ModprobeSpec;
use crate::api::ModuleConfig;

use super::Command;
use super::HostModules;
use super::OutsideRoot;
use super::path::join_below;

/// Where the worker has what was copied from the image.
pub const WORKER_ROOT: &str = "/tmp";

pub(super) const MODPROBE: &str = "modprobe";

/// What a worker runs to load a module, in order: the removal of every in-tree module that is named, then the load.
///
/// `root` is where the folder of the image lies, as a rule [`WORKER_ROOT`]. A command must succeed before the next one
/// runs. Where the modules of the host are known, [`load_on`] removes only those that are there, as a worker does.
///
/// # Errors
///
/// When `dirName` leads out of `root` (and is used: with `rawArgs` it is not).
///
/// # Example: load with a parameter
///
/// ```
/// use kmm_core::api::{ModprobeSpec, ModuleConfig};
/// use kmm_core::modprobe::{WORKER_ROOT, load};
///
/// let config = ModuleConfig {
///     in_tree_modules_to_remove: Some(vec!["ice".to_owned()]),
///     modprobe: ModprobeSpec {
///         module_name: "ice_oot".to_owned(),
///         dir_name: "/opt".to_owned(),
///         parameters: vec!["debug=1".to_owned()],
///         ..Default::default()
///     },
///     ..Default::default()
/// };
/// let lines: Vec<_> = load(&config, WORKER_ROOT)?.iter().map(|command| command.to_shell()).collect();
/// assert_eq!(lines, ["modprobe -rv ice", "modprobe -vd /tmp/opt ice_oot debug=1"]);
/// # Ok::<(), kmm_core::modprobe::OutsideRoot>(())
/// ```
pub fn load(config: &ModuleConfig, root: &str) -> Result<Vec<Command>, OutsideRoot> {
    let load = load_module(&config.modprobe, root)?;
    let removal = remove_in_tree(in_tree_modules(config));
    Ok(removal.into_iter().chain([load]).collect())
}

/// What a worker runs to load a module on a host with these modules; otherwise as [`load`].
///
/// # Errors
///
/// As [`load`].
///
/// # Example: of two in-tree modules the host has one
///
/// ```
/// use kmm_core::api::{ModprobeArgs, ModprobeSpec, ModuleConfig};
/// use kmm_core::modprobe::{HostModules, WORKER_ROOT, load_on};
///
/// let raw = ModprobeArgs { load: vec!["driver".to_owned()], unload: vec!["-r".to_owned(), "driver".to_owned()] };
/// let config = ModuleConfig {
///     in_tree_modules_to_remove: Some(vec!["snd-hda-intel".to_owned(), "ice".to_owned()]),
///     modprobe: ModprobeSpec { raw_args: Some(raw), ..Default::default() },
///     ..Default::default()
/// };
/// let host = HostModules::from_files(["kernel/sound/snd_hda_intel.ko.xz"]);
/// let commands = load_on(&config, WORKER_ROOT, &host)?;
/// assert_eq!(commands[0].to_shell(), "modprobe -rv snd-hda-intel");
/// assert_eq!(commands[1].to_shell(), "modprobe driver");
/// # Ok::<(), kmm_core::modprobe::OutsideRoot>(())
/// ```
pub fn load_on(config: &ModuleConfig, root: &str, host: &HostModules) -> Result<Vec<Command>, OutsideRoot> {
    let load = load_module(&config.modprobe, root)?;
    let removal = remove_in_tree(&host.removable(in_tree_modules(config)));
    Ok(removal.into_iter().chain([load]).collect())
}

/// What a worker runs to unload a module, and with a loading order all modules of it. In-tree modules stay away.
///
/// # Errors
///
/// As [`load`].
///
/// # Example: unload in order
///
/// ```
/// use kmm_core::api::{ModprobeSpec, ModuleConfig};
/// use kmm_core::modprobe::{WORKER_ROOT, unload};
///
/// let config = ModuleConfig {
///     modprobe: ModprobeSpec {
///         module_name: "a".to_owned(),
///         dir_name: "/opt".to_owned(),
///         modules_loading_order: Some(vec!["a".to_owned(), "b".to_owned()]),
///         ..Default::default()
///     },
///     ..Default::default()
/// };
/// assert_eq!(unload(&config, WORKER_ROOT)?.to_shell(), "modprobe -rvd /tmp/opt a b");
/// # Ok::<(), kmm_core::modprobe::OutsideRoot>(())
/// ```
pub fn unload(config: &ModuleConfig, root: &str) -> Result<Command, OutsideRoot> {
    let spec = &config.modprobe;
    if let Some(raw) = &spec.raw_args {
        return Ok(Command::new(MODPROBE, &raw.unload));
    }
    let directory = join_below(root, &spec.dir_name, "dirName")?;
    let mut command = Command::new(MODPROBE, ["-rvd", &directory]);
    command
        .args
        .extend(spec.args.iter().flat_map(|args| &args.unload).cloned());
    command.args.extend_from_slice(modules_to_unload(spec));
    Ok(command)
}

/// The in-tree modules that a configuration names: the list, or where there is none the one of the deprecated field.
///
/// # Example: an empty list is a list
///
/// ```
/// use kmm_core::api::ModuleConfig;
/// use kmm_core::modprobe::in_tree_modules;
///
/// let mut config = ModuleConfig { in_tree_module_to_remove: "ice".to_owned(), ..Default::default() };
/// assert_eq!(in_tree_modules(&config), ["ice"]);
/// config.in_tree_modules_to_remove = Some(Vec::new());
/// assert!(in_tree_modules(&config).is_empty());
/// ```
pub fn in_tree_modules(config: &ModuleConfig) -> &[String] {
    match &config.in_tree_modules_to_remove {
        Some(list) => list,
        None if config.in_tree_module_to_remove.is_empty() => &[],
        None => std::slice::from_ref(&config.in_tree_module_to_remove),
    }
}

/// The removal of in-tree modules, from the folder of the host's own kernel; `None` where there is none to remove.
///
/// # Example: two modules in one command
///
/// ```
/// use kmm_core::modprobe::remove_in_tree;
///
/// let command = remove_in_tree(&["irdma", "ice"]).unwrap();
/// assert_eq!(command.to_shell(), "modprobe -rv irdma ice");
/// assert_eq!(remove_in_tree::<&str>(&[]), None);
/// ```
pub fn remove_in_tree<S: AsRef<str>>(modules: &[S]) -> Option<Command> {
    let modules = modules.iter().map(AsRef::as_ref);
    (modules.len() > 0).then(|| Command::new(MODPROBE, std::iter::once("-rv").chain(modules)))
}

fn load_module(spec: &ModprobeSpec, root: &str) -> Result<Command, OutsideRoot> {
    if let Some(raw) = &spec.raw_args {
        return Ok(Command::new(MODPROBE, &raw.load));
    }
    let directory = join_below(root, &spec.dir_name, "dirName")?;
    let mut command = Command::new(MODPROBE, ["-vd", &directory]);
    command
        .args
        .extend(spec.args.iter().flat_map(|args| &args.load).cloned());
    command.args.push(spec.module_name.clone());
    command.args.extend_from_slice(&spec.parameters);
    Ok(command)
}

pub(super) fn modules_to_unload(spec: &ModprobeSpec) -> &[String] {
    match &spec.modules_loading_order {
        Some(order) if !order.is_empty() => order,
        Some(_) | None => std::slice::from_ref(&spec.module_name),
    }
}
