//! Whether an object loads into a kernel, decided as the kernel decides it.
//!
//! Surprises:
//! - Where module and kernel have checksums, the release in vermagic does not count: only what follows its first
//!   blank is compared, and then symbol by symbol. `lib/modules/<kernel>` and `uname -r` are not looked at.
//! - A symbol for which one of both sides has no checksum passes.
//! - A licence that is not GPL-compatible makes GPL-only symbols unknown ones, not forbidden ones.
//! - A weak import may be missing, but may not have a wrong checksum.
//! - Signatures are another matter: nothing here looks at them, but for the taint.

mod kernel;
mod verdict;

pub use kernel::Kernel;
pub use kernel::KernelSymbol;
pub use verdict::Doubt;
pub use verdict::Refusal;
pub use verdict::Taint;
pub use verdict::Verdict;

use crate::kmod::Import;
use crate::kmod::KernelObject;
use crate::kmod::Versions;

const GPL_COMPATIBLE: [&str; 6] = [
    "GPL",
    "GPL v2",
    "GPL and additional rights",
    "Dual BSD/GPL",
    "Dual MIT/GPL",
    "Dual MPL/GPL",
];

/// Symbols that the loaders of some architectures make up.
const MADE_UP: [&str; 4] = ["_GLOBAL_OFFSET_TABLE_", ".TOC.", "TOC.", "__this_module"];

/// Whether the kernel takes a module under this licence for free software.
pub fn is_gpl_compatible(licence: &str) -> bool {
    GPL_COMPATIBLE.contains(&licence)
}

/// Tells whether the kernel would load the object, with every reason against it in the order of its checks; the
/// kernel itself stops at the first.
pub fn compare(object: &KernelObject, kernel: &Kernel) -> Verdict {
    let mut verdict = Verdict {
        taints: taints(object),
        ..Verdict::default()
    };
    whole(object, kernel, &mut verdict);
    let checksums = kernel.has_modversions();
    if checksums != Some(false) {
        layout(object, kernel, &mut verdict);
    }
    magic(object, kernel, &mut verdict);
    let licence = object
        .info
        .value("license")
        .map_or_else(|| "unspecified".to_owned(), std::borrow::Cow::into_owned);
    let mut symbols = Symbols {
        object,
        kernel,
        free: is_gpl_compatible(&licence),
        licence,
        uses_gpl_only: false,
    };
    for import in &object.imports {
        symbols.check(import, &mut verdict);
    }
    for export in &object.exports {
        if let Some(owner) = kernel.symbol(&export.name).map(|symbol| symbol.owner.as_str())
            && !is_same_module(owner, &object.name)
        {
            let (name, owner) = (export.name.clone(), owner.to_owned());
            if owner == "vmlinux" {
                verdict.refusals.push(Refusal::DuplicateExport { name });
            } else if !owner.is_empty() {
                verdict.doubts.push(Doubt::SharedExport { name, owner });
            }
        }
    }
    verdict
}

/// Architecture and the size of `struct module`.
fn whole(object: &KernelObject, kernel: &Kernel, verdict: &mut Verdict) {
    if let Some((machine, layout)) = kernel.machine
        && (machine, layout) != (object.machine, object.layout)
    {
        verdict.refusals.push(Refusal::Machine {
            module: format!("{} ({})", object.machine, object.layout),
            kernel: format!("{machine} ({layout})"),
        });
    }
    if let Some(size) = kernel.checked_struct_size()
        && size != object.module_struct_size
    {
        verdict.refusals.push(Refusal::StructSize {
            module: object.module_struct_size,
            kernel: size,
        });
    }
}

/// The checksum of the kernel's structures, before anything else is looked at.
fn layout(object: &KernelObject, kernel: &Kernel, verdict: &mut Verdict) {
    let Some(ours) = kernel.symbol("module_layout").and_then(|symbol| symbol.crc) else {
        return;
    };
    match (object.versions, object.module_layout) {
        (Versions::None, _) => verdict.refusals.push(Refusal::NoChecksums),
        (_, Some(theirs)) if theirs != ours => {
            let name = "module_layout".to_owned();
            verdict.refusals.push(Refusal::Checksum {
                name,
                module: theirs,
                kernel: ours,
            });
        }
        _ => {}
    }
}

