//! Control groups of a node that is this machine.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

/// What its control groups are called, with the id of the process that made them.
const GROUP: &str = "kmm-test-node-";
/// How long containers may take to end once their node is gone; a loaded machine takes its time.
const END: Duration = Duration::from_secs(180);

/// The control groups of a node, below which those of its pods are. They are removed when this is dropped.
#[derive(Debug)]
pub(super) struct Groups {
    name: String,
}

impl Groups {
    /// Makes one in each hierarchy, after clearing away what killed runs left behind.
    pub(super) fn make() -> Result<Self> {
        let own = std::process::id().to_string();
        for (name, owner) in Self::present()? {
            // Ids of processes are used again, this one's own too.
            if owner == own || !Path::new("/proc").join(owner).exists() {
                Self { name }.remove()?;
            }
        }
        let groups = Self {
            name: format!("{GROUP}{own}"),
        };
        for hierarchy in hierarchies()? {
            let folder = hierarchy.join(&groups.name);
            fs::create_dir(&folder).with_context(|| format!("could not make `{}`", folder.display()))?;
            // In the first version of control groups, a set of processors has to have some before anything can run there.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                let (from, to) = (hierarchy.join(file), folder.join(file));
                if from.exists() && to.exists() {
                    fs::write(to, fs::read(from)?)?;
                }
            }
        }
        Ok(groups)
    }

    /// What they are called, in each hierarchy.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Names of the groups of all nodes on this machine, and who made them.
    fn present() -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        for hierarchy in hierarchies()? {
            for entry in fs::read_dir(hierarchy)? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                if let Some(owner) = name.strip_prefix(GROUP) {
                    found.push((name.clone(), owner.to_owned()));
                }
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// Removes them; containers may take a moment to end.
    pub(super) fn remove(&self) -> Result<()> {
        let started = Instant::now();
        loop {
            let mut left = Vec::new();
            for hierarchy in hierarchies()? {
                remove_groups(&hierarchy.join(&self.name), &mut left);
            }
            if left.is_empty() {
                return Ok(());
            }
            ensure!(
                started.elapsed() < END,
                "control groups were left by the node: {left:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        // What is left is cleared away by the next run.
        let _ = self.remove();
    }
}

/// Where control groups are made: one place, or one for each controller.
fn hierarchies() -> Result<Vec<PathBuf>> {
    let top = Path::new("/sys/fs/cgroup");
    let is_one = |folder: &Path| folder.join("cgroup.procs").exists();
    if is_one(top) {
        return Ok(vec![top.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(top)? {
        let path = entry?.path();
        if !path.is_symlink() && is_one(&path) {
            found.push(path);
        }
    }
    ensure!(
        !found.is_empty(),
        "there are no control groups in {}",
        top.display()
    );
    Ok(found)
}

/// Removes a group with those below it; names those that cannot go yet.
fn remove_groups(group: &Path, left: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(group) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_groups(&entry.path(), left);
        }
    }
    if fs::remove_dir(group).is_err() && group.exists() {
        left.push(group.to_owned());
    }
}
