//! The messages that are known: those of the kernel's module loader and firmware loader (versions 4.18 to 6.12 and
//! where they differ, each form), of kmod, and of busybox.

use serde::Serialize;

use crate::worker::Reason;

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Speaker {
    /// The kernel, in its log.
    Kernel,
    /// modprobe, insmod, rmmod, depmod: of kmod or of busybox.
    Kmod,
}

/// A message that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Literal text with `{holes}`; a `…` at the end stands for anything.
    pub pattern: &'static str,
    /// What it means.
    pub reason: Reason,
    /// Who says it.
    pub speaker: Speaker,
    /// Whether it says more than the number of an error.
    pub strong: bool,
}

const fn kernel(pattern: &'static str, reason: Reason) -> Message {
    Message {
        pattern,
        reason,
        speaker: Speaker::Kernel,
        strong: true,
    }
}

const fn kmod(pattern: &'static str, reason: Reason) -> Message {
    Message {
        pattern,
        reason,
        speaker: Speaker::Kmod,
        strong: true,
    }
}

/// Every message with a meaning of its own; the first that fits counts.
pub const MESSAGES: &[Message] = &[
    // Symbols.
    kernel(
        "{module}: Unknown symbol {symbol} (err {errno})",
        Reason::UnknownSymbol,
    ),
    kernel(
        "{module}: disagrees about version of symbol module_layout",
        Reason::WrongKernel,
    ),
    kernel(
        "{module}: disagrees about version of symbol struct_module",
        Reason::WrongKernel,
    ),
    kernel(
        "{module}: disagrees about version of symbol {symbol}",
        Reason::SymbolVersion,
    ),
    kernel(
        "{module}: no symbol version for module_layout",
        Reason::WrongKernel,
    ),
    kernel("{module}: no symbol version for {symbol}", Reason::SymbolVersion),
    kernel(
        "{module}: version magic '{value}' should be '{expected}'",
        Reason::WrongKernel,
    ),
    kernel(
        "{module}: .gnu.linkonce.this_module section size must match the kernel's built struct module size at run time",
        Reason::WrongKernel,
    ),
    kernel(
        "{module}: module using GPL-only symbols uses symbols {symbol} from proprietary module {owner}.",
        Reason::GplOnlySymbol,
    ),
    kernel(
        "{module}: module uses symbol ({symbol}) from namespace {namespace}, but does not import it.",
        Reason::SymbolNamespace,
    ),
    kernel(
        "{module}: exports duplicate symbol {symbol} (owned by {other})",
        Reason::DuplicateSymbol,
    ),
    // Signatures and lockdown.
    kernel("Loading of unsigned module is rejected", Reason::SignatureMissing),
    kernel(
        "{module}: loading of unsigned module is rejected",
        Reason::SignatureMissing,
    ),
    kernel(
        "Loading of module with unavailable key is rejected",
        Reason::SignatureKeyUnknown,
    ),
    kernel(
        "{module}: loading of module with unavailable key is rejected",
        Reason::SignatureKeyUnknown,
    ),
    kernel(
        "Loading of module with unsupported crypto is rejected",
        Reason::SignatureKeyUnknown,
    ),
    kernel(
        "{module}: loading of module with unsupported crypto is rejected",
        Reason::SignatureKeyUnknown,
    ),
    kernel(
        "PKCS#7 signature not signed with a trusted key",
        Reason::SignatureKeyUnknown,
    ),
    kernel(
        "Problem loading in-kernel X.509 certificate (-{errno})",
        Reason::SignatureKeyUnknown,
    ),
    kernel(
        "Lockdown: {program}: unsigned module loading is restricted…",
        Reason::Lockdown,
    ),
    kernel(
        "Lockdown: {program}: Loading of unsigned module is restricted…",
        Reason::Lockdown,
    ),
    kernel("Module {module} is blacklisted", Reason::Blacklisted),
    // The file.
    kernel(
        "Invalid architecture in ELF header: {value}",
        Reason::WrongArchitecture,
    ),
    kernel("Invalid ELF header magic: …", Reason::ModuleDamaged),
    kernel("Invalid ELF header len {value}", Reason::ModuleDamaged),
    kernel(
        "Invalid ELF header type: {value} != {expected}",
        Reason::ModuleDamaged,
    ),
    kernel("Invalid ELF section …", Reason::ModuleDamaged),
    kernel("Module has invalid ELF structures", Reason::ModuleDamaged),
    kernel(
        "{module}: module has no symbols (stripped?)",
        Reason::ModuleDamaged,
    ),
    kernel("No module found in object", Reason::ModuleDamaged),
    kernel(
        "{module}: Unknown rela relocation: {value}",
        Reason::ModuleDamaged,
    ),
    kernel(
        "x86/modules: Skipping invalid relocation target, existing value is nonzero for type …",
        Reason::ModuleDamaged,
    ),
    kernel(
        "module: x86/modules: Skipping invalid relocation target, existing value is nonzero for type …",
        Reason::ModuleDamaged,
    ),
    kernel("Module len {value} truncated", Reason::ModuleDamaged),
    // Parameters.
    kernel(
        "{module}: unknown parameter '{parameter}' ignored",
        Reason::ParameterUnknown,
    ),
    kernel(
        "{module}: Unknown parameter `{parameter}'",
        Reason::ParameterUnknown,
    ),
    kernel(
        "{module}: `{given}' invalid for parameter `{parameter}'",
        Reason::ParameterInvalid,
    ),
    kernel(
        "{module}: `{given}' too large for parameter `{parameter}'",
        Reason::ParameterInvalid,
    ),
    kernel(
        "{module}: parameters '{given}' after `--' ignored",
        Reason::ParameterUnknown,
    ),
    // Firmware.
    kernel(
        "{device}: Direct firmware load for {file} failed with error {errno}",
        Reason::FirmwareMissing,
    ),
    kernel(
        "{device}: firmware: failed to load {file} ({errno})",
        Reason::FirmwareMissing,
    ),
    kernel(
        "{device}: loading {file} failed with error {errno}",
        Reason::FirmwareFolder,
    ),
    // Starting and stopping.
    kernel("{module}: module is already loaded", Reason::Busy),
    kernel(
        "sysfs: cannot create duplicate filename '{file}'",
        Reason::DeviceBusy,
    ),
    kernel(
        "Error: Driver '{other}' is already registered, aborting...",
        Reason::DeviceBusy,
    ),
    kernel("{device}: BAR {value}: can't reserve {range}", Reason::DeviceBusy),
    kernel(
        "{module}: Could not allocate {value} bytes percpu data",
        Reason::OutOfMemory,
    ),
    kernel("{program}: vmalloc error: size {value}…", Reason::OutOfMemory),
    kernel(
        "{program}: page allocation failure: order:{value}…",
        Reason::OutOfMemory,
    ),
    kernel("vmap allocation for size {value} failed…", Reason::OutOfMemory),
    kernel("BUG: unable to handle …", Reason::KernelFault),
    kernel("BUG: kernel NULL pointer dereference…", Reason::KernelFault),
    kernel("kernel BUG at {file}!", Reason::KernelFault),
    kernel("general protection fault…", Reason::KernelFault),
    kernel("Oops: {value}…", Reason::KernelFault),
    kernel("Unable to handle kernel …", Reason::KernelFault),
    kernel("CPU: {cpu} PID: {pid} at {file}", Reason::KernelFault),
    kernel(
        "{function}: '{module}'->init suspiciously returned {value}, it should follow 0/-E convention",
        Reason::InitFailed,
    ),
    // Marks.
    kernel(
        "{module}: loading out-of-tree module taints kernel.",
        Reason::Tainted,
    ),
    kernel(
        "{module}: module license '{value}' taints kernel.",
        Reason::Tainted,
    ),
    kernel(
        "{module}: module verification failed: signature and/or required key missing - tainting kernel",
        Reason::Tainted,
    ),
    kernel(
        "{module}: module uses symbols {symbol} from proprietary module {owner}, inheriting taint.",
        Reason::Tainted,
    ),
    kernel(
        "{module}: module is from the staging directory, the quality is unknown, you have been warned.",
        Reason::Tainted,
    ),
    kernel(
        "Setting dangerous option {parameter} - tainting kernel",
        Reason::Tainted,
    ),
    // kmod and busybox.
    kmod(
        "Module {module} not found in directory {file}",
        Reason::ModuleMissing,
    ),
    kmod("module {module} not found in modules.dep", Reason::ModuleMissing),
    kmod("module '{module}' not found", Reason::ModuleMissing),
    kmod("Module {module} not found.", Reason::ModuleMissing),
    kmod("could not find module by name='{module}'", Reason::ModuleMissing),
    kmod("could not open moddep file '{file}'", Reason::ModulesDepMissing),
    kmod(
        "{place}: kmod_lookup_alias_from_moddep_file() could not open moddep file '{file}'",
        Reason::ModulesDepMissing,
    ),
    kmod(
        "{place} could not open moddep file '{file}'",
        Reason::ModulesDepMissing,
    ),
    kmod(
        "can't change directory to '{file}': No such file or directory",
        Reason::ModulesDepMissing,
    ),
    kmod(
        "can't open 'modules.dep': No such file or directory",
        Reason::ModulesDepMissing,
    ),
    kmod(
        "{place} could not open /proc/modules: No such file or directory",
        Reason::NoModuleSupport,
    ),
    kmod(
        "/proc/modules: No such file or directory",
        Reason::NoModuleSupport,
    ),
    kmod(
        "cat: /proc/modules: No such file or directory",
        Reason::NoModuleSupport,
    ),
    kmod("Module {module} is in use by: {other}…", Reason::InUse),
    kmod("Module {module} is in use.", Reason::InUse),
    kmod("Module {module} is in use", Reason::InUse),
    kmod("Module {module} is builtin.", Reason::BuiltIn),
    kmod("Module {module} is not currently loaded", Reason::NotLoaded),
    kmod(
        "Error running install command '{value}' for module {module}: retcode {errno}",
        Reason::Blacklisted,
    ),
    kmod("Error running install command for {module}", Reason::Blacklisted),
    kmod(
        "Error running remove command '{value}' for module {module}: retcode {errno}",
        Reason::Blacklisted,
    ),
    kmod("Cycle detected: {other}…", Reason::DependencyLoop),
    kmod(
        "Found {value} modules in dependency cycles!",
        Reason::DependencyLoop,
    ),
    kmod("unrecognized option '{value}'", Reason::ModprobeUsage),
    kmod("unrecognized option: {value}", Reason::ModprobeUsage),
    kmod("invalid option -- '{value}'", Reason::ModprobeUsage),
    kmod("option requires an argument -- '{value}'", Reason::ModprobeUsage),
    kmod("missing parameters. See -h.", Reason::ModprobeUsage),
    kmod(
        "can't open '{file}': No such file or directory",
        Reason::DependencyMissing,
    ),
];

