//! Why a Module means what it means for a kernel.

mod literal;
mod mapping;
mod regexp;
mod template;
mod text;

use serde::Serialize;
use serde::Serializer;
use serde::ser::SerializeStruct;

use crate::kernel::KernelVersion;
use crate::module::Compiled;
use crate::module::Mapping;
use crate::module::Origin;

use super::KernelForms;
use super::ModuleName;
use super::Record;
use super::ResolveError;
use super::Resolved;

pub use literal::LiteralMiss;
pub use mapping::MappingExplanation;
pub use mapping::MappingVerdict;
pub use regexp::RegexpMiss;
pub use regexp::StuckPart;
pub use template::TemplateExplanation;
pub use template::TemplateStep;

/// What was decided for a kernel, and why.
///
/// `Display` prints it as text of several lines, without colours; JSON is the same as data.
///
/// # Example: a literal that misses by a suffix
///
/// ```
/// use kmm_core::api::Module;
/// use kmm_core::kernel::KernelVersion;
/// use kmm_core::module::Compiled;
///
/// let module: Module = serde_json::from_str(r#"{"spec": {"moduleLoader": {"container": {
///   "kernelMappings": [
///     {"literal": "6.1.0", "containerImage": "img.example/drv:a"},
///     {"regexp": "amd64$", "containerImage": "img.example/drv:b"}
///   ]
/// }}}}"#)?;
/// let explanation = Compiled::new(&module).explain(&KernelVersion::new("6.1.0-13-amd64"));
/// assert_eq!(explanation.winner(), Some(1));
/// assert_eq!(
///     explanation.mappings[0].to_string(),
///     "kernelMappings[0], literal `6.1.0`: no: the kernel goes on with `-13-amd64`"
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The Module.
    pub module: ModuleName,
    /// The kernel.
    pub kernel: KernelVersion,
    /// What was decided: what [`Compiled::resolve`] returns.
    pub outcome: Result<Resolved, ResolveError>,
    /// Why each mapping did or did not win, in order.
    pub mappings: Vec<MappingExplanation>,
    /// Which level each field came from; empty where no mapping won.
    pub origins: Vec<Origin>,
    /// How each template expanded; empty where no mapping won.
    pub templates: Vec<TemplateExplanation>,
}

impl Explanation {
    /// The mapping that won, also where one of its templates is broken.
    pub fn winner(&self) -> Option<usize> {
        match &self.outcome {
            Ok(resolved) => Some(resolved.mapping.index),
            Err(error) => error.mapping().map(|choice| choice.index),
        }
    }
}

impl Compiled {
    /// What the Module means for the kernel, and why.
    pub fn explain(&self, kernel: &KernelVersion) -> Explanation {
        let Record {
            module,
            kernel,
            outcome,
        } = Record::new(self, kernel);
        let selected = self.select(&kernel);
        let mappings = mapping::explain(self.mappings(), &kernel, &selected);
        let winner: Option<&Mapping> = selected.ok().map(|(_, mapping, _)| mapping);
        Explanation {
            module,
            outcome,
            mappings,
            origins: winner.map_or_else(Vec::new, |mapping| {
                [mapping.origins(), self.toleration_origins()].concat()
            }),
            templates: winner.map_or_else(Vec::new, |mapping| template::explain(self, mapping, &kernel)),
            kernel,
        }
    }
}

impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Explanation", 7)?;
        fields.serialize_field("module", &self.module)?;
        fields.serialize_field("kernel", &KernelForms::new(&self.kernel))?;
        fields.serialize_field("winner", &self.winner())?;
        fields.serialize_field("mappings", &self.mappings)?;
        fields.serialize_field("origins", &self.origins)?;
        fields.serialize_field("templates", &self.templates)?;
        let error = self.outcome.as_ref().err();
        fields.serialize_field("error", &error.map(super::record::ErrorFields::new))?;
        fields.end()
    }
}
