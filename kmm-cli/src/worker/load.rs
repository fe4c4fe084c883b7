//! Loading: everything is checked before anything is changed, and looked at after it.

use std::path::Path;

use kmm_core::api::ModuleConfig;
use kmm_core::modprobe::Firmware;
use kmm_core::worker::Reason;
use kmm_core::worker::loaded::Identity;
use kmm_core::worker::loaded::Observed;
use kmm_core::worker::loaded::ParameterFinding;
use kmm_core::worker::loaded::State;
use kmm_core::worker::precheck;
use kmm_core::worker::privilege::Capability;
use kmm_core::worker::privilege::Facts;
use kmm_core::worker::target::Target;

use crate::cause;
use crate::class_path;
use crate::failure::Failure;
use crate::firmware::Folder;
use crate::firmware::Source;
use crate::image::Image;
use crate::image::ImageModule;
use crate::in_tree;
use crate::kernel_log::KernelLog;
use crate::process;
use crate::run::Run;

/// What is to be done, after all checks.
struct Plan {
    config: ModuleConfig,
    target: Target,
    image: Image,
    in_tree: Vec<String>,
    firmware: Option<(Source, Folder)>,
    /// Whether everything that is asked for is there already.
    there: bool,
    /// Those of the image's modules that were there before, in any state.
    before: Vec<String>,
}

/// Loads what the configuration says.
pub fn load(run: &mut Run) -> Result<(Reason, String), Failure> {
    let plan = check(run)?;
    if !plan.in_tree.is_empty() {
        run.begin("in-tree")?;
        in_tree::remove(run, &plan.in_tree)?;
    }
    class_path::set(run)?;
    let done = put_and_load(run, &plan);
    if let Err(failure) = &done {
        match failure.reason {
            // The next run goes on from there.
            Reason::Interrupted => {}
            // Modprobe may still be at it: the kernel does not let it go before the module's initialisation ends.
            Reason::ModprobeTimeout => run.info("firmware is left: modprobe may still need it", &[]),
            _ => take_firmware_back(run, &plan),
        }
    }
    done
}

fn put_and_load(run: &mut Run, plan: &Plan) -> Result<(Reason, String), Failure> {
    if let Some((source, folder)) = &plan.firmware {
        run.begin("firmware")?;
        folder.put(run, &owner(&plan.config), source)?;
    }
    if plan.there {
        let proof = prove(run, plan)?;
        return Ok((Reason::AlreadyLoaded, proof));
    }
    run.begin("modprobe")?;
    let mut log = KernelLog::open(&run.node);
    let outcome = process::modprobe(run, &plan.target.command)?;
    if !outcome.success {
        return Err(cause::of(run, &outcome, &mut log, &plan.image));
    }
    let proof = prove(run, plan)?;
    Ok((Reason::Loaded, proof))
}

/// Files that no module can ask for any more are no use to anybody; the next try puts them again. A module asks for them
/// while it is initialised, and later too: when a device comes or wakes up. So they are left as long as the kernel has
/// any module that they may be for: one that is asked for, or one that was loaded with it.
fn take_firmware_back(run: &mut Run, plan: &Plan) {
    let Some((_, folder)) = &plan.firmware else {
        return;
    };
    if plan.target.unusual || plan.target.modules.is_empty() {
        run.info(
            "firmware is left: the command line does not tell which modules it is for",
            &[],
        );
        return;
    }
    let needed = plan.image.modules.iter().map(|module| &module.name);
    let new = needed.filter(|name| !plan.before.contains(name));
    for name in plan.target.modules.iter().chain(new) {
        match run.node.observe(name).state() {
            State::Absent | State::BuiltIn => {}
            state @ (State::Coming | State::Live | State::Going) => {
                let fields = [("module", name.as_str()), ("state", state.name())];
                run.info("firmware is left: a module may need it", &fields);
                return;
            }
        }
    }
    if let Err(failure) = folder.take_away(run, &owner(&plan.config)) {
        run.warn(failure.reason, &failure.proof);
    }
}

/// Whose firmware it is: that of a module, whatever the image or its tag.
pub fn owner(config: &ModuleConfig) -> String {
    if !config.modprobe.module_name.is_empty() {
        return config.modprobe.module_name.clone();
    }
    let load = Target::load(config, "/").ok();
    let unload = Target::unload(config, "/").ok();
    let named = |target: Option<Target>| target?.modules.into_iter().next();
    named(load)
        .or_else(|| named(unload))
        .unwrap_or_else(|| "-".to_owned())
}

