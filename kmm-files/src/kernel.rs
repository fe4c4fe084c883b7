//! The modules that came with a kernel, as a source of what is known of it.

use std::io;
use std::path::Path;

use kmm_core::depmod::Config;
use kmm_core::depmod::ModuleTree;
use kmm_core::kmod::KernelObject;
use kmm_core::kmod::PlainOnly;
use kmm_core::kmod::abi;
use kmm_core::modprobe::HostModules;
use kmm_core::modprobe::module_of_file;

use crate::FolderTree;
use crate::in_parallel;

/// A folder such as `/lib/modules/6.1.0-9-amd64`, read once.
#[derive(Debug)]
pub struct KernelTree {
    /// Names of the modules, and of those that are part of the kernel.
    pub modules: HostModules,
    /// What could not be read, with the reason; the rest is there.
    pub complaints: Vec<String>,
    objects: Vec<KernelObject>,
}

impl KernelTree {
    /// Reads every module of the folder.
    ///
    /// # Errors
    ///
    /// When the folder cannot be listed.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let tree = FolderTree::open(folder, &Config::default())?;
        let mut complaints = tree.complaints.clone();
        let mut files = tree.files(&Config::default());
        files.retain(|file| module_of_file(file).is_some());
        // Whichever is first decides what all others are compared with: the same one each time.
        files.sort_unstable();
        let read = in_parallel(&files, |file, reader| {
            reader
                .read(&folder.join(file), |source| {
                    let whole = source.bytes(0..source.size()).unwrap_or_default();
                    KernelObject::read(whole, &PlainOnly)
                })
                .map_err(|error| error.to_string())
        });
        let mut objects = Vec::new();
        for (file, object) in files.iter().zip(read) {
            match object {
                // What was added to the folder later tells nothing of the kernel.
                Ok(object) if object.info.marks().intree => objects.push(object),
                Ok(_) => {}
                Err(reason) => complaints.push(format!("{}: {reason}", folder.join(file).display())),
            }
        }
        let built_in = crate::tree::text(&folder.join("modules.builtin")).unwrap_or_default();
        let built_in = String::from_utf8_lossy(&built_in);
        Ok(Self {
            modules: HostModules::from_files(&files).with_built_in(built_in.lines()),
            complaints,
            objects,
        })
    }

    /// Adds what the modules show of their kernel.
    pub fn teach(&self, kernel: &mut abi::Kernel) {
        for object in &self.objects {
            kernel.learn(object);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_no_module_is_told_and_a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(KernelTree::open(&folder.path().join("none")).is_err());
        fs::write(folder.path().join("a.ko"), "no module").unwrap();
        fs::write(folder.path().join("modules.builtin"), "kernel/fs/ext4.ko\n").unwrap();
        let tree = KernelTree::open(folder.path()).unwrap();
        assert_eq!(tree.complaints.len(), 1, "{:?}", tree.complaints);
        assert_eq!(
            tree.modules.presence("ext4"),
            kmm_core::modprobe::Presence::BuiltIn
        );
        let mut kernel = abi::Kernel::default();
        tree.teach(&mut kernel);
        assert!(kernel.vermagic.is_none());
    }
}
