//! Which modules of which folder a configuration is about.

use std::collections::BTreeMap;

use crate::api::ModuleConfig;
use crate::go_text::join_path;
use crate::modprobe::Command;
use crate::modprobe::OutsideRoot;
use crate::modprobe::fold_name;
use crate::modprobe::load;
use crate::modprobe::module_of_file;
use crate::modprobe::unload;

/// What modprobe is asked to load or unload, read from its command line: what counts is what it gets.
///
/// # Example: a command line of one's own
///
/// ```
/// use kmm_core::worker::{config, target::Target};
///
/// let config = config::read("modprobe: {rawArgs: {load: [-v, -d, /tmp/opt, my-nic, queues=8]}}")?;
/// let target = Target::load(&config, "/tmp").unwrap();
/// assert_eq!(target.folder, "/tmp/opt");
/// assert_eq!((&*target.modules[0], &*target.parameters[0]), ("my_nic", "queues=8"));
/// # Ok::<(), config::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The command.
    pub command: Command,
    /// The folder that holds `lib/modules`: `-d`, or `/`.
    pub folder: String,
    /// The modules, with `_` and no `-`: the one asked for, then those of the loading order. Empty where the command
    /// line names none.
    pub modules: Vec<String>,
    /// The parameters as they are written.
    pub parameters: Vec<String>,
    /// Whether checks of the kernel are turned off (`--force` and its parts).
    pub forced: bool,
    /// Whether the command changes nothing or does something else: `--show-depends`, `--dry-run` and the like.
    pub unusual: bool,
}

impl Target {
    /// What is loaded.
    ///
    /// # Errors
    ///
    /// When `dirName` leads out of `root`.
    pub fn load(config: &ModuleConfig, root: &str) -> Result<Self, OutsideRoot> {
        // The last command loads; what stands before it removes in-tree modules.
        let mut commands = load(config, root)?;
        let command = commands
            .pop()
            .unwrap_or_else(|| Command::new("modprobe", [""; 0]));
        let mut target = Self::of(command, false);
        let order = config.modprobe.modules_loading_order.iter().flatten();
        for module in order.map(|name| fold_name(name)) {
            if !target.modules.contains(&module) {
                target.modules.push(module);
            }
        }
        Ok(target)
    }

    /// What is unloaded.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn unload(config: &ModuleConfig, root: &str) -> Result<Self, OutsideRoot> {
        Ok(Self::of(unload(config, root)?, true))
    }

    /// Reads a command line as kmod's modprobe does. When it loads, the words behind the module are parameters, unless
    /// `-a` makes them modules; when it removes, they are modules.
    fn of(command: Command, removes: bool) -> Self {
        let mut target = Self {
            command: command.clone(),
            folder: "/".to_owned(),
            modules: Vec::new(),
            parameters: Vec::new(),
            forced: false,
            unusual: false,
        };
        let mut many = removes;
        let mut words = Vec::new();
        let mut args = command.args.into_iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                words.extend(args.by_ref());
            } else if let Some(long) = arg.strip_prefix("--") {
                let (name, value) = long
                    .split_once('=')
                    .map_or((long, None), |(name, value)| (name, Some(value)));
                let takes = matches!(name, "dirname" | "config" | "set-version");
                let value = match value {
                    Some(value) => Some(value.to_owned()),
                    None if takes => args.next(),
                    None => None,
                };
                match name {
                    "dirname" => target.folder = value.unwrap_or_default(),
                    "all" | "remove" | "wait" => many = true,
                    _ => target.flag(name),
                }
            } else if let Some(cluster) = arg.strip_prefix('-').filter(|cluster| !cluster.is_empty()) {
                for (at, flag) in cluster.char_indices() {
                    let rest = cluster.get(at + flag.len_utf8()..).unwrap_or("");
                    if matches!(flag, 'd' | 'C' | 'S' | 'w') {
                        let value = if rest.is_empty() {
                            args.next()
                        } else {
                            Some(rest.to_owned())
                        };
                        if flag == 'd' {
                            target.folder = value.unwrap_or_default();
                        }
                        break;
                    }
                    match flag {
                        'a' | 'r' => many = true,
                        'f' => target.flag("force"),
                        'n' => target.flag("dry-run"),
                        'D' => target.flag("show-depends"),
                        'c' => target.flag("showconfig"),
                        'R' => target.flag("resolve-alias"),
                        'V' | 'h' => target.flag("version"),
                        _ => {}
                    }
                }
            } else {
                words.push(arg);
            }
        }
        let mut words = words.into_iter();
        target.modules.extend(words.next().map(|name| fold_name(&name)));
        if many {
            target.modules.extend(words.map(|name| fold_name(&name)));
        } else {
            target.parameters.extend(words);
        }
        target
    }

    fn flag(&mut self, name: &str) {
        match name {
            "force" | "force-vermagic" | "force-modversion" => self.forced = true,
            "dry-run" | "show" | "show-depends" | "showconfig" | "show-config" | "resolve-alias"
            | "version" | "help" | "dump-modversions" | "show-modversions" | "show-exports" => {
                self.unusual = true;
            }
            _ => {}
        }
    }

    /// Where modprobe looks for modules of a kernel.
    pub fn tree(&self, release: &str) -> String {
        join_path(&[&self.folder, "lib/modules", release])
    }
}

