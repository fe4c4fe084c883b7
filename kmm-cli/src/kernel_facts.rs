//! What the command line tells of a kernel: its symbols, and the modules that came with it.

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::kernel::KernelVersion;
use kmm_core::kmod::Symvers;
use kmm_core::kmod::abi;
use kmm_core::modprobe::HostModules;
use kmm_files::KernelTree;

use crate::cli::KernelFacts;
use crate::input;
use crate::printer::Printer;
use crate::render::printable;

/// The most that a Module.symvers may have: that of a Debian kernel has 2 MiB.
const SYMVERS_BYTES: u64 = 64 << 20;

/// What is known of one kernel.
#[derive(Debug, Default)]
pub struct Known {
    pub abi: Option<abi::Kernel>,
    pub in_tree: Option<HostModules>,
    /// The release, where its modules show it.
    pub release: Option<String>,
}

/// Reads what `arguments` name.
///
/// # Errors
///
/// When a file cannot be read, or a folder holds no modules of a kernel.
pub fn read(arguments: &KernelFacts, printer: &Printer) -> Result<Known> {
    let mut known = Known::default();
    if let Some(path) = &arguments.symvers {
        let source = input::read(path, SYMVERS_BYTES)?;
        let symvers = Symvers::parse(&source.text).with_context(|| format!("`{}`", source.name))?;
        if symvers.entries.is_empty() {
            bail!("`{}` holds no symbols", source.name);
        }
        known.abi = Some(abi::Kernel::from_symvers(&symvers));
    }
    if let Some(path) = &arguments.kernel_tree {
        let tree = KernelTree::open(path).with_context(|| format!("could not read `{}`", path.display()))?;
        for complaint in &tree.complaints {
            printer.notice(&printable(&format!("kmm: {complaint}")));
        }
        let mut kernel = known.abi.take().unwrap_or_default();
        tree.teach(&mut kernel);
        let Some(magic) = &kernel.vermagic else {
            bail!(
                "`{}` holds no modules of a kernel: it is to be a folder such as /lib/modules/6.1.0-9-amd64",
                path.display()
            );
        };
        known.release = Some(magic.release().to_owned());
        known.in_tree = Some(tree.modules);
        known.abi = Some(kernel);
    }
    Ok(known)
}

impl Known {
    /// Whether anything is known.
    pub fn is_empty(&self) -> bool {
        self.abi.is_none()
    }

    /// Holds the kernels that are asked about to what is known: it is known of one kernel.
    ///
    /// # Errors
    ///
    /// When it is another kernel, several, or none.
    pub fn fits(&self, kernels: &[KernelVersion]) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let [kernel] = kernels else {
            bail!("--symvers and --kernel-tree tell of one kernel: give it with -k, and no other");
        };
        match &self.release {
            Some(release) if release != kernel.raw() && release != kernel.matched() => {
                bail!(
                    "the modules of --kernel-tree are of kernel `{release}`, not of `{}`",
                    kernel.raw()
                )
            }
            _ => Ok(()),
        }
    }
}
