//! Which images are checked, and what for.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use anyhow::bail;
use kmm_core::api::ModprobeSpec;
use kmm_core::api::Module;
use kmm_core::api::TlsOptions;
use kmm_core::kernel::KernelVersion;
use kmm_core::module::Compiled;
use kmm_core::module::in_tree_to_remove;
use kmm_core::resolve::ModuleName;
use kmm_core::resolve::ResolveError;
use kmm_oci::ImageName;
use kmm_oci::Reference;
use kmm_oci::reference::ImageNameError;

use crate::cli::ImageCheck;
use crate::cli::Manifests;
use crate::image_source;
use crate::image_source::architecture;
use crate::manifests;
use crate::manifests::Loaded;
use crate::printer::Printer;

/// An image, and all that it is checked for.
#[derive(Debug)]
pub struct Job {
    /// As it was given, or as the mapping names it.
    pub image: String,
    pub reference: Reference,
    pub tls: TlsOptions,
    /// Of several images for several platforms, that for this is read.
    pub architecture: Option<String>,
    pub purposes: Vec<Purpose>,
}

/// What an image is to do.
#[derive(Debug, Clone)]
pub struct Purpose {
    pub module: Option<ModuleName>,
    /// None: every kernel that the image has modules for.
    pub kernel: Option<KernelVersion>,
    pub modprobe: ModprobeSpec,
    pub in_tree_to_remove: Vec<String>,
}

/// How a Module has its image pulled.
#[derive(Debug, Clone, Default)]
struct Reach {
    tls: TlsOptions,
    architecture: Option<String>,
}

impl Reach {
    fn new(tls: &TlsOptions, selector: &BTreeMap<String, String>) -> Self {
        Self {
            tls: tls.clone(),
            architecture: architecture(selector).map(str::to_owned),
        }
    }
}

/// A Module that has no image for a kernel.
#[derive(Debug)]
pub struct Unresolved {
    pub module: ModuleName,
    pub kernel: KernelVersion,
    pub reason: String,
}

/// All that is to be done.
#[derive(Debug, Default)]
pub struct Plan {
    pub jobs: Vec<Job>,
    pub unresolved: Vec<Unresolved>,
}

/// Takes the arguments apart.
///
/// # Errors
///
/// When a manifest cannot be read, a name is that of no image, or it is not said what to check for.
pub fn plan(arguments: &ImageCheck, kernels: &[KernelVersion], printer: &Printer) -> Result<Plan> {
    if arguments.files.is_empty() {
        return by_hand(arguments, kernels);
    }
    let stdin = arguments.files.iter().any(|file| file == Path::new("-"));
    if stdin && arguments.images.iter().any(|image| image == "-") {
        bail!("standard input is either a manifest or an image");
    }
    let manifests = Manifests {
        files: arguments.files.clone(),
        module: arguments.module.clone(),
    };
    let loaded = manifests::load(&manifests, printer)?;
    if arguments.images.is_empty() {
        by_mapping(kernels, &loaded)
    } else {
        as_if(arguments, kernels, &loaded)
    }
}

impl Plan {
    /// Each image is read once, whatever it is checked for.
    fn add(&mut self, image: &str, reference: Reference, reach: &Reach, purpose: Purpose) {
        let Reach { tls, architecture } = reach;
        let same =
            |job: &&mut Job| job.image == image && job.tls == *tls && job.architecture == *architecture;
        if let Some(job) = self.jobs.iter_mut().find(same) {
            job.purposes.push(purpose);
            return;
        }
        self.jobs.push(Job {
            image: image.to_owned(),
            reference,
            tls: tls.clone(),
            architecture: architecture.clone(),
            purposes: vec![purpose],
        });
    }
}

fn by_hand(arguments: &ImageCheck, kernels: &[KernelVersion]) -> Result<Plan> {
    let modprobe = ModprobeSpec {
        module_name: arguments.module.clone().unwrap_or_default(),
        dir_name: arguments.dir_name.clone().unwrap_or_else(|| "/opt".to_owned()),
        ..ModprobeSpec::default()
    };
    let mut plan = Plan::default();
    for image in &arguments.images {
        let reference = image_source::reference(image)?;
        for kernel in every(kernels) {
            let purpose = Purpose {
                module: None,
                kernel,
                modprobe: modprobe.clone(),
                in_tree_to_remove: Vec::new(),
            };
            plan.add(image, reference.clone(), &Reach::default(), purpose);
        }
    }
    Ok(plan)
}

