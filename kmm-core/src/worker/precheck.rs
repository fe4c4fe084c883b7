//! Whether the running kernel would take a module, before anything is changed on the node.
//!
//! Only what is certain is a refusal: where something of the kernel is not known, the check says nothing. So a module
//! that passes may still be refused, and one that is refused here never loads.

use crate::kmod::KernelObject;
use crate::kmod::Layout;
use crate::kmod::Machine;
use crate::kmod::Preemption;
use crate::kmod::Versions;
use crate::kmod::abi;
use crate::kmod::abi::Refusal;

use super::Reason;

/// What is known of the running kernel.
#[derive(Clone, Debug, Default)]
pub struct RunningKernel {
    /// `uname -r`.
    pub release: String,
    /// `uname -v`: it tells the preemption model.
    pub version: String,
    /// `uname -m`.
    pub machine: String,
    /// What the modules that came with it show; empty where there are none.
    pub known: abi::Kernel,
    /// `/sys/module/module/parameters/sig_enforce`.
    pub sig_enforce: Option<bool>,
    /// The level of lockdown, where it can be read.
    pub lockdown: Option<String>,
}

/// A reason for which the kernel refuses a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub reason: Reason,
    /// What shows it.
    pub proof: String,
}

/// Every certain reason against a module, the first that the kernel would find first.
///
/// `forced` leaves out what `modprobe --force` turns off: vermagic and checksums.
pub fn check(object: &KernelObject, kernel: &RunningKernel, forced: bool) -> Vec<Refused> {
    let mut out = Vec::new();
    signature(object, kernel, &mut out);
    machine(object, kernel, &mut out);
    let verdict = abi::compare(object, &kernel.known);
    for refusal in &verdict.refusals {
        let reason = match refusal {
            Refusal::Machine { .. } => Reason::WrongArchitecture,
            Refusal::StructSize { .. } => Reason::WrongKernel,
            Refusal::NoChecksums | Refusal::NoVermagic | Refusal::Vermagic { .. } => {
                if forced {
                    continue;
                }
                Reason::WrongKernel
            }
            Refusal::Checksum { .. } if forced => continue,
            Refusal::Checksum { name, .. } if name == "module_layout" => Reason::WrongKernel,
            Refusal::Checksum { .. } => Reason::SymbolVersion,
            Refusal::UnknownSymbol { .. } => Reason::UnknownSymbol,
            Refusal::GplOnly { .. } | Refusal::ProprietaryOwner { .. } => Reason::GplOnlySymbol,
            // Some kernels are built to let both pass with a warning, and nothing shows which.
            Refusal::Namespace { .. } | Refusal::DuplicateExport { .. } => continue,
        };
        out.push(Refused {
            reason,
            proof: refusal.to_string(),
        });
    }
    if kernel.known.vermagic.is_none() && !forced {
        by_name(object, kernel, &mut out);
    }
    out
}

fn signature(object: &KernelObject, kernel: &RunningKernel, out: &mut Vec<Refused>) {
    if object.signature.is_some() {
        return;
    }
    let locked = kernel.lockdown.as_deref().filter(|level| *level != "none");
    if let Some(level) = locked {
        let proof = format!("the module has no signature, and /sys/kernel/security/lockdown is `{level}`");
        out.push(Refused {
            reason: Reason::Lockdown,
            proof,
        });
    } else if kernel.sig_enforce == Some(true) {
        let proof =
            "the module has no signature, and /sys/module/module/parameters/sig_enforce is `Y`".to_owned();
        out.push(Refused {
            reason: Reason::SignatureMissing,
            proof,
        });
    }
}

fn machine(object: &KernelObject, kernel: &RunningKernel, out: &mut Vec<Refused>) {
    let Some((machine, layout)) = machine_of(&kernel.machine) else {
        return;
    };
    if kernel.known.machine.is_none() && (machine, layout) != (object.machine, object.layout) {
        let proof = format!(
            "built for {} ({}), the kernel is for {machine} ({layout})",
            object.machine, object.layout
        );
        out.push(Refused {
            reason: Reason::WrongArchitecture,
            proof,
        });
    }
}

/// Without a module that came with the kernel, `uname` alone tells what its vermagic must be like.
fn by_name(object: &KernelObject, kernel: &RunningKernel, out: &mut Vec<Refused>) {
    let Some(magic) = object.info.vermagic() else {
        return;
    };
    let real_time = |real| if real { "a real-time" } else { "no real-time" };
    let kernel_is = kernel.version.contains("PREEMPT_RT");
    let module_is = magic.preemption == Preemption::RealTime;
    if !kernel.version.is_empty() && kernel_is != module_is {
        let proof = format!(
            "version magic `{}` is that of {} kernel, and `{}` is {} kernel",
            magic.as_str(),
            real_time(module_is),
            kernel.release,
            real_time(kernel_is)
        );
        out.push(Refused {
            reason: Reason::WrongKernel,
            proof,
        });
    } else if object.versions == Versions::None && magic.release() != kernel.release {
        let proof = format!(
            "version magic `{}`, the kernel is `{}`",
            magic.as_str(),
            kernel.release
        );
        out.push(Refused {
            reason: Reason::WrongKernel,
            proof,
        });
    }
}

/// What `uname -m` stands for.
fn machine_of(name: &str) -> Option<(Machine, Layout)> {
    let (number, wide, big_endian) = match name {
        "x86_64" => (62, true, false),
        "aarch64" => (183, true, false),
        "ppc64le" => (21, true, false),
        "ppc64" => (21, true, true),
        "s390x" => (22, true, true),
        "riscv64" => (243, true, false),
        "loongarch64" => (258, true, false),
        "i686" | "i586" | "i386" => (3, false, false),
        "armv7l" | "armv6l" => (40, false, false),
        _ => return None,
    };
    Some((Machine(number), Layout { wide, big_endian }))
}
