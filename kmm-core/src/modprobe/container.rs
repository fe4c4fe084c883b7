//! Commands of a driver container: the image itself runs modprobe through its shell.

use crate::api::ModprobeSpec;
use crate::api::ModuleConfig;
use crate::go_text::join_path;

use super::Command;
use super::in_tree_modules;
use super::shell::quote;
use super::shell::quote_double;
use super::worker::modules_to_unload;

/// What a driver container runs to load a module: `/bin/sh -c` and one line.
///
/// The folder is the one in the image. In-tree modules are removed first, and where that fails nothing is loaded.
/// A loading order needs the text of [`softdep_conf`](super::softdep_conf) in the container's `/etc/modprobe.d`.
/// Folder and modules are always in double quotes, everything else is in single quotes where it needs quotes.
///
/// # Example: the command of a pre-built driver container
///
/// ```
/// use kmm_core::api::{ModprobeSpec, ModuleConfig};
/// use kmm_core::modprobe::container_load;
///
/// let config = ModuleConfig {
///     modprobe: ModprobeSpec {
///         module_name: "ptemplate_char_dev".to_owned(),
///         dir_name: "/opt".to_owned(),
///         parameters: vec!["max_dev=5".to_owned(), "default_msg=ptemplate".to_owned()],
///         ..Default::default()
///     },
///     ..Default::default()
/// };
/// let command = container_load(&config);
/// assert_eq!((command.program.as_str(), command.args[0].as_str()), ("/bin/sh", "-c"));
/// assert_eq!(
///     command.args[1],
///     r#"modprobe -v -d "/opt" "ptemplate_char_dev" max_dev=5 default_msg=ptemplate"#
/// );
/// ```
pub fn container_load(config: &ModuleConfig) -> Command {
    let spec = &config.modprobe;
    let mut script = String::new();
    let in_tree = in_tree_modules(config);
    if !in_tree.is_empty() {
        script.push_str("modprobe -r -v");
        push_all(&mut script, in_tree.iter().map(|module| quote_double(module)));
        script.push_str(" && ");
    }
    script.push_str("modprobe");
    if let Some(raw) = &spec.raw_args {
        push_all(&mut script, raw.load.iter().map(|arg| quote(arg)));
        return shell(script);
    }
    let args = spec.args.iter().flat_map(|args| &args.load);
    push_options(&mut script, "-v", spec, args);
    push_all(&mut script, [quote_double(&spec.module_name)]);
    push_all(
        &mut script,
        spec.parameters.iter().map(|parameter| quote(parameter)),
    );
    shell(script)
}

/// What a driver container runs to unload a module, and with a loading order all modules of it; otherwise as
/// [`container_load`].
///
/// # Example: unload in a driver container
///
/// ```
/// use kmm_core::api::{ModprobeSpec, ModuleConfig};
/// use kmm_core::modprobe::container_unload;
///
/// let modprobe = ModprobeSpec {
///     module_name: "driver".to_owned(),
///     dir_name: "/opt".to_owned(),
///     ..Default::default()
/// };
/// let command = container_unload(&ModuleConfig { modprobe, ..Default::default() });
/// assert_eq!(command.args, ["-c", r#"modprobe -r -v -d "/opt" "driver""#]);
/// ```
pub fn container_unload(config: &ModuleConfig) -> Command {
    let spec = &config.modprobe;
    let mut script = String::from("modprobe");
    if let Some(raw) = &spec.raw_args {
        push_all(&mut script, raw.unload.iter().map(|arg| quote(arg)));
        return shell(script);
    }
    let args = spec.args.iter().flat_map(|args| &args.unload);
    push_options(&mut script, "-r -v", spec, args);
    let modules = modules_to_unload(spec);
    push_all(&mut script, modules.iter().map(|module| quote_double(module)));
    shell(script)
}

fn push_options<'a>(
    script: &mut String,
    action: &str,
    spec: &ModprobeSpec,
    args: impl Iterator<Item = &'a String>,
) {
    let directory = quote_double(&join_path(&["/", &spec.dir_name]));
    push_all(script, [action, "-d", &directory]);
    push_all(script, args.map(|arg| quote(arg)));
}

fn push_all(script: &mut String, words: impl IntoIterator<Item = impl AsRef<str>>) {
    for word in words {
        script.push(' ');
        script.push_str(word.as_ref());
    }
}

fn shell(script: String) -> Command {
    Command::new("/bin/sh", ["-c".to_owned(), script])
}