fn check(run: &mut Run) -> Result<Plan, Failure> {
    let config = run.read_config()?;
    run.begin("precheck")?;
    let kernel = run.node.kernel();
    if kernel.release.is_empty() {
        let path = run.node.path_text("/proc/sys/kernel/osrelease");
        return Err(Failure::new(
            Reason::FileFailed,
            format!("`{path}` cannot be read"),
        ));
    }
    let root = run.node.path_text(kmm_core::modprobe::WORKER_ROOT);
    let outside =
        |error: kmm_core::modprobe::OutsideRoot| Failure::new(Reason::OutsideRoot, error.to_string());
    let target = Target::load(&config, &root).map_err(outside)?;
    let release = kernel.release.clone();
    run.about(&owner(&config), &release);
    let facts = run.node.facts();
    takes_modules(run, &target, &facts)?;
    let image = if target.unusual {
        Image::default()
    } else {
        Image::find(&run.node, &target, &release)?
    };
    let in_tree = in_tree::to_remove(run, &config, &image);
    let there = are_there(run, &target, &image, &in_tree)?;
    if !there {
        check_objects(run, &image, kernel, &target)?;
        if let Some((reason, proof)) = facts.missing(Capability::SysModule) {
            return Err(Failure::new(reason, proof));
        }
    }
    let firmware = match &run.options.firmware_path {
        Some(host) => Firmware::of(&config.modprobe, &root, host).map_err(outside)?,
        None if config.modprobe.firmware_path.is_empty() => None,
        None => {
            let proof = "`firmwarePath` is set, and `--firmware-path` names no folder of the host";
            return Err(Failure::new(Reason::FirmwareFolder, proof));
        }
    };
    let firmware = match firmware {
        Some(firmware) => {
            let source = Source::read(run, Path::new(&root), &firmware.source)?;
            let folder = Folder::open(&run.node.path(&firmware.destination))?;
            folder.check_writable()?;
            Some((source, folder))
        }
        None => None,
    };
    let modules: Vec<&str> = image.modules.iter().map(|module| module.name.as_str()).collect();
    let before = modules.iter().filter(|name| run.node.shows(name));
    let before = before.map(|name| (*name).to_owned()).collect();
    let state = if there {
        "already loaded"
    } else {
        "the kernel takes it, as far as can be seen"
    };
    run.info(state, &[("kernel", &release), ("modules", &modules.join(","))]);
    Ok(Plan {
        config,
        target,
        image,
        in_tree,
        firmware,
        there,
        before,
    })
}

/// A kernel without loadable modules has what is a part of it, and never more.
fn takes_modules(run: &Run, target: &Target, facts: &Facts) -> Result<(), Failure> {
    let built_in = |name: &String| run.node.observe(name).state() == State::BuiltIn;
    match facts.no_modules() {
        Some((reason, proof)) if !target.unusual && !target.modules.iter().all(built_in) => {
            Err(Failure::new(reason, proof))
        }
        _ => Ok(()),
    }
}

/// Whether all that is asked for is loaded already, and is the image's.
fn are_there(run: &mut Run, target: &Target, image: &Image, in_tree: &[String]) -> Result<bool, Failure> {
    if target.modules.is_empty() || target.unusual {
        return Ok(false);
    }
    let mut all = true;
    for name in &target.modules {
        let observed = run.node.observe(name);
        let state = observed.state();
        if state != State::Live || in_tree.contains(name) {
            all = false;
        }
        let Some(module) = image.module(name) else {
            continue;
        };
        if state == State::BuiltIn {
            let proof = format!("/sys/module/{name} is there, and has no `initstate`");
            return Err(Failure::new(Reason::BuiltIn, proof));
        }
        if state == State::Live && !in_tree.contains(name) {
            same(run, module, &observed)?;
        }
    }
    Ok(all)
}

/// Holds what is loaded to the image's file; another module is an error.
fn same(run: &mut Run, module: &ImageModule, observed: &Observed) -> Result<Identity, Failure> {
    let identity = module.expected.identity(observed);
    match &identity {
        Identity::Other(proof) => {
            let name = &module.name;
            let proof = format!("`{name}` is loaded, and its {proof}");
            let mend = format!(
                "Unload it: `rmmod {name}`; where it came with the kernel, add it to `inTreeModulesToRemove`."
            );
            return Err(Failure::new(Reason::OtherModuleLoaded, proof).mended_by(mend));
        }
        Identity::Rebuilt(proof) => {
            let proof = format!(
                "`{}` is of the same source as the image's, and its {proof}",
                module.name
            );
            run.warn(Reason::OtherModuleLoaded, &proof);
        }
        Identity::Same(_) | Identity::Unknown => {}
    }
    Ok(identity)
}

