//! From a Module made ready and a kernel to what is decided.

use crate::api::Sign;
use crate::kernel::KernelVersion;
use crate::module::Compiled;
use crate::module::Loader;
use crate::module::Mapping;
use crate::module::SourcedTemplate;
use crate::template::Variables;

use super::MappingChoice;
use super::ModuleName;
use super::ResolveError;
use super::Resolved;
use super::Stage;

impl Compiled {
    /// Everything that the Module means for the kernel.
    ///
    /// # Errors
    ///
    /// - [`ResolveError::NoModuleLoader`] where the Module loads nothing at all.
    /// - [`ResolveError::NoMapping`] where no mapping takes the kernel.
    /// - [`ResolveError::Regexp`] where a regexp that Go refuses is reached.
    /// - [`ResolveError::Kernel`] where the kernel has fewer than three parts.
    /// - [`ResolveError::Template`] where a template of the mapping that won is broken: of the signing settings first,
    ///   then of the image.
    pub fn resolve(&self, kernel: &KernelVersion) -> Result<Resolved, ResolveError> {
        let (loader, mapping, choice) = self.select(kernel)?;
        let sign = self.expand_sign(mapping, &choice, kernel)?;
        let container_image = self.expand_image(mapping, &choice, kernel)?;
        Ok(Resolved {
            module: ModuleName {
                name: self.name().to_owned(),
                namespace: self.namespace().to_owned(),
            },
            kernel: kernel.clone(),
            mapping: choice,
            container_image,
            image_pull_policy: loader.image_pull_policy.clone(),
            build: mapping.build.clone(),
            sign,
            registry_tls: mapping.registry_tls.clone(),
            in_tree_modules_to_remove: mapping.in_tree_modules_to_remove.clone(),
            tolerations: self.tolerations().to_vec(),
            modprobe: loader.modprobe.clone(),
            module_version: loader.version.clone(),
            service_account_name: loader.service_account_name.clone(),
            image_repo_secret: self.image_repo_secret().cloned(),
            selector: self.selector().clone(),
        })
    }

    /// The mapping that wins the kernel.
    pub(super) fn select(
        &self,
        kernel: &KernelVersion,
    ) -> Result<(&Loader, &Mapping, MappingChoice), ResolveError> {
        let loader = self.loader().ok_or(ResolveError::NoModuleLoader)?;
        for mapping in &loader.mappings {
            match mapping.takes(kernel.matched()) {
                Ok(None) => {}
                Ok(Some(mapped)) => return Ok((loader, mapping, MappingChoice::new(mapping, mapped))),
                Err(error) => {
                    return Err(ResolveError::Regexp {
                        kernel: kernel.matched().to_owned(),
                        index: mapping.index(),
                        regexp: mapping.regexp().unwrap_or_default().to_owned(),
                        error: error.clone(),
                    });
                }
            }
        }
        Err(ResolveError::NoMapping {
            kernel: kernel.matched().to_owned(),
        })
    }

    fn expand_sign(
        &self,
        mapping: &Mapping,
        choice: &MappingChoice,
        kernel: &KernelVersion,
    ) -> Result<Option<Sign>, ResolveError> {
        let Some(templates) = &mapping.sign else {
            return Ok(None);
        };
        let expansion = Expansion::new(Stage::Sign, choice, kernel)?;
        let mut sign = templates.fixed.clone();
        sign.unsigned_image = expansion.expand(&templates.unsigned_image)?;
        sign.files_to_sign = templates
            .files_to_sign
            .iter()
            .map(|file| expansion.expand(file))
            .collect::<Result<_, _>>()?;
        Ok(Some(sign))
    }

    fn expand_image(
        &self,
        mapping: &Mapping,
        choice: &MappingChoice,
        kernel: &KernelVersion,
    ) -> Result<String, ResolveError> {
        let mut expansion = Expansion::new(Stage::Image, choice, kernel)?;
        expansion.variables = expansion.variables.with_module(self.name(), self.namespace());
        expansion.expand(&mapping.image)
    }
}

/// The variables of one stage, and what its errors say.
struct Expansion<'a> {
    stage: Stage,
    choice: &'a MappingChoice,
    kernel: &'a KernelVersion,
    variables: Variables,
}

impl<'a> Expansion<'a> {
    fn new(stage: Stage, choice: &'a MappingChoice, kernel: &'a KernelVersion) -> Result<Self, ResolveError> {
        let variables = Variables::kernel(kernel).map_err(|error| ResolveError::Kernel {
            kernel: kernel.matched().to_owned(),
            stage,
            mapping: Box::new(choice.clone()),
            error,
        })?;
        Ok(Self {
            stage,
            choice,
            kernel,
            variables,
        })
    }

    fn expand(&self, sourced: &SourcedTemplate) -> Result<String, ResolveError> {
        let SourcedTemplate { path, template } = sourced;
        template
            .expand(&self.variables)
            .map_err(|error| ResolveError::Template {
                kernel: self.kernel.matched().to_owned(),
                stage: self.stage,
                mapping: Box::new(self.choice.clone()),
                path: path.clone(),
                template: template.source().to_owned(),
                error,
            })
    }
}
