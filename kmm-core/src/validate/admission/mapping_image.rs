//! Every kernel mapping has an image.

use crate::diag::Severity;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0217",
    name: "mapping-image",
    summary: "a kernel mapping has no image, and its container neither",
    explanation: r##"A kernel mapping with an empty `containerImage` uses the one of the container. If that is empty too, there is nothing to load.

```yaml
container:
  # containerImage: registry.example/driver:${KERNEL_FULL_VERSION}
  kernelMappings:
  - regexp: '^.+$'
    containerImage: ""     # refused without the line above
```

What to do: give the mapping or the container an image.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let Some(container) = denial::container(subject).filter(|container| container.container_image.is_empty())
    else {
        return;
    };
    for (i, mapping) in container.kernel_mappings.iter().enumerate() {
        if mapping.container_image.is_empty() {
            let text = format!("missing spec.moduleLoader.container.kernelMappings[{i}].containerImage");
            let path = subject.mapping(i).field("containerImage");
            let found = denials.deny(&RULE, Turn::new(Step::KernelMappings, i + 1, 3), path, text);
            found.help =
                Some("name an image here, or one for all mappings in `container.containerImage`".to_owned());
        }
    }
}
