//! Coverage as text.

use std::fmt;

use super::Coverage;
use super::KernelCoverage;
use super::MappingCoverage;
use super::ModuleCoverage;
use crate::resolve::ResolveError;

/// Nodes without a mapping that are named.
const MOST_NAMES: usize = 5;

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
    /// A summary, every kernel with its mapping, and the mappings that are not used.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}: ", self.module.namespace, self.module.name)?;
        if !self.loads {
            return f.write_str("nothing to load");
        }
        let covered = self.kernels.len() - self.uncovered().count();
        write!(f, "{covered} of {} kernels covered", self.kernels.len())?;
        for kernel in &self.kernels {
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
        match self.nodes {
            0 => {}
            1 => f.write_str(" (1 node)")?,
            nodes => write!(f, " ({nodes} nodes)")?,
        }
        match (&self.error, self.mapping) {
            (Some(ResolveError::NoMapping { .. }), _) => {
                f.write_str(": no mapping takes it")?;
                let named = self.node_names.iter().take(MOST_NAMES);
                for (index, name) in named.enumerate() {
                    write!(f, "{}{name}", if index == 0 { ": " } else { ", " })?;
                }
                match self.node_names.len().saturating_sub(MOST_NAMES) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
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
            let plural = if self.kernels == 1 { "" } else { "s" };
            write!(f, ": wins {} kernel{plural}", self.kernels)
        } else {
            write!(f, ": {}", self.reach)
        }
    }
}
