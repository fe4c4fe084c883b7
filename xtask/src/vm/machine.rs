//! One run of one machine: QEMU is started, watched, and always ended.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;

/// Added to exit codes inside the machine: QEMU's own errors end with 1 too.
const CODE_OFFSET: i32 = 16;

/// What a machine is made of.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// The kernel: a `bzImage`, or an unpacked `vmlinux`.
    pub(crate) kernel: PathBuf,
    /// The first file system.
    pub(crate) initramfs: PathBuf,
    /// More words for the kernel's command line.
    pub(crate) arguments: String,
    /// The UEFI firmware: its code, and its variables. Without it, QEMU starts the kernel itself.
    pub(crate) firmware: Option<(PathBuf, PathBuf)>,
    /// Whether its clock counts instructions, a nanosecond each, whatever the load of this machine.
    pub(crate) counted: bool,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The machine ended itself with this code.
    Code(i32),
    /// The machine switched itself off without a code, as it does when its kernel is locked down.
    Off,
    /// The kernel of the machine panicked.
    Panic,
    /// The time limit came first.
    TimeLimit,
    /// QEMU itself failed.
    Qemu(Option<i32>),
}

/// What is left of a run.
#[derive(Debug)]
pub(crate) struct Run {
    /// How it ended.
    pub(crate) end: End,
    /// What the kernel and `/init` wrote to the first serial port.
    pub(crate) console: String,
    /// What the scenarios wrote to the second serial port.
    pub(crate) results: String,
    /// Wall time.
    pub(crate) time: Duration,
}

/// Ends the process when the value goes away, whatever happens.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Machine {
    /// Runs the machine to its end, at most until `limit`. Logs are kept in `folder`.
    pub(crate) fn run(&self, folder: &Path, limit: Duration) -> Result<Run> {
        fs::create_dir_all(folder)?;
        let (console, results) = (folder.join("console.log"), folder.join("results.log"));
        let errors = folder.join("qemu.log");
        let start = Instant::now();
        let mut command = self.command(folder)?;
        for log in [&console, &results] {
            let _ = fs::remove_file(log);
            command.args(["-serial", &format!("file:{}", log.display())]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(fs::File::create(&errors)?);
        let mut child = Ended(command.spawn().context("could not start `setpriv`")?);
        let status = wait(&mut child.0, start, limit)?;
        drop(child);
        let console = text(&console)? + &text(&errors)?;
        Ok(Run {
            end: end(status, &console),
            console,
            results: text(&results)?,
            time: start.elapsed(),
        })
    }

    /// Runs the machine with its first serial port on this terminal.
    pub(crate) fn run_here(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let mut command = self.command(folder)?;
        command.args(["-serial", "mon:stdio", "-serial", "null"]);
        let mut child = Ended(command.spawn().context("could not start `setpriv`")?);
        child.0.wait()?;
        Ok(())
    }

    fn command(&self, folder: &Path) -> Result<Command> {
        let mut command = Command::new("setpriv");
        // Should this program be killed, the machine ends with it.
        command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        // There may be a `/dev/kvm` that cannot run these kernels: the emulator is the same everywhere.
        command.args(["-accel", "tcg", "-machine", "q35", "-cpu", "max", "-m", "512"]);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        command.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]);
        if self.counted {
            command.args(["-icount", "shift=0,sleep=off"]);
        }
        if let Some((code, variables)) = &self.firmware {
            // The firmware writes to its variables.
            let own = folder.join("variables.fd");
            fs::copy(variables, &own).with_context(|| format!("could not copy `{}`", variables.display()))?;
            let drive =
                |path: &Path, more: &str| format!("if=pflash,format=raw,file={}{more}", path.display());
            command.args(["-drive", &drive(code, ",readonly=on"), "-drive", &drive(&own, "")]);
        }
        command
            .arg("-kernel")
            .arg(&self.kernel)
            .arg("-initrd")
            .arg(&self.initramfs);
        // On a busy host the emulated timer looks broken to the kernel's own test.
        let arguments = format!("console=ttyS0 panic=-1 quiet no_timer_check {}", self.arguments);
        command.args(["-append", &arguments]);
        Ok(command)
    }
}

/// Waits for the end of a process, at most until the limit.
fn wait(child: &mut Child, start: Instant, limit: Duration) -> Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > limit {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn end(status: Option<ExitStatus>, console: &str) -> End {
    let Some(status) = status else {
        return if console.contains("Kernel panic - ") {
            End::Panic
        } else {
            End::TimeLimit
        };
    };
    match status.code() {
        // QEMU ends with twice the code and one more.
        Some(code) if code % 2 == 1 && code / 2 >= CODE_OFFSET => End::Code(code / 2 - CODE_OFFSET),
        Some(0) if console.contains("Kernel panic - ") => End::Panic,
        Some(0) => End::Off,
        other => End::Qemu(other),
    }
}

/// The text of a log, without the carriage returns of a serial port.
fn text(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("could not read `{}`", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::End;
    use super::end;

    #[test]
    fn the_end_is_read_from_the_status_and_the_console() {
        let exit = |code: i32| Some(ExitStatus::from_raw(code << 8));
        let cases = [
            (exit(33), "", End::Code(0)),
            (exit(35), "", End::Code(1)),
            (exit(0), "", End::Off),
            (exit(0), "Kernel panic - not syncing", End::Panic),
            (exit(1), "", End::Qemu(Some(1))),
            (Some(ExitStatus::from_raw(9)), "", End::Qemu(None)),
            (None, "", End::TimeLimit),
            (None, "Kernel panic - not syncing", End::Panic),
        ];
        for (status, console, wanted) in cases {
            assert_eq!(end(status, console), wanted, "{status:?} {console}");
        }
    }
}
