//! The machine of a node: QEMU, and a line to its shell.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use super::disk::Disk;
use super::parts::Parts;
use super::settings;
use crate::cluster::certificates::FROM_A_NODE;
use crate::cluster::control_plane::ControlPlane;
use crate::cluster::ports;
use crate::cluster::process::Process;
use crate::vm::initramfs::Initramfs;

/// The name of the node: where its kubelet is found from outside.
pub(super) const NODE: &str = "127.0.0.1";
/// Where a node finds the API server, on [`FROM_A_NODE`].
const API_PORT: u16 = 6443;
/// How long a machine may take until its shell answers, and to end.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a command may take there: none of them takes a second on an idle machine.
const COMMAND: Duration = Duration::from_secs(180);

/// A node that can be started on either kernel.
#[derive(Debug)]
pub(super) struct Machine<'p> {
    parts: &'p Parts,
    disk: Disk,
    folder: PathBuf,
    /// The port of the API server, of the registry, and of the kubelet, on the loopback.
    api: u16,
    registry: u16,
    kubelet: u16,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    process: Process,
    line: UnixStream,
    commands: u32,
}

impl<'p> Machine<'p> {
    /// Makes its disk, for a control plane and a registry (`127.0.0.1:PORT`).
    pub(super) fn make(parts: &'p Parts, plane: &ControlPlane, registry: &str) -> Result<Self> {
        let folder = plane.folder().to_owned();
        let registry = registry.rsplit(':').next().and_then(|port| port.parse().ok());
        Ok(Self {
            parts,
            disk: Disk::make(&folder, parts)?,
            folder,
            api: plane.port(),
            registry: registry.context("the registry has no port")?,
            kubelet: 0,
            running: None,
        })
    }

    /// Starts it on one of the kernels, with files of this boot below `/run/kmm`; returns when its shell answers.
    pub(super) fn start(&mut self, kernel: usize, files: &[(&str, Vec<u8>)]) -> Result<()> {
        // One that is free now: somebody else may have taken that of the last boot.
        self.kubelet = ports::free()?;
        let (kernel, initramfs) = (&self.parts.kernels[kernel].0, &self.disk.initramfs[kernel]);
        let mut boot = Initramfs::default();
        for (name, bytes) in files {
            boot.file(&format!("config/{name}"), 0o644, bytes);
        }
        self.configure(&mut boot)?;
        let archive = self.folder.join("initramfs");
        // The kernel reads archives that follow one another.
        fs::write(&archive, [initramfs.as_slice(), &boot.finish()].concat())?;
        let (shell, disk) = (self.folder.join("shell"), self.disk.image.display());
        let _ = fs::remove_file(&shell);
        let _ = fs::remove_file(self.folder.join("console.log"));
        let forward = |port: u16, to: u16| {
            format!("guestfwd=tcp:{FROM_A_NODE}:{port}-cmd:/bin/busybox nc 127.0.0.1 {to}")
        };
        let network = format!(
            "user,id=net,restrict=on,hostfwd=tcp:{NODE}:{port}-:{port},{},{}",
            forward(API_PORT, self.api),
            forward(self.registry, self.registry),
            port = self.kubelet,
        );
        let text = |path: &Path| path.display().to_string();
        let arguments = [
            // In a thread for each processor, one of them runs into code that the kernel changes under it (jump labels), and
            // the kernel panics once in a while.
            "-accel",
            "tcg,thread=single",
            "-machine",
            "q35",
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "1024",
            "-nodefaults",
            "-no-user-config",
            "-no-reboot",
            "-display",
            "none",
            "-kernel",
            &text(&kernel.quick),
            "-initrd",
            &text(&archive),
            "-append",
            // On a busy host the kernel takes the time stamp counter to be many times slower than it is, and its clock runs away.
            "console=ttyS0 panic=-1 quiet no_timer_check clocksource=hpet tsc=unstable",
            "-drive",
            &format!("file={disk},if=none,id=disk,format=raw,cache=unsafe,discard=unmap"),
            "-device",
            "virtio-blk-pci,drive=disk",
            "-netdev",
            &network,
            "-device",
            "virtio-net-pci,netdev=net,romfile=",
            "-serial",
            &format!("file:{}", self.folder.join("console.log").display()),
            "-chardev",
            &format!("socket,id=shell,path={},server=on,wait=off", shell.display()),
            "-serial",
            "chardev:shell",
        ];
        let arguments = arguments.map(str::to_owned);
        let qemu = Path::new("qemu-system-x86_64");
        let mut process = Process::start("qemu", qemu, &arguments, &[], &self.folder)?;
        let line = connect(&mut process, &shell)?;
        let mut running = Running {
            process,
            line,
            commands: 0,
        };
        running.greet().with_context(|| self.console())?;
        self.running = Some(running);
        Ok(())
    }

    /// Runs a command in its shell: what it says, if it ends well.
    pub(super) fn shell(&mut self, command: &str) -> Result<String> {
        let running = self.running.as_mut().context("the node is off")?;
        match running.ask(command, COMMAND)? {
            (0, said) => Ok(said),
            (code, said) => bail!("`{command}` on the node ended with {code}: {said}"),
        }
    }