/// Whether the running kernel would take the modules that are not loaded yet.
fn check_objects(
    run: &mut Run,
    image: &Image,
    mut kernel: precheck::RunningKernel,
    target: &Target,
) -> Result<(), Failure> {
    for module in &image.modules {
        let Some(object) = &module.object else {
            run.info(
                "too large to be checked",
                &[("file", &module.path.to_string_lossy())],
            );
            continue;
        };
        let observed = run.node.observe(&module.name);
        match observed.state() {
            State::Live if !module.asked_for => {
                if let Identity::Other(proof) = module.expected.identity(&observed) {
                    let proof = format!("`{}`, which is needed, is loaded, and its {proof}", module.name);
                    run.warn(Reason::OtherModuleLoaded, &proof);
                }
            }
            State::BuiltIn => {}
            _ => {
                let refused = precheck::check(object, &kernel, target.forced);
                if let Some(first) = refused.first() {
                    let proofs: Vec<&str> = refused
                        .iter()
                        .map(|refused| refused.proof.as_str())
                        .take(4)
                        .collect();
                    let proof = format!("`{}`: {}", module.path.display(), proofs.join("; "));
                    return Err(Failure::new(first.reason, proof));
                }
            }
        }
        kernel.known.add(object);
    }
    Ok(())
}

/// Looks at what is loaded, whatever modprobe said.
fn prove(run: &mut Run, plan: &Plan) -> Result<String, Failure> {
    // Nothing is changed from here on: a run that is to stop may as well end.
    let _ = run.begin("proof");
    if plan.target.unusual || plan.target.modules.is_empty() {
        let proof = "the command line loads nothing that could be looked at";
        run.info(proof, &[]);
        return Ok(proof.to_owned());
    }
    let mut proofs = Vec::new();
    for name in &plan.target.modules {
        let observed = run.node.observe(name);
        let module = plan.image.module(name);
        let identity = module.map(|module| module.expected.identity(&observed));
        run.found(name, &observed, identity.as_ref());
        let is_first = plan.target.modules.first() == Some(name);
        match (observed.state(), module) {
            (State::Live, Some(module)) => {
                let shown = match same(run, module, &observed)? {
                    Identity::Same(shown) => shown,
                    Identity::Rebuilt(_) | Identity::Other(_) => "the same source".to_owned(),
                    Identity::Unknown => "neither has a srcversion or a build id".to_owned(),
                };
                proofs.push(format!("/sys/module/{name} is live: {shown}"));
                if is_first {
                    parameters(run, plan, module, &observed)?;
                }
            }
            (State::Live, None) => proofs.push(format!("/sys/module/{name} is live")),
            // Modprobe takes one that is part of the kernel, or an alias, for loaded.
            (State::BuiltIn, None) => proofs.push(format!("/sys/module/{name} is a part of the kernel")),
            (State::Absent, None) => {
                run.info("not to be seen: a name for something else", &[("module", name)]);
            }
            (state, _) => {
                let proof = format!("modprobe ended well, and /sys/module/{name} is {}", state.name());
                return Err(Failure::new(Reason::NotProved, proof));
            }
        }
    }
    let proof = proofs.join("; ");
    run.info("loaded", &[("proof", &proof)]);
    Ok(proof)
}

/// Parameters of a module that was there before are an error, as nothing was done to set them; those of one that was
/// loaded now may have been changed by the module itself.
fn parameters(run: &mut Run, plan: &Plan, module: &ImageModule, observed: &Observed) -> Result<(), Failure> {
    if module.object.is_none() {
        return Ok(());
    }
    for finding in module.expected.parameters(&plan.target.parameters, observed) {
        match finding {
            ParameterFinding::Unknown { name } => {
                let proof = format!(
                    "`{}` has no parameter `{name}`: the kernel ignores it",
                    module.name
                );
                run.warn(Reason::ParameterUnknown, &proof);
            }
            ParameterFinding::Differs { name, wanted, shown } => {
                let proof = format!(
                    "/sys/module/{}/parameters/{name} is `{shown}`, `{wanted}` was asked for",
                    module.name
                );
                if plan.there {
                    return Err(Failure::new(Reason::ParameterDiffers, proof));
                }
                run.warn(Reason::ParameterDiffers, &proof);
            }
        }
    }
    Ok(())
}
