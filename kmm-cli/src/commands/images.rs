//! `kmm images`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use anyhow::Result;
use anyhow::bail;
use kmm_core::api::Module;
use kmm_core::kernel::KernelVersion;
use kmm_core::module::Compiled;
use kmm_core::preflight;
use kmm_core::preflight::Need;
use kmm_core::preflight::Purpose;
use kmm_core::resolve::ModuleName;
use kmm_core::resolve::ResolveError;
use serde::Serialize;

use crate::cli::Images;
use crate::exit::ExitStatus;
use crate::manifests;
use crate::manifests::Loaded;
use crate::printer::Printer;
use crate::render::printable;

#[derive(Serialize)]
struct Answer {
    version: u32,
    images: Vec<Image>,
    gaps: Vec<Gap>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    image: String,
    made: bool,
    needed_by: Vec<User>,
}

#[derive(Serialize)]
struct User {
    module: ModuleName,
    purpose: Purpose,
    kernels: Vec<String>,
}

#[derive(Serialize)]
struct Gap {
    module: ModuleName,
    kernel: String,
    code: &'static str,
    message: String,
}

/// Who needs an image: a Module, what for, on which kernels; none where it does not depend on the kernel.
type Users = BTreeMap<(ModuleName, Purpose), BTreeSet<String>>;

#[derive(Default)]
struct Collected {
    /// By image: whether the operator makes it, and who needs it.
    images: BTreeMap<String, (bool, Users)>,
    gaps: Vec<Gap>,
}

pub fn run(arguments: &Images, printer: &Printer) -> Result<ExitStatus> {
    let mut loaded = manifests::load(&arguments.manifests, printer)?;
    if let Some(path) = &arguments.nodes {
        loaded.nodes.extend(manifests::read_nodes(path)?);
    }
    if loaded.nodes.is_empty() && arguments.kernels.is_empty() {
        bail!("no kernels to look at: give --nodes FILE or -k KERNEL");
    }
    let mut collected = Collected::default();
    for (compiled, object) in loaded.modules.iter().zip(&loaded.objects) {
        let kernels = kernels_of(compiled, &loaded, &arguments.kernels);
        if !kernels.is_empty() {
            collected.add_module(compiled, object, &kernels, &loaded);
        }
    }
    let answer = collected.answer(arguments.no_made);
    let status = if answer.gaps.is_empty() {
        ExitStatus::Yes
    } else {
        ExitStatus::No
    };
    match arguments.output.structured() {
        Some(format) => printer.document(format, &answer)?,
        None => {
            for gap in &answer.gaps {
                let name = format!("{}/{}", gap.module.namespace, gap.module.name);
                let line = format!("kmm: {name} on {}: {}", gap.kernel, gap.message);
                printer.notice(&printable(&line));
            }
            let lines = answer.images.iter().map(|image| printable(&image.image) + "\n");
            printer.data(&lines.collect::<String>())?;
        }
    }
    Ok(status)
}

/// The kernels that count for a Module: those given, and those of the nodes that it targets.
fn kernels_of<'a>(compiled: &Compiled, loaded: &'a Loaded, given: &'a [String]) -> BTreeSet<&'a str> {
    let targeted = loaded
        .nodes
        .iter()
        .filter(|node| node.is_selected(compiled.selector()) && node.is_schedulable(compiled.tolerations()));
    let of_nodes = targeted.map(|node| node.kernel_version.as_str());
    given.iter().map(String::as_str).chain(of_nodes).collect()
}

impl Collected {
    fn add_module(
        &mut self,
        compiled: &Compiled,
        object: &Module,
        kernels: &BTreeSet<&str>,
        loaded: &Loaded,
    ) {
        let module = ModuleName {
            name: compiled.name().to_owned(),
            namespace: compiled.namespace().to_owned(),
        };
        for need in preflight::extras(object) {
            self.add(&module, None, need);
        }
        for kernel in kernels {
            let mut gap = |code: &'static str, message: String| {
                self.gaps.push(Gap {
                    module: module.clone(),
                    kernel: (*kernel).to_owned(),
                    code,
                    message,
                });
            };
            let resolved = match compiled.resolve(&KernelVersion::new(*kernel)) {
                Ok(resolved) => resolved,
                Err(ResolveError::NoModuleLoader) => continue,
                Err(error) => {
                    gap(error.code(), error.to_string());
                    continue;
                }
            };
            let config_map = resolved
                .build
                .as_ref()
                .and_then(|build| build.dockerfile_config_map.as_ref());
            let dockerfile = config_map.and_then(|named| loaded.dockerfile(&module.namespace, &named.name));
            let needs = preflight::needs(&resolved, dockerfile);
            for found in needs.gaps {
                gap(found.code(), found.to_string());
            }
            for need in needs.images {
                self.add(&module, Some(kernel), need);
            }
        }
    }

    fn add(&mut self, module: &ModuleName, kernel: Option<&str>, need: Need) {
        let (made, users) = self
            .images
            .entry(need.image)
            .or_insert_with(|| (true, Users::new()));
        // Who makes it for one does not make it for another.
        *made &= need.made;
        let kernels = users.entry((module.clone(), need.purpose)).or_default();
        kernels.extend(kernel.map(str::to_owned));
    }

    fn answer(self, no_made: bool) -> Answer {
        let images = self
            .images
            .into_iter()
            .filter(|(_, (made, _))| !(no_made && *made));
        let images = images.map(|(image, (made, users))| Image {
            image,
            made,
            needed_by: users
                .into_iter()
                .map(|((module, purpose), kernels)| User {
                    module,
                    purpose,
                    kernels: kernels.into_iter().collect(),
                })
                .collect(),
        });
        Answer {
            version: 1,
            images: images.collect(),
            gaps: self.gaps,
        }
    }
}
