//! What is worked out once for an object, whatever the number of rules that ask for it.

use crate::api::Module;
use crate::build::Dockerfile;
use crate::document::Node;
use crate::pattern::Pattern;

use super::Kind;

/// What is worked out once for an object: its regexps compiled, the Dockerfile that it holds.
///
/// The default knows nothing; rules that need more find nothing then.
#[derive(Debug, Default)]
pub struct Facts {
    patterns: Vec<Option<Pattern>>,
    dockerfile: Option<Dockerfile>,
}

impl Facts {
    /// Works out the facts of an object; `module` is what it was read as.
    pub fn of(kind: Kind, node: &Node, module: Option<&Module>) -> Self {
        let loader = module.and_then(|module| module.spec.module_loader.as_ref());
        let mappings = loader.map_or(&[][..], |loader| &loader.container.kernel_mappings);
        let compile = |regexp: &str| Pattern::parse(regexp).ok().filter(|_| !regexp.is_empty());
        let dockerfile = match kind {
            Kind::ConfigMap => node.get("data").and_then(|data| data.get("dockerfile")),
            Kind::Module | Kind::ManagedClusterModule | Kind::PreflightValidation => None,
        };
        Self {
            patterns: mappings.iter().map(|mapping| compile(&mapping.regexp)).collect(),
            dockerfile: dockerfile.and_then(Node::as_str).map(Dockerfile::read),
        }
    }

    /// The regexp of the mapping at `index`; `None` where there is none, or one that Go refuses.
    pub fn pattern(&self, index: usize) -> Option<&Pattern> {
        self.patterns.get(index)?.as_ref()
    }

    /// The Dockerfile under the key `dockerfile` of a ConfigMap.
    pub fn dockerfile(&self) -> Option<&Dockerfile> {
        self.dockerfile.as_ref()
    }
}
