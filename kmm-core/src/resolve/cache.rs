//! Resolving for many nodes.

use std::collections::HashMap;
use std::ops::Deref;

use crate::kernel::KernelVersion;
use crate::module::Compiled;

use super::ResolveError;
use super::Resolved;

/// Resolves one Module for many nodes, once for each distinct kernel.
///
/// Memory grows with the number of distinct kernels, not with the number of nodes.
///
/// # Example: a thousand nodes, two kernels
///
/// ```
/// use kmm_core::api::Module;
/// use kmm_core::module::Compiled;
/// use kmm_core::resolve::Resolver;
///
/// let module: Module = serde_json::from_str(r#"{"spec": {"moduleLoader": {"container": {
///   "kernelMappings": [{"regexp": "^6\\.", "containerImage": "img.example/drv:$KERNEL_XYZ"}]
/// }}}}"#)?;
/// let compiled = Compiled::new(&module);
/// let mut resolver = Resolver::new(&compiled);
/// for node in 0..1000 {
///     let kernel = if node % 2 == 0 { "6.1.0-13-amd64" } else { "5.10.0-9-amd64" };
///     assert_eq!(resolver.resolve(kernel).is_ok(), node % 2 == 0);
/// }
/// assert_eq!(resolver.kernels(), 2);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Resolver<C> {
    /// The Module: a reference, or one that is shared.
    compiled: C,
    /// From the raw kernel to its place in `outcomes`.
    places: HashMap<Box<str>, usize>,
    outcomes: Vec<Result<Resolved, ResolveError>>,
}

impl<C: Deref<Target = Compiled>> Resolver<C> {
    /// A resolver that has seen no kernel yet.
    pub fn new(compiled: C) -> Self {
        Self {
            compiled,
            places: HashMap::new(),
            outcomes: Vec::new(),
        }
    }

    /// Everything that the Module means for a kernel, as a node reports it.
    ///
    /// # Errors
    ///
    /// As [`Compiled::resolve`].
    pub fn resolve(&mut self, kernel: &str) -> Result<&Resolved, &ResolveError> {
        let place = match self.places.get(kernel) {
            Some(&place) => place,
            None => {
                let place = self.outcomes.len();
                self.outcomes
                    .push(self.compiled.resolve(&KernelVersion::new(kernel)));
                self.places.insert(kernel.into(), place);
                place
            }
        };
        // Places are only made together with their outcome, and outcomes are never removed.
        self.outcomes[place].as_ref()
    }

    /// How many distinct kernels it has seen.
    pub fn kernels(&self) -> usize {
        self.outcomes.len()
    }
}
