//! One kernel mapping, made ready.

use crate::api::Build;
use crate::api::KernelMapping;
use crate::api::ModuleLoaderContainerSpec;
use crate::api::TlsOptions;
use crate::path::FieldPath;

use super::SourcedTemplate;
use super::build;
use super::image;
use super::in_tree;
use super::origin::Origin;
use super::origin::Origins;
use super::registry_tls;
use super::sign;
use super::sign::SignTemplates;
use crate::pattern::Pattern;
use crate::pattern::PatternError;

/// One kernel mapping: what it matches, and what the Module means where it wins.
#[derive(Clone, Debug)]
pub struct Mapping {
    index: usize,
    literal: String,
    regexp: String,
    pattern: Option<Result<Pattern, PatternError>>,
    pub(crate) image: SourcedTemplate,
    pub(crate) build: Option<Build>,
    pub(crate) sign: Option<SignTemplates>,
    pub(crate) registry_tls: TlsOptions,
    pub(crate) in_tree_modules_to_remove: Option<Vec<String>>,
    origins: Vec<Origin>,
}

/// How a mapping takes a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mapped {
    /// The literal is the kernel.
    Literal,
    /// The regexp is found in the kernel.
    Regexp,
}

impl Mapping {
    pub(super) fn new(index: usize, container: &ModuleLoaderContainerSpec, mapping: &KernelMapping) -> Self {
        let base = FieldPath::of("spec.moduleLoader.container");
        let path = base.field("kernelMappings").index(index);
        let mut origins = Origins::default();
        let image = image::merge(
            &container.container_image,
            &mapping.container_image,
            &path,
            &mut origins,
        );
        let build = build::merge(container.build.as_ref(), mapping.build.as_ref(), &mut origins);
        let container_sign = container.sign.as_ref().map(|sign| sign::Level {
            sign,
            path: base.field("sign"),
        });
        let mapping_sign = mapping.sign.as_ref().map(|sign| sign::Level {
            sign,
            path: path.field("sign"),
        });
        let sign = sign::merge(container_sign.as_ref(), mapping_sign.as_ref(), &mut origins);
        let registry_tls = registry_tls::merge(
            &container.registry_tls,
            mapping.registry_tls.as_ref(),
            &mut origins,
        );
        let in_tree_modules_to_remove = in_tree::merge(container, mapping, &mut origins);
        Self {
            index,
            literal: mapping.literal.clone(),
            regexp: mapping.regexp.clone(),
            pattern: (!mapping.regexp.is_empty()).then(|| Pattern::parse(&mapping.regexp)),
            image,
            build,
            sign,
            registry_tls,
            in_tree_modules_to_remove,
            origins: origins.into_vec(),
        }
    }

    /// Its place in `kernelMappings`, counted from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its place in the object.
    pub fn path(&self) -> FieldPath {
        FieldPath::of("spec.moduleLoader.container.kernelMappings").index(self.index)
    }

    /// The kernel that it takes, where it names one.
    pub fn literal(&self) -> Option<&str> {
        Some(self.literal.as_str()).filter(|literal| !literal.is_empty())
    }

    /// The regexp of the kernels that it takes, where it has one.
    pub fn regexp(&self) -> Option<&str> {
        Some(self.regexp.as_str()).filter(|regexp| !regexp.is_empty())
    }

    /// The regexp made ready, where it has one.
    ///
    /// # Errors
    ///
    /// When Go refuses the regexp.
    pub fn pattern(&self) -> Option<Result<&Pattern, &PatternError>> {
        self.pattern.as_ref().map(Result::as_ref)
    }

    /// How it takes the kernel (in matched form), if it does: the literal first, then the regexp.
    ///
    /// # Errors
    ///
    /// When the literal is not the kernel, and Go refuses the regexp.
    pub fn takes(&self, kernel: &str) -> Result<Option<Mapped>, &PatternError> {
        if self.literal() == Some(kernel) {
            return Ok(Some(Mapped::Literal));
        }
        match &self.pattern {
            None => Ok(None),
            Some(Ok(pattern)) => Ok(pattern.is_match(kernel).then_some(Mapped::Regexp)),
            Some(Err(error)) => Err(error),
        }
    }

    /// Which level each field came from, where this mapping wins.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }
}
