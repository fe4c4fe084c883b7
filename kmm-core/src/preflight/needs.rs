//! The images of a Module.

use serde::Serialize;
use thiserror::Error;

use crate::api::CommonContainerSpec;
use crate::api::Module;
use crate::build::Dockerfile;
use crate::build::dockerfile::FaultKind;
use crate::build::dockerfile::PulledBy;
use crate::build::dockerfile::UnknownImage;
use crate::resolve::Resolved;

/// What an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    /// It holds the kernel module.
    Kmod,
    /// It holds the module before it is signed.
    Unsigned,
    /// A stage of the build starts from it.
    BuildBase,
    /// The build copies files from it.
    BuildCopy,
    /// The device plugin.
    DevicePlugin,
    /// What runs before the device plugin.
    DevicePluginInit,
    /// The DRA driver.
    Dra,
    /// What runs before the DRA driver.
    DraInit,
}

/// An image that is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Need {
    /// The image.
    pub image: String,
    /// What for.
    pub purpose: Purpose,
    /// Whether the operator makes it, by a build or by signing, where it does not exist yet.
    pub made: bool,
}

/// Images that are needed but whose names cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Gap {
    /// The Dockerfile was not given.
    #[error(
        "the base images of the build are not known: the ConfigMap `{config_map}` is not among the manifests"
    )]
    NoDockerfile {
        /// Name of the ConfigMap.
        config_map: String,
    },
    /// The Dockerfile cannot be read.
    #[error(
        "the base images of the build are not known: the Dockerfile of the ConfigMap `{config_map}` {fault}"
    )]
    Dockerfile {
        /// Name of the ConfigMap.
        config_map: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The name of one image cannot be told.
    #[error("`{written}` in the ConfigMap `{config_map}`: {error}")]
    Image {
        /// Name of the ConfigMap.
        config_map: String,
        /// As it is written.
        written: String,
        /// Why.
        error: UnknownImage,
    },
    /// It is to be signed, and there is nothing to sign.
    #[error("the image is to be signed, but there is neither `build` nor `unsignedImage`")]
    NothingToSign,
    /// No level names the image of the kernel module.
    #[error("neither the mapping nor the container names an image")]
    NoImage,
}

impl Gap {
    /// A stable name of the variant: `noDockerfile`, `dockerfile`, `image`, `nothingToSign` or `noImage`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoDockerfile { .. } => "noDockerfile",
            Self::Dockerfile { .. } => "dockerfile",
            Self::Image { .. } => "image",
            Self::NothingToSign => "nothingToSign",
            Self::NoImage => "noImage",
        }
    }
}

/// The images of a Module for one kernel, and what is missing from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The images.
    pub images: Vec<Need>,
    /// What cannot be told.
    pub gaps: Vec<Gap>,
}

/// The images that loading needs, whatever exists already; `dockerfile` is the one that `build` names, if it was found.
///
/// # Example: an image that is signed needs the one before
///
/// ```
/// use kmm_core::api::Module;
/// use kmm_core::kernel::KernelVersion;
/// use kmm_core::module::Compiled;
/// use kmm_core::preflight;
///
/// let module: Module = serde_json::from_str(r#"{"spec": {"selector": {}, "moduleLoader": {"container": {
///   "modprobe": {"moduleName": "drv"},
///   "kernelMappings": [{"regexp": "^6", "containerImage": "img.example/drv:$KERNEL_VERSION",
///     "sign": {"unsignedImage": "img.example/raw:$KERNEL_VERSION"}}]
/// }}}}"#)?;
/// let resolved = Compiled::new(&module).resolve(&KernelVersion::new("6.1.0"))?;
/// let needs = preflight::needs(&resolved, None);
/// let images: Vec<&str> = needs.images.iter().map(|need| need.image.as_str()).collect();
/// assert_eq!(images, ["img.example/drv:6.1.0", "img.example/raw:6.1.0"]);
/// assert!(needs.images[0].made && !needs.images[1].made);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn needs(resolved: &Resolved, dockerfile: Option<&Dockerfile>) -> Needs {
    let mut needs = Needs::default();
    let made = resolved.build.is_some() || resolved.sign.is_some();
    if resolved.container_image.is_empty() {
        needs.gaps.push(Gap::NoImage);
    } else {
        needs.add(&resolved.container_image, Purpose::Kmod, made);
    }
    match (&resolved.build, &resolved.sign) {
        (Some(_), _) => needs.add_bases(resolved, dockerfile),
        (None, Some(sign)) if sign.unsigned_image.is_empty() => needs.gaps.push(Gap::NothingToSign),
        (None, Some(sign)) => needs.add(&sign.unsigned_image, Purpose::Unsigned, false),
        (None, None) => {}
    }
    needs
}

/// The images of a Module that no kernel changes: device plugin, DRA driver, and what runs before them.
pub fn extras(module: &Module) -> Vec<Need> {
    let spec = &module.spec;
    let plugin = spec.device_plugin.as_ref();
    let dra = spec.dra.as_ref();
    let containers: [(Option<&CommonContainerSpec>, Purpose); 4] = [
        (plugin.map(|plugin| &plugin.container), Purpose::DevicePlugin),
        (
            plugin.and_then(|plugin| plugin.init_container.as_ref()),
            Purpose::DevicePluginInit,
        ),
        (dra.map(|dra| &dra.container), Purpose::Dra),
        (dra.and_then(|dra| dra.init_container.as_ref()), Purpose::DraInit),
    ];
    let named = containers
        .into_iter()
        .filter_map(|(container, purpose)| Some((container?.image.as_str(), purpose)))
        .filter(|(image, _)| !image.is_empty());
    named
        .map(|(image, purpose)| Need {
            image: image.to_owned(),
            purpose,
            made: false,
        })
        .collect()
}

