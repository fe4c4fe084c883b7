//! Programs that run as long as they are wanted, and never longer.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process_group;

/// How long a program may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(60);

/// Lines of a log that are shown when a program fails.
const SHOWN: usize = 60;

/// A running program, stopped when this is dropped.
///
/// It is the head of a process group, which is what gets the signals. `setpriv` has the kernel kill it when the thread
/// that started it ends, so it does not outlive a killed test run either.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program`; what it prints goes to `<name>.log` in `folder`, and its process id into `pids` there.
    pub(crate) fn start(
        name: &str,
        program: &Path,
        arguments: &[String],
        environment: &[(&str, &str)],
        folder: &Path,
    ) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("could not write `{}`", log.display()))?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(folder)
            .stdin(std::process::Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .context("could not start `setpriv`: install util-linux")?;
        let mut pids = File::options()
            .create(true)
            .append(true)
            .open(folder.join(PIDS))?;
        writeln!(pids, "{}", child.id())?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Fails when the program has ended, with the end of its log.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended with {status}:\n{}", self.name, self.last_lines());
        }
        Ok(())
    }

    /// What the program has printed so far.
    pub(crate) fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    pub(crate) fn last_lines(&self) -> String {
        let text = self.printed();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    }

    /// Asks the program to end, and gives its exit code; kills it when it takes too long.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        signal_group(self.child.id(), Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < GRACE {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.code(),
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Err(_) => break,
            }
        }
        self.kill();
        None
    }

    /// Stops the program in the middle of what it does, until [`Process::resume`].
    pub(crate) fn pause(&self) {
        signal_group(self.child.id(), Signal::STOP);
    }

    /// Has it go on.
    pub(crate) fn resume(&self) {
        signal_group(self.child.id(), Signal::CONT);
    }

    /// Its exit code, once it has ended by itself; a signal has none.
    pub(crate) fn ended(&mut self) -> Result<Option<Option<i32>>> {
        Ok(self.child.try_wait()?.map(|status| status.code()))
    }

    /// Ends the program at once.
    pub(crate) fn kill(&mut self) {
        signal_group(self.child.id(), Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

fn signal_group(id: u32, signal: Signal) {
    let group = i32::try_from(id).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, signal);
    }
}

/// The file of a run with the ids of what was started.
const PIDS: &str = "pids";

/// Ends what an earlier run in `folder` left behind: recorded processes whose command line names the folder.
pub(super) fn end_left_over(folder: &Path) {
    let pids = std::fs::read_to_string(folder.join(PIDS)).unwrap_or_default();
    for id in pids.lines().filter_map(|line| line.parse::<u32>().ok()) {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(&*folder.to_string_lossy()) {
            signal_group(id, Signal::KILL);
        }
    }
}