/// The images that the mappings name.
fn by_mapping(kernels: &[KernelVersion], loaded: &Loaded) -> Result<Plan> {
    let mut plan = Plan::default();
    let mut asked = false;
    for compiled in &loaded.modules {
        let nodes = loaded.nodes.iter().filter(|node| {
            node.is_selected(compiled.selector()) && node.is_schedulable(compiled.tolerations())
        });
        let mut wanted = kernels.to_vec();
        for node in nodes {
            let kernel = KernelVersion::new(&node.kernel_version);
            if !wanted.contains(&kernel) {
                wanted.push(kernel);
            }
        }
        for kernel in wanted {
            asked = true;
            match compiled.resolve(&kernel) {
                Ok(resolved) => {
                    // A node pulls it from a registry: whatever else a manifest says names nothing here.
                    let name: ImageName = match resolved.container_image.parse() {
                        Ok(name) => name,
                        Err(error) => {
                            let error: ImageNameError = error;
                            plan.unresolved.push(Unresolved {
                                module: resolved.module,
                                kernel,
                                reason: format!("`{}`: {error}", resolved.container_image),
                            });
                            continue;
                        }
                    };
                    let purpose = Purpose {
                        module: Some(resolved.module),
                        kernel: Some(kernel),
                        modprobe: resolved.modprobe,
                        in_tree_to_remove: resolved.in_tree_modules_to_remove.unwrap_or_default(),
                    };
                    let reach = Reach::new(&resolved.registry_tls, compiled.selector());
                    plan.add(
                        &resolved.container_image,
                        Reference::Registry(name),
                        &reach,
                        purpose,
                    );
                }
                Err(ResolveError::NoModuleLoader) => {}
                Err(error) => plan.unresolved.push(Unresolved {
                    module: name_of(compiled),
                    kernel,
                    reason: error.to_string(),
                }),
            }
        }
    }
    if !asked {
        bail!("no kernels to look at: give -k KERNEL, or Nodes with -f");
    }
    if plan.jobs.is_empty() && plan.unresolved.is_empty() {
        bail!("no Module has a module loader, so there is no image to check");
    }
    Ok(plan)
}

/// The images that are given, as if each were that of every Module.
fn as_if(arguments: &ImageCheck, kernels: &[KernelVersion], loaded: &Loaded) -> Result<Plan> {
    let mut plan = Plan::default();
    for image in &arguments.images {
        let reference = image_source::reference(image)?;
        for (compiled, object) in loaded.modules.iter().zip(&loaded.objects) {
            let Some((tls, purpose)) = general(compiled, object) else {
                continue;
            };
            for kernel in every(kernels) {
                // The mapping of a new kernel may not be written yet: its image is what is being tried.
                let resolved = kernel.as_ref().and_then(|kernel| compiled.resolve(kernel).ok());
                let (tls, mut purpose) = match resolved {
                    None => (tls.clone(), purpose.clone()),
                    Some(resolved) => {
                        let purpose = Purpose {
                            modprobe: resolved.modprobe,
                            in_tree_to_remove: resolved.in_tree_modules_to_remove.unwrap_or_default(),
                            ..purpose.clone()
                        };
                        (resolved.registry_tls, purpose)
                    }
                };
                purpose.kernel = kernel;
                let reach = Reach::new(&tls, compiled.selector());
                plan.add(image, reference.clone(), &reach, purpose);
            }
        }
    }
    if plan.jobs.is_empty() {
        bail!("no Module has a module loader, so there is nothing to check for");
    }
    Ok(plan)
}

/// What a Module says for all kernels.
fn general(compiled: &Compiled, object: &Module) -> Option<(TlsOptions, Purpose)> {
    let container = &object.spec.module_loader.as_ref()?.container;
    let purpose = Purpose {
        module: Some(name_of(compiled)),
        kernel: None,
        modprobe: container.modprobe.clone(),
        in_tree_to_remove: in_tree_to_remove(container),
    };
    Some((container.registry_tls.clone(), purpose))
}

fn every(kernels: &[KernelVersion]) -> Vec<Option<KernelVersion>> {
    if kernels.is_empty() {
        return vec![None];
    }
    kernels.iter().cloned().map(Some).collect()
}

fn name_of(compiled: &Compiled) -> ModuleName {
    ModuleName {
        name: compiled.name().to_owned(),
        namespace: compiled.namespace().to_owned(),
    }
}
