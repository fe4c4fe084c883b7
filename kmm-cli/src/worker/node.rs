//! What the node shows of itself: `/sys`, `/proc` and `/lib/modules`.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use kmm_core::kmod::KernelObject;
use kmm_core::worker::loaded::Observed;
use kmm_core::worker::precheck::RunningKernel;
use kmm_core::worker::privilege::Facts;
use kmm_files::Decompressors;

/// The most bytes of a file in `/sys` or `/proc`.
const LARGEST: u64 = 64 << 10;
/// How many modules of the host are looked at to find a small one, and what counts as small enough to be read.
const CANDIDATES: usize = 64;
const LARGEST_CANDIDATE: u64 = 4 << 20;

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    root: PathBuf,
}

impl Node {
    /// The node whose folders are below `root`.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Where an absolute path of the node is.
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// The same for a path that is none of ours.
    pub fn path_of(&self, absolute: &Path) -> PathBuf {
        self.root.join(absolute.strip_prefix("/").unwrap_or(absolute))
    }

    /// The same as a text.
    pub fn path_text(&self, absolute: &str) -> String {
        self.path(absolute).to_string_lossy().into_owned()
    }

    /// Whether everything is where a node has it.
    pub fn is_real(&self) -> bool {
        self.root == Path::new("/")
    }

    /// A program of the node.
    pub fn program(&self, name: &str) -> String {
        if self.is_real() {
            name.to_owned()
        } else {
            self.path_text(&format!("/bin/{name}"))
        }
    }

    /// What a file says; `None` where it cannot be read.
    pub fn text(&self, absolute: &str) -> Option<String> {
        text(&self.path(absolute))
    }

    /// What is known of the process and of the kernel.
    pub fn facts(&self) -> Facts {
        let status = self.text("/proc/self/status");
        let facts = Facts::parse(
            status.as_deref(),
            self.text("/proc/self/uid_map").as_deref(),
            self.text("/proc/sys/kernel/modules_disabled").as_deref(),
            self.text("/sys/kernel/security/lockdown").as_deref(),
        );
        let module_list = self.path("/proc/modules").try_exists().ok();
        Facts {
            // Where nothing of `/proc` is to be seen, this says nothing.
            module_list: module_list.filter(|_| status.is_some()),
            ..facts
        }
    }

    /// The boot that runs, as the kubelet tells it of the node too; empty where it cannot be read.
    pub fn boot_id(&self) -> String {
        let text = self.text("/proc/sys/kernel/random/boot_id");
        text.unwrap_or_default().trim().to_owned()
    }

    /// What is known of the running kernel.
    pub fn kernel(&self) -> RunningKernel {
        let trimmed = |path| self.text(path).unwrap_or_default().trim().to_owned();
        let sig_enforce = self.text("/sys/module/module/parameters/sig_enforce");
        let mut kernel = RunningKernel {
            release: trimmed("/proc/sys/kernel/osrelease"),
            version: trimmed("/proc/sys/kernel/version"),
            machine: machine().to_owned(),
            sig_enforce: sig_enforce.map(|text| text.trim() == "Y"),
            lockdown: Facts::parse(
                None,
                None,
                None,
                self.text("/sys/kernel/security/lockdown").as_deref(),
            )
            .lockdown,
            ..RunningKernel::default()
        };
        if let Some(object) = self.module_of_the_kernel(&kernel.release) {
            kernel.known.learn(&object);
        }
        kernel
    }

    /// A small module that came with the kernel: its vermagic and checksums are the kernel's.
    fn module_of_the_kernel(&self, release: &str) -> Option<KernelObject> {
        let folder = self.path("/lib/modules").join(release);
        let list = BufReader::new(File::open(folder.join("modules.dep")).ok()?);
        let paths = list
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| Some(line.split_once(':')?.0.to_owned()))
            // Not those that somebody added.
            .filter(|path| path.starts_with("kernel/"));
        let mut files: Vec<(u64, PathBuf)> = paths
            .take(CANDIDATES)
            .filter_map(|path| {
                let path = folder.join(path);
                let data = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
                Some((data.len(), path))
            })
            .filter(|(size, _)| (1..=LARGEST_CANDIDATE).contains(size))
            .collect();
        files.sort();
        let mut objects = files.iter().filter_map(|(_, path)| {
            let bytes = fs::read(path).ok()?;
            KernelObject::read(&bytes, &Decompressors).ok()
        });
        objects.next()
    }

    /// Whether `/sys/module` has a folder for a module, which is named with `_`.
    pub fn shows(&self, module: &str) -> bool {
        !module.is_empty() && !module.contains('/') && self.path("/sys/module").join(module).is_dir()
    }

    /// What `/sys/module` shows of a module, which is named with `_`.
    pub fn observe(&self, module: &str) -> Observed {
        let folder = self.path("/sys/module").join(module);
        if !self.shows(module) {
            return Observed::default();
        }
        let field = |name: &str| Some(text(&folder.join(name))?.trim_end().to_owned());
        let build_id = fs::read(folder.join("notes/.note.gnu.build-id")).ok();
        let mut parameters = BTreeMap::new();
        for name in names(&folder.join("parameters")) {
            // Some can be written only.
            if let Some(value) = text(&folder.join("parameters").join(&name)) {
                parameters.insert(name, value);
            }
        }
        Observed {
            exists: true,
            initstate: field("initstate"),
            srcversion: field("srcversion"),
            build_id: build_id.filter(|note| !note.is_empty()),
            users: field("refcnt").and_then(|count| count.parse().ok()),
            holders: names(&folder.join("holders")),
            parameters,
        }
    }

    /// Those of `names` that the kernel has as a symbol of any kind; `None` where it does not show its symbols.
    pub fn symbols<'n>(&self, names: &[&'n str]) -> Option<Vec<&'n str>> {
        let list = BufReader::new(File::open(self.path("/proc/kallsyms")).ok()?);
        let mut found = Vec::new();
        let mut any = false;
        for line in list.lines().map_while(Result::ok) {
            any = true;
            let symbol = line.split_ascii_whitespace().nth(2).unwrap_or_default();
            let symbol = symbol.strip_prefix("__ksymtab_").unwrap_or(symbol);
            if let Some(name) = names.iter().find(|name| **name == symbol)
                && !found.contains(name)
            {
                found.push(*name);
            }
        }
        any.then_some(found)
    }
}

/// The names in a folder, sorted; nothing where it cannot be listed.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_end(&mut bytes))
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// `uname -m`, as far as it follows from what this program was built for.
fn machine() -> &'static str {
    match std::env::consts::ARCH {
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        // The kernel below a 32-bit program may have 64.
        "x86" | "arm" => "",
        other => other,
    }
}
