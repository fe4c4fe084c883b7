//! Coverage as text.

use std::fmt;

use super::Coverage;
use super::KernelCoverage;
use super::MappingCoverage;
use super::ModuleCoverage;

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, module) in self.modules.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            module.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for ModuleCoverage {
    /// A summary, the kernels that get nothing, and the mappings that are not used.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}: ", self.module.namespace, self.module.name)?;
        if !self.loads {
            return f.write_str("nothing to load");
        }
        let covered = self.kernels.len() - self.uncovered().count();
        write!(f, "{covered} of {} kernels covered", self.kernels.len())?;
        for kernel in self.uncovered() {
            write!(f, "\n{kernel}")?;
        }
        for mapping in self.unused() {
            write!(f, "\n{mapping}")?;
        }
        Ok(())
    }
}

impl fmt::Display for KernelCoverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kernel {}", self.kernel)?;
        if self.nodes > 0 {
            write!(f, " ({} nodes)", self.nodes)?;
        }
        match (&self.error, self.mapping) {
            (Some(error), _) => write!(f, ": {error}"),
            (None, Some(mapping)) => write!(f, ": kernelMappings[{mapping}]"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for MappingCoverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kernelMappings[{}]", self.index)?;
        if let Some(literal) = &self.literal {
            write!(f, ", literal `{literal}`")?;
        }
        if let Some(regexp) = &self.regexp {
            write!(f, ", regexp `{regexp}`")?;
        }
        if self.kernels > 0 {
            write!(f, ": wins {} kernels", self.kernels)
        } else {
            write!(f, ": {}", self.reach)
        }
    }
}