    /// Switches it off, with everything written to its disk.
    pub(super) fn halt(&mut self) -> Result<()> {
        let mut running = self.running.take().context("the node is off")?;
        running.line.write_all(b"0 sync; poweroff -f\n")?;
        let asked = Instant::now();
        while running.process.check().is_ok() {
            if asked.elapsed() > PATIENCE {
                bail!(
                    "the node was not off after {} s:\n{}",
                    PATIENCE.as_secs(),
                    self.console()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// What is worth reading when something goes wrong.
    pub(super) fn logs(&mut self) -> String {
        let mut text = String::new();
        for (title, command) in [
            ("kernel", "dmesg | tail -n 25"),
            ("modules", "cat /proc/modules"),
            (
                "containerd",
                "grep -v level=info /var/log/containerd.log | tail -n 20",
            ),
            (
                "kubelet",
                "grep -E '^(E|W)|drivers/' /var/log/kubelet.log | tail -n 30 | cut -c 1-400",
            ),
        ] {
            let said = self.shell(command).unwrap_or_else(|error| format!("{error:#}"));
            text += &format!("== {title} of the node\n{said}\n");
        }
        text + &self.console()
    }

    fn console(&self) -> String {
        let text = fs::read(self.folder.join("console.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).replace('\r', "");
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        format!("== console of the node\n{last}")
    }

    /// What the programs of the node read.
    fn configure(&self, boot: &mut Initramfs) -> Result<()> {
        let mut put = |name: &str, bytes: &[u8]| boot.file(&format!("config/{name}"), 0o600, bytes);
        for name in [
            "ca.crt",
            "kubelet.crt",
            "kubelet.key",
            "kubelet-server.crt",
            "kubelet-server.key",
        ] {
            put(name, &fs::read(self.folder.join(name))?);
        }
        put("env", format!("NODE={NODE}\n").as_bytes());
        let server = format!("https://{FROM_A_NODE}:{API_PORT}");
        let kubeconfig = settings::kubeconfig(&server, "/run/kmm");
        put("kubelet.kubeconfig", kubeconfig.to_string().as_bytes());
        let kubelet = settings::kubelet("0.0.0.0", self.kubelet, "/run/kmm");
        // What starts with `{` is read as JSON.
        put("kubelet.yaml", kubelet.to_string().as_bytes());
        let registry = self.registry;
        let containerd = settings::containerd(&settings::Containerd {
            root: "/var/lib/containerd",
            network: ["/opt/cni/bin", "/etc/cni/net.d"],
            runc: "/opt/node/runc",
            pause: &format!("127.0.0.1:{registry}/pause:1"),
            images: "image_pull_with_sync_fs = true\n  registry = {config_path = '/run/kmm/certs.d'}",
            runtime: "",
        });
        put("containerd.toml", containerd.as_bytes());
        let server = format!("server = 'http://{FROM_A_NODE}:{registry}'\n");
        put(
            &format!("certs.d/127.0.0.1:{registry}/hosts.toml"),
            server.as_bytes(),
        );
        Ok(())
    }
}

impl Running {
    /// Waits until the shell answers. What came before it was ready is lost, so that it is asked again and again.
    fn greet(&mut self) -> Result<()> {
        let started = Instant::now();
        let mut limit = Duration::from_millis(500);
        loop {
            self.process.check()?;
            if self.ask("true", limit).is_ok() {
                return Ok(());
            }
            // On a slow machine it may be on its way with the last answer.
            limit = (limit * 2).min(COMMAND);
            if started.elapsed() > PATIENCE {
                bail!(
                    "the shell of the node did not answer within {} s",
                    PATIENCE.as_secs()
                );
            }
        }
    }

    /// The code that a command ends with, and what it says.
    fn ask(&mut self, command: &str, limit: Duration) -> Result<(i32, String)> {
        self.commands += 1;
        let end = format!("= {} ", self.commands);
        let line = format!("{} {command}\n", self.commands);
        self.line.write_all(line.as_bytes())?;
        let asked = Instant::now();
        let mut said = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match self.line.read(&mut buffer) {
                Ok(0) => bail!("the node ended"),
                Ok(length) => said.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            let text = String::from_utf8_lossy(&said);
            let last = text
                .split_inclusive('\n')
                .find_map(|line| line.strip_prefix(&end)?.strip_suffix('\n')?.trim().parse().ok());
            if let Some(code) = last {
                let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("| ")).collect();
                return Ok((code, lines.join("\n")));
            }
            if asked.elapsed() > limit {
                bail!("no answer to `{command}` within {} s", limit.as_secs());
            }
        }
    }
}

/// Connects with the socket that QEMU makes.
fn connect(process: &mut Process, socket: &Path) -> Result<UnixStream> {
    let started = Instant::now();
    loop {
        process.check()?;
        if let Ok(line) = UnixStream::connect(socket) {
            line.set_read_timeout(Some(Duration::from_millis(100)))?;
            return Ok(line);
        }
        if started.elapsed() > PATIENCE {
            bail!("QEMU made no socket within {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
