//! In-tree modules: which of those that a Module wants away are there at all.

use std::collections::BTreeSet;

/// A module name as the kernel has it: `-` is `_`.
///
/// # Example: two spellings of one module
///
/// ```
/// use kmm_core::modprobe::fold_name;
///
/// assert_eq!(fold_name("snd-hda-intel"), fold_name("snd_hda_intel"));
/// ```
pub fn fold_name(name: &str) -> String {
    name.replace('-', "_")
}

/// The module that a file holds, by its path and folded as [`fold_name`] does: files that end in `.ko`, `.ko.gz`,
/// `.ko.xz` or `.ko.zst` hold one.
///
/// # Example: a compressed module
///
/// ```
/// use kmm_core::modprobe::module_of_file;
///
/// assert_eq!(module_of_file("kernel/sound/pci/hda/snd-hda-intel.ko.xz").as_deref(), Some("snd_hda_intel"));
/// assert_eq!(module_of_file("modules.dep"), None);
/// ```
pub fn module_of_file(path: &str) -> Option<String> {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = [".gz", ".xz", ".zst"]
        .iter()
        .find_map(|end| file.strip_suffix(end))
        .unwrap_or(file);
    let name = stem.strip_suffix(".ko")?;
    (!name.is_empty()).then(|| fold_name(name))
}

/// The modules that the running kernel of a host has.
///
/// # Example: a module that is built in cannot be removed
///
/// ```
/// use kmm_core::modprobe::{HostModules, Presence};
///
/// let host = HostModules::from_files(["kernel/drivers/net/ethernet/intel/ice/ice.ko.xz"])
///     .with_built_in(["kernel/fs/ext4/ext4.ko"]);
/// assert_eq!(host.presence("ice"), Presence::Loadable);
/// assert_eq!(host.presence("ext4"), Presence::BuiltIn);
/// assert_eq!(host.presence("i40e"), Presence::Absent);
/// assert_eq!(host.removable(&["ext4", "i40e", "ice"]), ["ice"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostModules {
    loadable: BTreeSet<String>,
    built_in: BTreeSet<String>,
}

/// Whether and how a kernel has a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// As a file: it may be loaded, and can be removed.
    Loadable,
    /// As a part of the kernel: it can never be removed.
    BuiltIn,
    /// Not at all.
    Absent,
}

impl HostModules {
    /// Takes the files below `/lib/modules/<kernel>` of the running kernel, as paths or names; those that are no
    /// modules are left out.
    pub fn from_files<S: AsRef<str>>(files: impl IntoIterator<Item = S>) -> Self {
        Self {
            loadable: modules_of(files),
            built_in: BTreeSet::new(),
        }
    }

    /// These modules and those that are part of the kernel, as the lines of its `modules.builtin`.
    #[must_use]
    pub fn with_built_in<S: AsRef<str>>(mut self, lines: impl IntoIterator<Item = S>) -> Self {
        self.built_in.append(&mut modules_of(lines));
        self
    }

    /// Whether and how the kernel has a module, in any spelling of its name.
    pub fn presence(&self, name: &str) -> Presence {
        let name = fold_name(name);
        if self.loadable.contains(&name) {
            Presence::Loadable
        } else if self.built_in.contains(&name) {
            Presence::BuiltIn
        } else {
            Presence::Absent
        }
    }

    /// Those of `names` that can be removed, in order and as they are spelled.
    pub fn removable<'n, S: AsRef<str>>(&self, names: &'n [S]) -> Vec<&'n str> {
        let names = names.iter().map(AsRef::as_ref);
        names
            .filter(|name| self.presence(name) == Presence::Loadable)
            .collect()
    }
}

fn modules_of<S: AsRef<str>>(paths: impl IntoIterator<Item = S>) -> BTreeSet<String> {
    paths
        .into_iter()
        .filter_map(|path| module_of_file(path.as_ref().trim_end()))
        .collect()
}
