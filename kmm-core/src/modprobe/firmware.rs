//! Firmware files that come with a module.

use crate::api::ModprobeSpec;

use super::OutsideRoot;
use super::path::join_below;

/// Where firmware is copied from and to.
///
/// Loading copies every file below the source to the same place below the destination, over what is there; unloading
/// removes the same files, and no folders.
///
/// # Example: what loading copies and unloading removes
///
/// ```
/// use kmm_core::api::ModprobeSpec;
/// use kmm_core::modprobe::{Firmware, WORKER_ROOT};
///
/// let spec = ModprobeSpec { firmware_path: "/firmware".to_owned(), ..Default::default() };
/// let firmware = Firmware::of(&spec, WORKER_ROOT, "/lib/firmware")?.unwrap();
/// assert_eq!(firmware.source, "/tmp/firmware");
/// let copies = firmware.copies(&["vendor/a.bin"])?;
/// assert_eq!(copies[0].from, "/tmp/firmware/vendor/a.bin");
/// assert_eq!(copies[0].to, "/lib/firmware/vendor/a.bin");
/// assert_eq!(firmware.removals(&["vendor/a.bin"])?, ["/lib/firmware/vendor/a.bin"]);
/// # Ok::<(), kmm_core::modprobe::OutsideRoot>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// Folder with what was copied from the image.
    pub source: String,
    /// Firmware folder of the host.
    pub destination: String,
}

/// One file to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCopy {
    /// Path of the file.
    pub from: String,
    /// Path of the copy.
    pub to: String,
}

impl Firmware {
    /// The parameter of the kernel that holds the folder in which it looks for firmware first.
    pub const CLASS_PATH: &str = "/sys/module/firmware_class/parameters/path";

    /// The firmware of a Module, as a worker with this root and this firmware folder of the host sees it; `None` where
    /// the Module has none.
    ///
    /// # Errors
    ///
    /// When `firmwarePath` leads out of `root`.
    pub fn of(spec: &ModprobeSpec, root: &str, host_folder: &str) -> Result<Option<Self>, OutsideRoot> {
        if spec.firmware_path.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            source: join_below(root, &spec.firmware_path, "firmwarePath")?,
            destination: host_folder.to_owned(),
        }))
    }

    /// What loading copies, given the files below the source as paths relative to it.
    ///
    /// # Errors
    ///
    /// When a file leads out of either folder.
    pub fn copies<S: AsRef<str>>(&self, files: &[S]) -> Result<Vec<FileCopy>, OutsideRoot> {
        let copy = |file: &S| {
            Ok(FileCopy {
                from: join_below(&self.source, file.as_ref(), "file")?,
                to: join_below(&self.destination, file.as_ref(), "file")?,
            })
        };
        files.iter().map(copy).collect()
    }

    /// What unloading removes, given the files below the source as paths relative to it. A file that is not there is
    /// no fault.
    ///
    /// # Errors
    ///
    /// When a file leads out of the destination.
    pub fn removals<S: AsRef<str>>(&self, files: &[S]) -> Result<Vec<String>, OutsideRoot> {
        let removal = |file: &S| join_below(&self.destination, file.as_ref(), "file");
        files.iter().map(removal).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_folder() {
        let mut spec = ModprobeSpec::default();
        assert_eq!(Firmware::of(&spec, "/tmp", "/lib/firmware"), Ok(None));
        spec.firmware_path = "/../etc".to_owned();
        let error = Firmware::of(&spec, "/tmp", "/lib/firmware").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`firmwarePath` is `/../etc`, which leads out of `/tmp`: remove the `..`"
        );
        spec.firmware_path = "fw".to_owned();
        let firmware = Firmware::of(&spec, "/tmp", "/lib/firmware").unwrap().unwrap();
        assert!(firmware.copies(&["a", "../b"]).is_err());
        assert!(firmware.removals(&["../../etc/passwd"]).is_err());
    }
}