fn magic(object: &KernelObject, kernel: &Kernel, verdict: &mut Verdict) {
    let Some(theirs) = object.info.vermagic() else {
        verdict.refusals.push(Refusal::NoVermagic);
        return;
    };
    let Some(ours) = &kernel.vermagic else {
        verdict.doubts.push(Doubt::Vermagic {
            module: theirs.as_str().to_owned(),
        });
        return;
    };
    let has_checksums = object.versions != Versions::None && kernel.has_modversions() != Some(false);
    if !theirs.fits(ours, has_checksums) {
        verdict.refusals.push(Refusal::Vermagic {
            module: theirs.as_str().to_owned(),
            kernel: ours.as_str().to_owned(),
        });
    }
}

/// What the imports of one object are checked against.
struct Symbols<'a> {
    object: &'a KernelObject,
    kernel: &'a Kernel,
    licence: String,
    free: bool,
    uses_gpl_only: bool,
}

impl Symbols<'_> {
    fn check(&mut self, import: &Import, verdict: &mut Verdict) {
        let name = &import.name;
        let bare = name.strip_prefix('.').unwrap_or(name);
        if MADE_UP.contains(&name.as_str()) {
            return;
        }
        let Some(symbol) = self.kernel.symbol(bare) else {
            if import.weak {
            } else if self.kernel.complete {
                verdict
                    .refusals
                    .push(Refusal::UnknownSymbol { name: name.clone() });
            } else {
                verdict.doubts.push(Doubt::Symbol { name: name.clone() });
            }
            return;
        };
        if symbol.gpl_only {
            if !self.free {
                if !import.weak {
                    verdict.refusals.push(Refusal::GplOnly {
                        name: name.clone(),
                        licence: self.licence.clone(),
                    });
                }
                return;
            }
            self.uses_gpl_only = true;
        }
        if symbol.proprietary && self.uses_gpl_only {
            let (name, owner) = (name.clone(), symbol.owner.clone());
            verdict.refusals.push(Refusal::ProprietaryOwner { name, owner });
            return;
        }
        if self.kernel.has_modversions() != Some(false)
            && let (Some(module), Some(kernel)) = (import.crc, symbol.crc)
            && module != kernel
        {
            verdict.refusals.push(Refusal::Checksum {
                name: name.clone(),
                module,
                kernel,
            });
            return;
        }
        if let Some(namespace) = &symbol.namespace
            && !self.imports(namespace)
        {
            let refusal = Refusal::Namespace {
                name: name.clone(),
                namespace: namespace.clone(),
            };
            verdict.refusals.push(refusal);
        }
    }

    /// Whether the module imports a namespace; one that starts with `module:` lists the modules that may.
    fn imports(&self, namespace: &str) -> bool {
        if let Some(list) = namespace.strip_prefix("module:") {
            return list.split(',').any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => self.object.name.starts_with(start),
                None => is_same_module(pattern, &self.object.name),
            });
        }
        self.object
            .info
            .values("import_ns")
            .any(|imported| imported == namespace)
    }
}

fn taints(object: &KernelObject) -> Vec<Taint> {
    let marks = object.info.marks();
    let proprietary = !object
        .info
        .value("license")
        .is_some_and(|licence| is_gpl_compatible(&licence));
    let found = [
        (proprietary, Taint::Proprietary),
        (!marks.intree, Taint::OutOfTree),
        (marks.staging, Taint::Staging),
        (marks.livepatch, Taint::LivePatch),
        (object.signature.is_none(), Taint::Unsigned),
    ];
    found
        .into_iter()
        .filter(|(found, _)| *found)
        .map(|(_, taint)| taint)
        .collect()
}

/// Whether an owner (a path without `.ko`, or a name) is the module of this name.
fn is_same_module(owner: &str, name: &str) -> bool {
    let base = owner.rsplit('/').next().unwrap_or(owner);
    base.len() == name.len()
        && base
            .bytes()
            .zip(name.bytes())
            .all(|(a, b)| a == b || (a == b'-' && b == b'_'))
}