/// The files of `modules.dep`.
///
/// # Example: a module and what it needs
///
/// ```
/// use kmm_core::worker::target::ModulesDep;
///
/// let dep = ModulesDep::parse("extra/nic.ko: extra/acme-bus.ko\nextra/acme-bus.ko:\n");
/// assert_eq!(dep.path("nic"), Some("extra/nic.ko"));
/// assert_eq!(dep.needs("nic"), ["extra/acme-bus.ko"]);
/// assert_eq!(dep.path("acme_bus"), Some("extra/acme-bus.ko"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModulesDep {
    lines: BTreeMap<String, (String, Vec<String>)>,
}

impl ModulesDep {
    /// Reads the text of the file. Lines that are none are passed over; of two modules of one name the first counts.
    pub fn parse(text: &str) -> Self {
        let mut lines = BTreeMap::new();
        for line in text.lines() {
            let Some((path, needs)) = line.split_once(':') else {
                continue;
            };
            if let Some(name) = module_of_file(path) {
                let needs = needs.split_ascii_whitespace().map(str::to_owned).collect();
                lines.entry(name).or_insert_with(|| (path.to_owned(), needs));
            }
        }
        Self { lines }
    }

    /// The file of a module, below the folder of `modules.dep` or absolute.
    pub fn path(&self, module: &str) -> Option<&str> {
        self.lines.get(module).map(|(path, _)| path.as_str())
    }

    /// The files that a module needs, the nearest first.
    pub fn needs(&self, module: &str) -> &[String] {
        self.lines.get(module).map_or(&[], |(_, needs)| needs)
    }

    /// All files.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.lines.values().map(|(path, _)| path.as_str())
    }
}

#[cfg(test)]
#[cfg(feature = "yaml")]
mod tests {
    use super::*;
    use crate::worker::config;

    fn raw(args: &str) -> Target {
        let config = config::read(&format!("modprobe: {{rawArgs: {{load: [{args}]}}}}")).unwrap();
        Target::load(&config, "/tmp").unwrap()
    }

    #[test]
    fn command_lines_of_ones_own() {
        for (args, folder, modules, parameters) in [
            ("nic", "/", &["nic"][..], &[][..]),
            ("-vd, /tmp/opt, nic, a=1", "/tmp/opt", &["nic"], &["a=1"]),
            ("-vd/tmp/opt, nic", "/tmp/opt", &["nic"], &[]),
            (
                "--dirname=/tmp/x, -a, nic, my-bus",
                "/tmp/x",
                &["nic", "my_bus"],
                &[],
            ),
            ("--dirname, /tmp/x, --, -nic", "/tmp/x", &["_nic"], &[]),
            ("-C, /etc/x, nic", "/", &["nic"], &[]),
            ("", "/", &[], &[]),
        ] {
            let target = raw(args);
            assert_eq!(target.folder, folder, "{args}");
            assert_eq!(target.modules, modules, "{args}");
            assert_eq!(target.parameters, parameters, "{args}");
        }
        assert!(raw("--force-vermagic, nic").forced);
        assert!(raw("-nf, nic").forced && raw("-nf, nic").unusual);
    }

    #[test]
    fn orders() {
        let config =
            config::read("modprobe: {moduleName: a, dirName: /opt, modulesLoadingOrder: [a, b-c]}").unwrap();
        let target = Target::load(&config, "/tmp").unwrap();
        assert_eq!(target.modules, ["a", "b_c"]);
        assert_eq!(target.tree("6.1.0"), "/tmp/opt/lib/modules/6.1.0");
        let target = Target::unload(&config, "/tmp").unwrap();
        assert_eq!(target.modules, ["a", "b_c"]);
    }
}
