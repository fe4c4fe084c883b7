//! The scenarios: shell scripts below `xtask/vm/scenarios`, with a head that says where they run.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

/// What a machine's kernel and firmware insist on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Policy {
    /// Nothing: every module of this kernel may be loaded.
    Open,
    /// Modules have to be signed (`module.sig_enforce=1`).
    Signed,
    /// As before, and the firmware's `db` has a key of ours.
    Firmware,
    /// The kernel is locked down (`lockdown=integrity`).
    Lockdown,
}

impl Policy {
    const ALL: [Self; 4] = [Self::Open, Self::Signed, Self::Firmware, Self::Lockdown];

    /// What scenarios call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Signed => "signed",
            Self::Firmware => "firmware",
            Self::Lockdown => "lockdown",
        }
    }

    /// What the kernel is told.
    pub(crate) fn arguments(self) -> &'static str {
        match self {
            Self::Open => "",
            Self::Signed | Self::Firmware => "module.sig_enforce=1",
            Self::Lockdown => "lockdown=integrity",
        }
    }
}

/// One scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    /// The name of its file.
    pub(crate) name: String,
    /// The kernels it runs on.
    pub(crate) kernels: Vec<String>,
    /// What the machine insists on.
    pub(crate) policy: Policy,
    /// Whether the kernel has to panic, which ends the machine.
    pub(crate) panics: bool,
}

impl Scenario {
    /// A script that is none of the scenarios.
    pub(crate) fn alone(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kernels: Vec::new(),
            policy: Policy::Open,
            panics: false,
        }
    }

    /// Reads the head: `# A sentence.`, then `# KEY: VALUE` lines.
    fn read(name: &str, text: &str, kernels: &[&str]) -> Result<Self> {
        let mut head = text.lines().map_while(|line| line.strip_prefix("# "));
        if !head.next().is_some_and(|title| title.ends_with('.')) {
            bail!("the first line has to be a comment, a sentence");
        }
        let mut scenario = Self {
            name: name.to_owned(),
            kernels: Vec::new(),
            policy: Policy::Open,
            panics: false,
        };
        for line in head {
            let Some((key, value)) = line.split_once(": ") else {
                continue;
            };
            match key {
                "kernels" => scenario.kernels = value.split(' ').map(str::to_owned).collect(),
                "policy" => {
                    let policy = Policy::ALL.into_iter().find(|policy| policy.name() == value);
                    scenario.policy = policy.with_context(|| format!("there is no policy `{value}`"))?;
                }
                "ends" if value == "panic" => scenario.panics = true,
                _ => bail!("`{key}: {value}` is not understood: known are kernels, policy and ends: panic"),
            }
        }
        if let Some(unknown) = scenario
            .kernels
            .iter()
            .find(|name| !kernels.contains(&name.as_str()))
        {
            bail!("there is no kernel `{unknown}`: known are {}", kernels.join(", "));
        }
        if scenario.kernels.is_empty() {
            bail!("the head names no kernels");
        }
        Ok(scenario)
    }
}

/// Reads all scenarios of a folder, in the order of their names.
pub(crate) fn read(folder: &Path, kernels: &[&str]) -> Result<Vec<Scenario>> {
    let entries = fs::read_dir(folder).with_context(|| format!("could not read `{}`", folder.display()))?;
    let mut paths: Vec<_> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    paths.sort();
    let scenario = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(path)?;
        Scenario::read(&name, &text, kernels)
    };
    let read = paths
        .iter()
        .map(|path| scenario(path).with_context(|| path.display().to_string()));
    read.collect()
}

/// How one scenario ended in one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Its name.
    pub(crate) name: String,
    /// Its exit code; `None` when the machine ended before it did.
    pub(crate) code: Option<i32>,
    /// Hundredths of a second, as the machine counts them.
    pub(crate) hundredths: u64,
    /// What it said.
    pub(crate) log: String,
}

/// Reads what came over the second serial port.
pub(crate) fn outcomes(results: &str) -> Vec<Outcome> {
    let mut all: Vec<Outcome> = Vec::new();
    for line in results.lines() {
        if let Some(name) = line.strip_prefix("##start ") {
            all.push(Outcome {
                name: name.to_owned(),
                code: None,
                hundredths: 0,
                log: String::new(),
            });
            continue;
        }
        let Some(last) = all.last_mut().filter(|outcome| outcome.code.is_none()) else {
            continue;
        };
        match line
            .strip_prefix("##end ")
            .map(|rest| rest.split(' ').collect::<Vec<_>>())
        {
            Some(words) if words.len() == 3 && words[0] == last.name => {
                last.code = words[1].parse().ok();
                last.hundredths = words[2].parse().unwrap_or_default();
            }
            _ => {
                last.log.push_str(line);
                last.log.push('\n');
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::Policy;
    use super::Scenario;
    use super::outcomes;

    const KERNELS: [&str; 2] = ["cloud", "rt"];

    #[test]
    fn the_head_is_read() {
        let text = "# Does this.\n# kernels: cloud rt\n# policy: lockdown\n\nworker load # kernels: x\n";
        let scenario = Scenario::read("this", text, &KERNELS).expect("the head is right");
        assert_eq!(scenario.kernels, KERNELS);
        assert_eq!(scenario.policy, Policy::Lockdown);
    }

    #[test]
    fn a_wrong_head_is_an_error() {
        for text in [
            "",
            "# Does this.\n",
            "# No full stop\n# kernels: cloud\n",
            "# Does this.\n# kernels: clout\n",
            "# Does this.\n# kernels: cloud\n# policy: none\n",
            "# Does this.\n# kernels: cloud\n# kernel: rt\n",
        ] {
            assert!(Scenario::read("this", text, &KERNELS).is_err(), "{text}");
        }
    }

    #[test]
    fn what_has_no_end_has_no_code() {
        let all = outcomes("##start a\none\n##end b 0 1\n##end a 0 12\nbetween\n##start b\ntwo\n");
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].code, all[0].hundredths), (Some(0), 12));
        assert_eq!(all[0].log, "one\n##end b 0 1\n");
        assert_eq!((all[1].code, all[1].log.as_str()), (None, "two\n"));
    }
}
