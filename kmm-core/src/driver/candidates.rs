//! All Modules, ready to be looked at from a node.

use crate::reconcile::Kind;
use crate::reconcile::assign::Candidate;
use crate::resolve::ModuleName;

use super::Cache;
use super::Seen;

/// The Modules that the caches have, by namespace and name. What was resolved for one node serves the next one.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates(Vec<Candidate>);

impl Candidates {
    pub(super) fn all(&mut self) -> &mut [Candidate] {
        &mut self.0
    }

    fn place(&self, name: &ModuleName) -> Result<usize, usize> {
        self.0.binary_search_by(|candidate| {
            let ModuleName { namespace, name: own } = candidate.name();
            (namespace, own).cmp(&(&name.namespace, &name.name))
        })
    }

    /// Takes a Module over as the caches have it now.
    pub(super) fn see_module(&mut self, cache: &Cache, name: &ModuleName) {
        let found = cache.of_module(Kind::Module, name);
        let found = found.and_then(|seen| seen.shared_module());
        match (self.place(name), found) {
            (Ok(place), Some((module, compiled))) => {
                if let Some(candidate) = self.0.get_mut(place) {
                    candidate.see_module(module, compiled);
                }
            }
            (Ok(place), None) => {
                self.0.remove(place);
            }
            (Err(place), Some((module, compiled))) => {
                let images = cache.of_module(Kind::ModuleImagesConfig, name);
                let images = images.and_then(|seen| seen.images());
                self.0.insert(place, Candidate::new(module, compiled, images));
            }
            (Err(_), None) => {}
        }
    }

    /// Takes over what is known of the images of a Module.
    pub(super) fn see_images(&mut self, name: &ModuleName, seen: Option<&Seen>) {
        if let Ok(place) = self.place(name)
            && let Some(candidate) = self.0.get_mut(place)
        {
            candidate.see_images(seen.and_then(Seen::images));
        }
    }
}
