//! Why a worker ended as it did: a fixed set of words, each with its cause and the change that mends it.

use std::fmt;

use serde::Serialize;
use serde::Serializer;

/// Whether a reason says that what was asked for is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What was asked for is so.
    Done,
    /// It is not, and a later try may end otherwise only when something was changed.
    Failed,
    /// The worker was told to stop; the next run goes on.
    Stopped,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:ident, $mend:literal;)+) => {
        /// Why a worker ended as it did, or what a message of kernel or modprobe means.
        ///
        /// The names are stable: they stand in results, and operators may act on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name, as it stands in results.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// What happened, in a sentence.
            pub fn cause(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc,)+).trim_ascii(),)+
                }
            }

            /// What mends it, in a sentence; empty where there is nothing to mend.
            pub fn mend(self) -> &'static str {
                match self {
                    $(Self::$name => $mend,)+
                }
            }

            /// Whether it says yes, no, or not yet.
            pub fn kind(self) -> Kind {
                match self {
                    $(Self::$name => Kind::$kind,)+
                }
            }
        }
    };
}

reasons! {
    /// The module is loaded, and it is the one of the image.
    Loaded: Done, "";
    /// The module was loaded before, and it is the one of the image.
    AlreadyLoaded: Done, "";
    /// The module is no longer loaded.
    Unloaded: Done, "";
    /// The module was not loaded, so there was nothing to unload.
    NotLoaded: Done, "";
    /// Files were copied.
    Copied: Done, "";
    /// The worker was told to stop before it was done.
    Interrupted: Stopped, "Run it again: it goes on from where it was.";

    /// The configuration file cannot be read, or is not what a worker takes.
    ConfigInvalid: Failed, "Correct the configuration file.";
    /// A path leads out of the folder that it must stay in.
    OutsideRoot: Failed, "Remove the `..` from `dirName` or `firmwarePath`.";
    /// The image has no `modules.dep` for the running kernel, and modprobe finds no module without it.
    ModulesDepMissing: Failed, "Run `depmod -b DIRNAME KERNEL` when the image is built, and use the image of this kernel.";
    /// The image has no module of this name for the running kernel.
    ModuleMissing: Failed, "Correct `moduleName`, or put the module into the image and run depmod.";
    /// A module that is needed is listed in `modules.dep`, and its file is not there.
    DependencyMissing: Failed, "Put the file into the image, or link the host's modules into it, and run depmod.";
    /// The file of the module is damaged, or no kernel object.
    ModuleDamaged: Failed, "Build or copy the module again.";
    /// The module is compressed in a way that this kernel or modprobe does not read.
    CompressionUnknown: Failed, "Ship the module uncompressed, or as `.ko.xz` or `.ko.zst`.";
    /// The module was built for another architecture.
    WrongArchitecture: Failed, "Use an image that was built for the architecture of the node.";
    /// The module was built for another kernel, or for another flavour of it.
    WrongKernel: Failed, "Build the module against the headers of exactly this kernel.";
    /// A symbol of the kernel is not what it was when the module was built.
    SymbolVersion: Failed, "Build the module against the headers of exactly this kernel, with its `Module.symvers`.";
    /// The module needs a symbol that neither the kernel nor a loaded module has.
    UnknownSymbol: Failed, "Load the module that has the symbol first (`modulesLoadingOrder`, or depmod with both in one tree), or build for this kernel.";
    /// The module uses a symbol that is only for modules under a GPL-compatible licence.
    GplOnlySymbol: Failed, "Do not use the symbol, or give the module a GPL-compatible licence.";
    /// The module uses a symbol of a namespace that it does not import.
    SymbolNamespace: Failed, "Add `MODULE_IMPORT_NS` for the namespace to the module's source.";
    /// The module exports a symbol that the kernel or another module exports already.
    DuplicateSymbol: Failed, "Unload the other module first (`inTreeModulesToRemove`), or rename the symbol.";
    /// The module has no signature, and the kernel takes signed modules only.
    SignatureMissing: Failed, "Sign the module with a key that the kernel trusts (`sign` in the Module).";
    /// The module is signed by a key that the kernel does not trust.
    SignatureKeyUnknown: Failed, "Enrol the certificate (UEFI db or MOK), or sign with a key that is enrolled.";
    /// The signature does not belong to this file: it was changed after it was signed.
    SignatureInvalid: Failed, "Sign last: strip, compress and copy change a file. Sign it again.";
    /// The kernel is locked down, and takes modules with a trusted signature only.
    Lockdown: Failed, "Sign the module with a key that the kernel trusts, or turn lockdown (Secure Boot) off.";
    /// The kernel was built without loadable modules: it takes none, and has no `/proc/modules`.
    NoModuleSupport: Failed, "Use a kernel with `CONFIG_MODULES=y` on the node, or leave the node out with `selector`.";
    /// The process lacks a capability.
    MissingCapability: Failed, "Run as user 0 with the capability added (`SYS_MODULE` for modules).";
    /// The container has its own user namespace, where capabilities over the kernel count for nothing.
    UserNamespace: Failed, "Run the pod in the host's user namespace (`hostUsers: true`).";
    /// The kernel takes no more modules until it is booted again: `kernel.modules_disabled` is 1.
    ModulesDisabled: Failed, "Remove the setting and boot the node again.";
    /// The process is not allowed to do this, and nothing that can be read shows why.
    NotPermitted: Failed, "Check capabilities, SELinux or AppArmor, and lockdown.";
    /// A parameter has a value that the module does not take.
    ParameterInvalid: Failed, "Correct the value in `parameters`.";
    /// The module has no parameter of this name; the kernel ignores it.
    ParameterUnknown: Failed, "Correct the name in `parameters`: `modinfo -p` lists those that there are.";
    /// A parameter has another value than was asked for.
    ParameterDiffers: Failed, "Unload the module and load it again, if it did not change the value itself.";
    /// The module found no device that it is for.
    NoDevice: Failed, "Check that the node has the device, and that no other driver holds it.";
    /// A resource that the module needs is taken, as a rule by another driver.
    DeviceBusy: Failed, "Unload the driver that holds it (`inTreeModulesToRemove`).";
    /// The module asked for a firmware file that the kernel did not find.
    FirmwareMissing: Failed, "Put the file below `firmwarePath` of the image, and set the firmware folder of the host.";
    /// The firmware folder of the host, or of the image, cannot be used.
    FirmwareFolder: Failed, "Mount the firmware folder of the host writable, and check `firmwarePath`.";
    /// A link among the firmware leads out of its folder.
    FirmwareLink: Failed, "Replace the link by the file it points to, or make it relative and inside the folder.";
    /// The folder in which the kernel looks for firmware first could not be set.
    FirmwareClassPath: Failed, "Mount the host's `/sys/module/firmware_class/parameters` outside of `/sys`, and name it with `--firmware-class-file`.";
    /// Files that were put into the firmware folder have been changed since by somebody else.
    FirmwareChanged: Failed, "Look at the files; they were left as they are.";
    /// A module of this name is loaded that is not the one of the image.
    OtherModuleLoaded: Failed, "Unload it first: `modprobe -r NAME`, or `inTreeModulesToRemove` where it came with the kernel.";
    /// The module is a part of the kernel, so that none can be loaded or unloaded under its name.
    BuiltIn: Failed, "Use another name for the module, or a kernel without it.";
    /// The module is in use.
    InUse: Failed, "Unload the modules that hold it first, and stop what uses its devices.";
    /// An in-tree module could not be removed.
    InTreeRemoval: Failed, "See the lines of modprobe; add the modules that hold it to `inTreeModulesToRemove`.";
    /// The module has no way to be unloaded, or loading it went wrong half way.
    Permanent: Failed, "Boot the node again.";
    /// Modprobe said that it was done, and the module is not loaded.
    NotProved: Failed, "See the lines of modprobe: an `install` or `blacklist` line of its configuration may stand in the way.";
    /// A line in the configuration of modprobe keeps the module from being loaded.
    Blacklisted: Failed, "Remove the `blacklist` or `install` line below `/etc/modprobe.d`.";
    /// There is a loop in the loading order or in `modules.dep`.
    DependencyLoop: Failed, "Correct `modulesLoadingOrder`, or `softdep` lines.";
    /// The initialisation of the module failed.
    InitFailed: Failed, "See the kernel's log for what the module says.";
    /// The kernel had not enough memory for the module.
    OutOfMemory: Failed, "Free memory on the node.";
    /// The kernel stumbled (an oops, a warning) in a module.
    KernelFault: Failed, "This is a fault of the module, or of the kernel. Boot the node again after an oops.";
    /// Two modules of one name were loaded at the same time, or it is being removed just now.
    Busy: Failed, "Run it again.";
    /// There is no modprobe that can be run.
    ModprobeMissing: Failed, "Use an image with kmod, or name the program with `--modprobe`.";
    /// Modprobe was called with arguments that it does not take.
    ModprobeUsage: Failed, "Correct `args` or `rawArgs`.";
    /// Modprobe did not end in time.
    ModprobeTimeout: Failed, "See the kernel's log: the initialisation of the module hangs. The node may have to be booted again.";
    /// Modprobe failed, and no line of it or of the kernel says more.
    ModprobeFailed: Failed, "See the lines of modprobe and the kernel's log.";
    /// A link among the files of an image leads out of them.
    LinkOutside: Failed, "Replace the link by what it points to, or make it relative and inside the folder.";
    /// Among the files of an image is something that is no file, folder or link.
    SpecialFile: Failed, "Remove it from the image.";
    /// A file could not be read, written or copied.
    FileFailed: Failed, "Check mounts and modes of the folder.";
    /// The kernel or the machine runs, but is marked: a module from outside, or one without a trusted signature.
    Tainted: Done, "";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_says_what_mends_it() {
        for reason in Reason::ALL {
            assert!(reason.cause().ends_with('.'), "{reason}");
            assert_eq!(reason.mend().is_empty(), reason.kind() == Kind::Done, "{reason}");
            assert!(!reason.cause().contains("  "), "{reason}");
        }
    }
}
