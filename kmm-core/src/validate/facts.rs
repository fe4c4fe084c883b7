//! What is worked out once for an object, whatever the number of rules that ask for it.

use crate::api::Module;
use crate::build::Dockerfile;
use crate::document::Node;
use crate::path::FieldPath;
use crate::pattern::Pattern;
use crate::pattern::PatternError;

use super::Kind;

/// What is worked out once for an object: its regexps compiled, the Dockerfile that it holds.
///
/// Without them ([`Facts::none`]) rules that need them find nothing.
#[derive(Debug)]
pub struct Facts {
    patterns: Vec<Option<Result<Pattern, PatternError>>>,
    dockerfile: Option<(FieldPath, Dockerfile)>,
}

impl Facts {
    /// No facts: enough for the rules of admission.
    pub fn none() -> &'static Self {
        static NONE: Facts = Facts {
            patterns: Vec::new(),
            dockerfile: None,
        };
        &NONE
    }

    /// Works out the facts of an object; `module` is what it was read as.
    pub fn of(kind: Kind, node: &Node, module: Option<&Module>) -> Self {
        let loader = module.and_then(|module| module.spec.module_loader.as_ref());
        let mappings = loader.map_or(&[][..], |loader| &loader.container.kernel_mappings);
        let compile = |regexp: &str| (!regexp.is_empty()).then(|| Pattern::parse(regexp));
        let dockerfile = match kind {
            Kind::ConfigMap => dockerfile_of(node),
            Kind::Module | Kind::ManagedClusterModule | Kind::PreflightValidation => None,
        };
        Self {
            patterns: mappings.iter().map(|mapping| compile(&mapping.regexp)).collect(),
            dockerfile: dockerfile.map(|(path, text)| (path, Dockerfile::read(text))),
        }
    }

    /// The regexp of the mapping at `index`; `None` where there is none, or one that is refused.
    pub fn pattern(&self, index: usize) -> Option<&Pattern> {
        self.patterns.get(index)?.as_ref()?.as_ref().ok()
    }

    /// Why the regexp of the mapping at `index` is refused.
    pub fn pattern_error(&self, index: usize) -> Option<&PatternError> {
        self.patterns.get(index)?.as_ref()?.as_ref().err()
    }

    /// The Dockerfile that a ConfigMap holds, also where it stands in a place that the operator does not look at.
    pub fn dockerfile(&self) -> Option<&Dockerfile> {
        self.dockerfile.as_ref().map(|(_, file)| file)
    }

    /// Where that Dockerfile stands.
    pub fn dockerfile_path(&self) -> FieldPath {
        self.dockerfile
            .as_ref()
            .map_or_else(FieldPath::root, |(path, _)| path.clone())
    }
}

/// The text under `dockerfile`, or of a key that is nearly so, and of `spec.data`: rules of their own tell of those.
fn dockerfile_of(node: &Node) -> Option<(FieldPath, &str)> {
    ["data", "spec.data"]
        .into_iter()
        .map(FieldPath::of)
        .find_map(|folder| {
            let data = node.at(&folder)?.as_mapping()?;
            let near = data
                .effective()
                .find(|entry| entry.key.eq_ignore_ascii_case("dockerfile"));
            let entry = data.entry("dockerfile").or(near)?;
            Some((folder.field(entry.key.as_str()), entry.value.as_str()?))
        })
}
