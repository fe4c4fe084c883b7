//! A node that is a folder.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStderr;
use std::process::Command;
use std::process::Stdio;

use kmm_core::depmod::Config;
use kmm_core::depmod::Index;
use kmm_core::depmod::Options;
use kmm_files::FolderTree;
use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::process::Pid;
use rustix::process::Signal;
use serde_json::Value;

use crate::builder::Object;

pub(crate) const RELEASE: &str = "6.1.0-2-amd64";
const MAGIC: &str = "6.1.0-2-amd64 SMP preempt mod_unload modversions ";
/// What the kernel's `module_layout` has for a checksum.
const LAYOUT: u32 = 1;

/// A node: `/proc`, `/sys`, `/lib/modules`, `/lib/firmware`, and `/tmp` with an image.
pub(crate) struct Node {
    folder: tempfile::TempDir,
}

/// A run that goes on, and what it has logged so far.
pub(crate) struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    log: String,
}

impl Running {
    /// Reads the log up to a line with these words; false where it ends without it.
    pub(crate) fn reaches(&mut self, words: &str) -> bool {
        loop {
            let begin = self.log.len();
            if self.stderr.read_line(&mut self.log).unwrap() == 0 {
                return false;
            }
            if self.log[begin..].contains(words) {
                return true;
            }
        }
    }

    /// The same where it has to come.
    #[track_caller]
    pub(crate) fn until(&mut self, words: &str) {
        assert!(self.reaches(words), "no `{words}`:\n{}", self.log);
    }