/// Sentences that end in the words for the number of an error, and whether they are about loading.
pub(super) const OPERATIONS: &[(&str, bool)] = &[
    ("could not insert '{module}': {error}", true),
    ("could not insert module {file}: {error}", true),
    ("can't load module {module} ({file}): {error}", true),
    ("can't insert '{file}': {error}", true),
    ("could not remove '{module}': {error}", false),
    ("could not remove module {module}: {error}", false),
    ("can't unload module '{module}': {error}", false),
    ("remove '{module}': {error}", false),
];

/// What the words for the number of an error mean, when a module was loaded and when it was unloaded.
pub(super) const ERRORS: &[(&[&str], Reason, Reason)] = &[
    (
        &[
            "Invalid module format",
            "invalid module format",
            "Exec format error",
        ],
        Reason::WrongKernel,
        Reason::ModprobeFailed,
    ),
    (
        &[
            "Unknown symbol in module, or unknown parameter (see dmesg)",
            "Unknown symbol in module",
            "unknown symbol in module, or unknown parameter",
        ],
        Reason::UnknownSymbol,
        Reason::ModprobeFailed,
    ),
    (
        &["No such file or directory"],
        Reason::UnknownSymbol,
        Reason::NotLoaded,
    ),
    (
        &[
            "Module has wrong symbol version",
            "module has wrong symbol version",
            "No such process",
        ],
        Reason::SymbolVersion,
        Reason::ModprobeFailed,
    ),
    (
        &[
            "Invalid parameters",
            "invalid parameter",
            "Invalid argument",
            "Numerical result out of range",
            "No space left on device",
        ],
        Reason::ParameterInvalid,
        Reason::ModprobeFailed,
    ),
    (
        &[
            "Key was rejected by service",
            "Required key not available",
            "Key has been revoked",
            "Key has expired",
            "Package not installed",
        ],
        Reason::SignatureKeyUnknown,
        Reason::ModprobeFailed,
    ),
    (&["Bad message"], Reason::SignatureInvalid, Reason::ModprobeFailed),
    (
        &["Operation not permitted", "Permission denied"],
        Reason::NotPermitted,
        Reason::NotPermitted,
    ),
    (
        &["No such device", "No such device or address"],
        Reason::NoDevice,
        Reason::ModprobeFailed,
    ),
    (
        &["Device or resource busy"],
        Reason::DeviceBusy,
        Reason::Permanent,
    ),
    (
        &["Cannot allocate memory", "Out of memory"],
        Reason::OutOfMemory,
        Reason::OutOfMemory,
    ),
    (
        &["Module already in kernel", "File exists"],
        Reason::AlreadyLoaded,
        Reason::ModprobeFailed,
    ),
    (&["Resource temporarily unavailable"], Reason::Busy, Reason::InUse),
    (
        &[
            "Function not implemented",
            "kernel does not support requested operation",
        ],
        Reason::NoModuleSupport,
        Reason::Permanent,
    ),
    (
        &["Operation not supported"],
        Reason::CompressionUnknown,
        Reason::ModprobeFailed,
    ),
    (
        &["Too many levels of symbolic links"],
        Reason::DependencyLoop,
        Reason::ModprobeFailed,
    ),
    (
        &["Input/output error", "Connection timed out"],
        Reason::InitFailed,
        Reason::ModprobeFailed,
    ),
    (&["Success"], Reason::ModprobeFailed, Reason::ModprobeFailed),
];
