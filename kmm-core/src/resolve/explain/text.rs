//! An explanation as text.

use std::fmt;

use super::Explanation;
use crate::resolve::ModuleName;

impl fmt::Display for Explanation {
    /// What was decided, then the mappings, the origins that say something, and the templates.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ModuleName { name, namespace } = &self.module;
        write!(f, "{namespace}/{name} on {}: ", self.kernel)?;
        match &self.outcome {
            Ok(resolved) => write!(
                f,
                "`{}` by kernelMappings[{}]",
                resolved.container_image, resolved.mapping.index
            )?,
            Err(error) => write!(f, "{error}")?,
        }
        for mapping in &self.mappings {
            write!(f, "\n{mapping}")?;
        }
        for origin in &self.origins {
            write!(f, "\n{origin}")?;
        }
        for template in &self.templates {
            write!(f, "\n{template}")?;
        }
        Ok(())
    }
}
