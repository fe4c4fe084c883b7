//! Unloading: what is used by nobody first, and the firmware last.

use std::path::PathBuf;

use kmm_core::api::ModuleConfig;
use kmm_core::modprobe::Firmware;
use kmm_core::modprobe::WORKER_ROOT;
use kmm_core::worker::Reason;
use kmm_core::worker::loaded::Identity;
use kmm_core::worker::loaded::State;
use kmm_core::worker::privilege::Capability;
use kmm_core::worker::target::Target;

use crate::cause;
use crate::failure::Failure;
use crate::firmware::Folder;
use crate::image;
use crate::image::Image;
use crate::kernel_log::KernelLog;
use crate::load::owner;
use crate::process;
use crate::run::Run;
use crate::users;

/// Unloads what the configuration says.
pub fn unload(run: &mut Run) -> Result<(Reason, String), Failure> {
    let config = run.read_config()?;
    run.begin("precheck")?;
    let release = run.node.text("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    let root = run.node.path_text(WORKER_ROOT);
    let outside =
        |error: kmm_core::modprobe::OutsideRoot| Failure::new(Reason::OutsideRoot, error.to_string());
    let mut target = Target::unload(&config, &root).map_err(outside)?;
    run.about(&owner(&config), release);
    // The image may be gone, or be another one by now: a loaded module is unloaded all the same.
    let image = Image::find(&run.node, &target, release).unwrap_or_default();
    let there = in_order(run, &mut target, &config);
    if there.is_empty() && !target.unusual && !target.modules.is_empty() {
        run.info("not loaded", &[("modules", &target.modules.join(","))]);
        remove_firmware(run, &config)?;
        let proof = format!("/sys/module has none of {}", target.modules.join(", "));
        return Ok((Reason::NotLoaded, proof));
    }
    check(run, &there, &image)?;
    if !target.unusual {
        image::can_be_searched(&run.node, &target, release)?;
    }
    run.begin("modprobe")?;
    let mut log = KernelLog::open(&run.node);
    let outcome = process::modprobe(run, &target.command)?;
    let left = loaded(run, &there);
    // Where they are gone it is done, whatever modprobe says of what they needed.
    if !left.is_empty() || (there.is_empty() && !outcome.success) {
        let cause = cause::of(run, &outcome, &mut log, &image);
        return Err(why(run, &left, cause, &target, &image));
    }
    for name in &there {
        let observed = run.node.observe(name);
        run.found(name, &observed, None);
    }
    run.info("unloaded", &[("modules", &there.join(","))]);
    remove_firmware(run, &config)?;
    let proof = match there.as_slice() {
        [] => "modprobe ended well".to_owned(),
        names => format!("/sys/module has none of {}", names.join(", ")),
    };
    Ok((Reason::Unloaded, proof))
}

fn loaded(run: &Run, names: &[String]) -> Vec<String> {
    let there = |name: &&String| !matches!(run.node.observe(name).state(), State::Absent | State::BuiltIn);
    names.iter().filter(there).cloned().collect()
}

/// The modules that are loaded. Where the command line is ours, they stand in it in the order in which they can go: a
/// module after those that hold it.
fn in_order(run: &Run, target: &mut Target, config: &ModuleConfig) -> Vec<String> {
    let mut left = loaded(run, &target.modules);
    let mut ordered: Vec<String> = Vec::new();
    while !left.is_empty() {
        let free = left.iter().position(|name| {
            let holders = run.node.observe(name).holders;
            !left.iter().any(|other| other != name && holders.contains(other))
        });
        // Modules cannot hold each other; if it looks so, modprobe has the last word.
        ordered.push(left.remove(free.unwrap_or(0)));
    }
    let names = target.modules.len();
    let args = &mut target.command.args;
    if config.modprobe.raw_args.is_none() && ordered.len() == names && args.len() > names {
        let first = args.len() - names;
        // As the configuration spells them.
        let spelled: Vec<String> = args.drain(first..).collect();
        for name in &ordered {
            let fits = |word: &&String| kmm_core::modprobe::fold_name(word) == *name;
            args.extend(spelled.iter().find(fits).cloned());
        }
    }
    ordered
}

/// What keeps the modules from being unloaded for sure.
fn check(run: &mut Run, there: &[String], image: &Image) -> Result<(), Failure> {
    if let Some((reason, proof)) = run.node.facts().missing(Capability::SysModule) {
        return Err(Failure::new(reason, proof));
    }
    for name in there {
        let observed = run.node.observe(name);
        let others: Vec<&str> = observed
            .holders
            .iter()
            .filter(|holder| !there.contains(holder))
            .map(String::as_str)
            .collect();
        if !others.is_empty() {
            let proof = format!("`{name}` is used by module {}", others.join(", "));
            let mend = format!("Unload first what holds it: {}.", others.join(", "));
            return Err(Failure::new(Reason::InUse, proof).mended_by(mend));
        }
        let identity = image
            .module(name)
            .map(|module| module.expected.identity(&observed));
        if let Some(Identity::Other(proof)) = identity {
            let proof = format!("`{name}` is unloaded, although its {proof}");
            run.warn(Reason::OtherModuleLoaded, &proof);
        }
    }
    Ok(())
}

/// Who holds the modules that are left, where somebody does.
fn why(run: &mut Run, left: &[String], cause: Failure, target: &Target, image: &Image) -> Failure {
    let release = run.node.text("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut used = Vec::new();
    let mut by = Holders::Modules;
    for name in left {
        let observed = run.node.observe(name);
        run.found(name, &observed, None);
        let Some(words) = observed.in_use() else {
            continue;
        };
        let object = image.module(name).and_then(|module| module.object.as_ref());
        let exports = object.into_iter().flat_map(|object| &object.exports);
        let symbols: Vec<&str> = exports.map(|export| export.name.as_str()).collect();
        let likely = if observed.holders.is_empty() {
            image::naming(run, target, release.trim(), &symbols)
        } else {
            Vec::new()
        };
        let likely = match likely.as_slice() {
            [] => String::new(),
            names => format!(", likely {}, which names a symbol of it", names.join(", ")),
        };
        let users = if observed.holders.is_empty() {
            by = Holders::Unnamed;
            seen(&users::of(&run.node, name))
        } else {
            String::new()
        };
        used.push(format!("`{name}` is {words}{likely}{users}"));
    }
    if used.is_empty() {
        return cause;
    }
    match cause.reason {
        Reason::InUse | Reason::ModprobeFailed | Reason::Busy => {
            let failure = Failure::new(Reason::InUse, format!("{}; {}", used.join(", "), cause.proof));
            match by {
                Holders::Modules => failure,
                Holders::Unnamed => failure.mended_by(
                    "Stop what holds it, and unload it again: on the node, `lsof` names processes with its devices open, \
                     and /proc/mounts its file systems.",
                ),
            }
        }
        _ => cause,
    }
}

/// Whether the kernel names all that hold what is left.
enum Holders {
    Modules,
    Unnamed,
}

fn seen(users: &[String]) -> String {
    match users {
        [] => "; no process and no mount that can be seen from here is one of them".to_owned(),
        users => format!(": {}", users.join(", ")),
    }
}

/// Takes the firmware away. The module is gone by now, so that trouble here is only told.
fn remove_firmware(run: &mut Run, config: &ModuleConfig) -> Result<(), Failure> {
    if config.modprobe.firmware_path.is_empty() {
        return Ok(());
    }
    run.begin("firmware")?;
    let Some(host) = run.options.firmware_path.clone() else {
        run.warn(
            Reason::FirmwareFolder,
            "`firmwarePath` is set, and `--firmware-path` names no folder of the host: files stay where they are",
        );
        return Ok(());
    };
    let root = run.node.path_text(WORKER_ROOT);
    let destination = match Firmware::of(&config.modprobe, &root, &host) {
        Ok(Some(firmware)) => run.node.path(&firmware.destination),
        Ok(None) => return Ok(()),
        Err(_) => PathBuf::from(&host),
    };
    let removed = Folder::open(&destination).and_then(|folder| folder.take_away(run, &owner(config)));
    match removed {
        Err(failure) if failure.reason == Reason::Interrupted => Err(failure),
        Err(failure) => {
            run.warn(failure.reason, &failure.proof);
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