    pub(crate) fn tell(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl From<Child> for Running {
    fn from(mut child: Child) -> Self {
        let stderr = child.stderr.take().unwrap();
        Self {
            child,
            stderr: BufReader::new(stderr),
            log: String::new(),
        }
    }
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
    pub(crate) result: Value,
}

impl Ended {
    pub(crate) fn reason(&self) -> &str {
        self.result["reason"].as_str().unwrap_or("no result")
    }

    pub(crate) fn proof(&self) -> &str {
        self.result["proof"].as_str().unwrap_or_default()
    }

    /// Fails with all that is known where it did not end so.
    #[track_caller]
    pub(crate) fn expect(self, code: i32, reason: &str) -> Self {
        let is = (self.code, self.reason());
        assert_eq!(is, (Some(code), reason), "{}\n{}", self.result, self.log);
        self
    }

    #[track_caller]
    pub(crate) fn expect_warning(self, reason: &str) -> Self {
        let warnings = self.result["warnings"].as_array().unwrap();
        assert!(
            warnings.iter().any(|warning| warning["reason"] == reason),
            "{}",
            self.result
        );
        self
    }
}

/// A module of an image.
pub(crate) fn module(name: &str, srcversion: &str, extra: &[&str]) -> Object {
    let fields = [
        format!("name={name}"),
        format!("srcversion={srcversion}"),
        format!("vermagic={MAGIC}"),
        "license=GPL".to_owned(),
    ];
    let pairs: Vec<&str> = fields
        .iter()
        .map(String::as_str)
        .chain(extra.iter().copied())
        .collect();
    let mut object = Object::module(&pairs);
    object.versions(&[("module_layout", LAYOUT)]);
    object
}

impl Node {
    /// A node with an in-tree module `dummy`, and an image with `nic`, which needs `acme_bus`.
    pub(crate) fn new() -> Self {
        let node = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        node.write("proc/sys/kernel/osrelease", &format!("{RELEASE}\n"));
        node.write("proc/modules", "");
        node.write("proc/sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC Debian\n");
        node.write("proc/sys/kernel/modules_disabled", "0\n");
        node.write("proc/sys/kernel/dmesg_restrict", "1\n");
        node.write(
            "proc/self/status",
            "Uid:\t0\t0\t0\t0\nCapEff:\t0000000000010000\n",
        );
        node.write("proc/self/uid_map", "         0          0 4294967295\n");
        node.write(
            "sys/kernel/security/lockdown",
            "[none] integrity confidentiality\n",
        );
        node.write("sys/module/module/parameters/sig_enforce", "N\n");
        node.write("sys/module/firmware_class/parameters/path", "\n");
        node.write("dev/kmsg", "");
        node.folder("lib/firmware");
        let own = format!("lib/modules/{RELEASE}");
        node.write_bytes(
            &format!("{own}/kernel/dummy.ko"),
            &module("dummy", "INTREE", &["intree=Y"]).build(),
        );
        node.depmod("");
        node.image("acme-bus", &module("acme_bus", "BUS1", &[]));
        let mut nic = module(
            "nic",
            "NIC1",
            &["depends=acme_bus", "parmtype=queues:int", "parmtype=mode:charp"],
        );
        nic.imports(&["acme_bus_add"]);
        node.image("nic", &nic);
        let mut bus = module("acme_bus", "BUS1", &[]);
        bus.exports(&[("acme_bus_add", 7, "", false)]);
        node.image("acme-bus", &bus);
        node.depmod("tmp/opt");
        fs::create_dir(node.path("sbin")).unwrap();
        symlink(std::env::current_exe().unwrap(), node.path("sbin/modprobe")).unwrap();
        node
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn folder(&self, path: &str) {
        fs::create_dir_all(self.path(path)).unwrap();
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        self.write_bytes(path, text.as_bytes());
    }

    pub(crate) fn write_bytes(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| format!("{path}: {error}"))
    }

    /// Puts a module into the image.
    pub(crate) fn image(&self, file: &str, object: &Object) {
        self.write_bytes(
            &format!("tmp/opt/lib/modules/{RELEASE}/extra/{file}.ko"),
            &object.build(),
        );
    }

    /// Writes the indexes of a tree.
    pub(crate) fn depmod(&self, base: &str) {
        let tree = self.path(base).join("lib/modules").join(RELEASE);
        let config = Config::default();
        let files = FolderTree::open(&tree, &config).unwrap();
        let index = Index::build(&files, &config, &Options::default()).unwrap();
        kmm_files::write_index(&tree, &index.files().unwrap().0).unwrap();
    }

    /// What the modprobe of this node does instead of loading or unloading, see [`crate::modprobe`].
    pub(crate) fn modprobe_does(&self, lines: &str) {
        self.write("modprobe.does", lines);
        if lines.contains("wait") {
            self.pipe("modprobe.go");
        }
    }

    /// Lets a modprobe go on that waits.
    pub(crate) fn modprobe_goes_on(&self) {
        let pipe = fs::OpenOptions::new().write(true).open(self.path("modprobe.go"));
        drop(pipe.unwrap());
    }

    /// A pipe, in place of what may be there.
    pub(crate) fn pipe(&self, path: &str) {
        let _ = fs::remove_file(self.path(path));
        rustix::fs::mkfifoat(CWD, self.path(path), Mode::RUSR | Mode::WUSR).unwrap();
    }

    /// The command lines of modprobe so far, without the folder of this node.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("modprobe.calls")).unwrap_or_default();
        let root = self.folder.path().to_string_lossy().into_owned();
        calls.lines().map(|line| line.replace(&root, "")).collect()
    }

    pub(crate) fn is_loaded(&self, module: &str) -> bool {
        self.path("sys/module").join(module).join("initstate").exists()
    }

    /// A loaded module.
    pub(crate) fn loaded(&self, module: &str, srcversion: &str) {
        let folder = format!("sys/module/{module}");
        self.write(&format!("{folder}/initstate"), "live\n");
        self.write(&format!("{folder}/refcnt"), "0\n");
        self.write(&format!("{folder}/srcversion"), &format!("{srcversion}\n"));
        self.folder(&format!("{folder}/holders"));
    }

    /// Every file below a folder with what it holds, links with where they lead.
    pub(crate) fn files(&self, folder: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        list(&self.path(folder), "", &mut found);
        found.sort();
        found
    }

    /// The worker with these words, on this node.
    pub(crate) fn bare(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kmm-worker"));
        command.args(words).arg("--root").arg(self.folder.path());
        command
    }

    pub(crate) fn command(&self, verb: &str, config: &str, options: &[&str]) -> Command {
        self.write("config.yaml", config);
        let _ = fs::remove_file(self.path("result"));
        let config = self.path("config.yaml");
        let mut command = self.bare(&["kmod", verb]);
        command
            .arg(config)
            .arg("--modprobe")
            .arg(self.path("sbin/modprobe"))
            .arg("--result")
            .arg(self.path("result"))
            .args(options)
            .env("MODPROBE_OPTIONS", "--dry-run")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, verb: &str, config: &str, options: &[&str]) -> Ended {
        self.end(self.start(verb, config, options))
    }

    pub(crate) fn start(&self, verb: &str, config: &str, options: &[&str]) -> Running {
        self.command(verb, config, options).spawn().unwrap().into()
    }

    pub(crate) fn end(&self, running: impl Into<Running>) -> Ended {
        let mut running = running.into();
        running.stderr.read_to_string(&mut running.log).unwrap();
        let output = running.child.wait_with_output().unwrap();
        assert!(output.stdout.is_empty(), "data on standard output");
        let root = self.folder.path().to_string_lossy().into_owned();
        let log = running.log.replace(&root, "");
        let result = fs::read_to_string(self.path("result")).unwrap_or_default();
        assert!(result.len() <= 4096);
        Ended {
            code: output.status.code(),
            log,
            result: serde_json::from_str(&result.replace(&root, "")).unwrap_or_default(),
        }
    }
}

fn list(folder: &Path, prefix: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.push((format!("{name}/"), String::new()));
            list(&entry.path(), &format!("{name}/"), found);
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path()).unwrap();
            found.push((name, format!("-> {}", target.display())));
        } else {
            let bytes = fs::read(entry.path()).unwrap();
            found.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

pub(crate) const NIC: &str = "modprobe: {moduleName: nic, dirName: /opt}\n";
