//! Why a Module means nothing for a kernel.

use std::fmt;

use thiserror::Error;

use crate::go_text::quote;
use crate::kernel::TooFewComponents;
use crate::path::FieldPath;
use crate::pattern::PatternError;
use crate::template::TemplateError;

use super::MappingChoice;

/// Why a Module means nothing for a kernel. The texts are the Go operator's.
///
/// # Example: a kernel that no mapping takes
///
/// ```
/// use kmm_core::api::{Module, ModuleLoaderSpec};
/// use kmm_core::kernel::KernelVersion;
/// use kmm_core::module::Compiled;
///
/// let mut module = Module::default();
/// module.spec.module_loader = Some(ModuleLoaderSpec::default());
/// let error = Compiled::new(&module).resolve(&KernelVersion::new("6.1.0+")).unwrap_err();
/// assert_eq!(error.code(), "noMapping");
/// assert_eq!(error.to_string(), "failed to find mapping for kernel 6.1.0: kernel mapping not found");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The Module has no `moduleLoader`: there is nothing to load, on any kernel. The Go operator crashes on it.
    #[error("the Module has no `moduleLoader`, so there is no kernel module to load")]
    NoModuleLoader,
    /// No mapping takes the kernel: its nodes are not targeted. Not a fault of the Module.
    #[error("failed to find mapping for kernel {kernel}: kernel mapping not found")]
    NoMapping {
        /// The kernel, in matched form.
        kernel: String,
    },
    /// No mapping took the kernel before one with a regexp that Go refuses.
    #[error(
        "failed to find mapping for kernel {kernel}: could not match regexp {} against kernel {}: {error}",
        quote(regexp),
        quote(kernel)
    )]
    Regexp {
        /// The kernel, in matched form.
        kernel: String,
        /// Which mapping.
        index: usize,
        /// Its regexp.
        regexp: String,
        /// Why Go refuses it.
        error: PatternError,
    },
    /// The kernel has too few parts for the variables of templates.
    #[error("{}failed to get kernel componnents as env variables, {error}", stage.prefix(kernel))]
    Kernel {
        /// The kernel, in matched form.
        kernel: String,
        /// What could not be expanded.
        stage: Stage,
        /// The mapping that won.
        mapping: Box<MappingChoice>,
        /// What is wrong with the kernel.
        error: TooFewComponents,
    },
    /// A template of the mapping that won is broken.
    #[error("{}{}failed to substitute {}: {error}", stage.prefix(kernel), stage.field(), quote(template))]
    Template {
        /// The kernel, in matched form.
        kernel: String,
        /// What could not be expanded.
        stage: Stage,
        /// The mapping that won.
        mapping: Box<MappingChoice>,
        /// Where the template stands.
        path: FieldPath,
        /// The template.
        template: String,
        /// What is wrong with it.
        error: TemplateError,
    },
}

impl ResolveError {
    /// A stable name of the variant: `noModuleLoader`, `noMapping`, `regexp`, `kernel` or `template`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoModuleLoader => "noModuleLoader",
            Self::NoMapping { .. } => "noMapping",
            Self::Regexp { .. } => "regexp",
            Self::Kernel { .. } => "kernel",
            Self::Template { .. } => "template",
        }
    }

    /// The mapping that won before the error, if one did.
    pub fn mapping(&self) -> Option<&MappingChoice> {
        match self {
            Self::NoModuleLoader | Self::NoMapping { .. } | Self::Regexp { .. } => None,
            Self::Kernel { mapping, .. } | Self::Template { mapping, .. } => Some(mapping),
        }
    }
}

/// Which templates could not be expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Those of the signing settings, which come first.
    Sign,
    /// The one of the image.
    Image,
}

impl Stage {
    fn prefix(self, kernel: &str) -> impl fmt::Display {
        match self {
            Self::Sign => format!(
                "failed to prepare module loader data for kernel {kernel}: \
                 failed to get the relevant Sign configuration for kernel {kernel}: "
            ),
            Self::Image => format!("failed to replace templates in module loader data for kernel {kernel}: "),
        }
    }

    fn field(self) -> &'static str {
        match self {
            Self::Sign => "",
            Self::Image => "failed to substitute templates in the ContainerImage field: ",
        }
    }
}