impl Needs {
    fn add(&mut self, image: &str, purpose: Purpose, made: bool) {
        let need = Need {
            image: image.to_owned(),
            purpose,
            made,
        };
        if !self.images.contains(&need) {
            self.images.push(need);
        }
    }

    fn add_bases(&mut self, resolved: &Resolved, dockerfile: Option<&Dockerfile>) {
        let build = resolved.build.clone().unwrap_or_default();
        let config_map = build.dockerfile_config_map.unwrap_or_default().name;
        let Some(dockerfile) = dockerfile else {
            return self.gaps.push(Gap::NoDockerfile { config_map });
        };
        let fault = dockerfile.faults.iter().find_map(|fault| match fault.kind {
            FaultKind::TooLong => Some("is too long"),
            FaultKind::NoStage => Some("has no `FROM`"),
            FaultKind::BeforeFrom(_)
            | FaultKind::UnknownInstruction(_)
            | FaultKind::OpenHeredoc(_)
            | FaultKind::Incomplete(_) => None,
        });
        if let Some(fault) = fault {
            return self.gaps.push(Gap::Dockerfile { config_map, fault });
        }
        let arguments = resolved.build_args().unwrap_or_default();
        for pulled in dockerfile.pulled(&arguments) {
            let purpose = match pulled.by {
                PulledBy::From(_) => Purpose::BuildBase,
                PulledBy::Copy(_) => Purpose::BuildCopy,
            };
            match pulled.image {
                Ok(image) => self.add(&image, purpose, false),
                Err(error) => self.gaps.push(Gap::Image {
                    config_map: config_map.clone(),
                    written: pulled.written,
                    error,
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::KernelVersion;
    use crate::module::Compiled;

    fn resolved(mapping: &str) -> Resolved {
        let text = format!(
            r#"{{"metadata": {{"name": "drv"}}, "spec": {{"selector": {{}}, "moduleLoader": {{"container": {{
                "modprobe": {{"moduleName": "drv"}}, "kernelMappings": [{{"regexp": "^6", {mapping}}}]}}}}}}}}"#
        );
        let module: Module = serde_json::from_str(&text).unwrap();
        Compiled::new(&module)
            .resolve(&KernelVersion::new("6.1.0+"))
            .unwrap()
    }

    fn shown(needs: &Needs) -> Vec<String> {
        let images = needs.images.iter();
        let images = images.map(|need| format!("{} {:?} {}", need.image, need.purpose, need.made));
        images
            .chain(needs.gaps.iter().map(|gap| gap.code().to_owned()))
            .collect()
    }

    #[test]
    fn what_is_built_is_not_signed_from_elsewhere() {
        let both = resolved(
            r#""containerImage": "a:1", "sign": {"unsignedImage": "raw:1"},
               "build": {"dockerfileConfigMap": {"name": "file"}, "buildArgs": [{"name": "TAG", "value": "9"}]}"#,
        );
        let file = Dockerfile::read(
            "ARG TAG\nARG KERNEL_VERSION\nFROM b:$TAG-$KERNEL_VERSION AS x\nFROM b:$TAG-$KERNEL_VERSION\n\
             COPY --from=c:1 / /\nCOPY --from=x / /\nFROM d:$NOTHING\n",
        );
        assert_eq!(
            shown(&needs(&both, Some(&file))),
            [
                "a:1 Kmod true",
                "b:9-6.1.0 BuildBase false",
                "c:1 BuildCopy false",
                "image"
            ]
        );
        assert_eq!(shown(&needs(&both, None)), ["a:1 Kmod true", "noDockerfile"]);
        let empty = Dockerfile::read("# nothing\n");
        assert_eq!(
            shown(&needs(&both, Some(&empty))),
            ["a:1 Kmod true", "dockerfile"]
        );
    }

    #[test]
    fn nothing_to_sign_and_no_image_are_gaps() {
        assert_eq!(
            shown(&needs(&resolved(r#""sign": {}"#), None)),
            ["noImage", "nothingToSign"]
        );
        assert_eq!(
            shown(&needs(&resolved(r#""containerImage": "a:1""#), None)),
            ["a:1 Kmod false"]
        );
    }

    #[test]
    fn extras_name_every_container() {
        let module: Module = serde_json::from_str(
            r#"{"spec": {"devicePlugin": {"container": {"image": "p"}, "initContainer": {"image": "i"}},
                "dra": {"container": {"image": "d"}, "initContainer": {"image": ""}}}}"#,
        )
        .unwrap();
        let images: Vec<(String, Purpose)> = extras(&module)
            .into_iter()
            .map(|need| (need.image, need.purpose))
            .collect();
        let expected = [
            ("p", Purpose::DevicePlugin),
            ("i", Purpose::DevicePluginInit),
            ("d", Purpose::Dra),
        ];
        assert_eq!(
            images,
            expected.map(|(image, purpose)| (image.to_owned(), purpose))
        );
    }
}
