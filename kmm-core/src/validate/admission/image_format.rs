//! Images need a tag or a digest.

use crate::diag::Severity;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0214",
    name: "image-format",
    summary: "an image has neither tag nor digest",
    explanation: r##"A kmod image has to say which one it is, with a tag (`:`) or a digest (`@`): otherwise `latest` would be meant, which changes
under the nodes. The operator looks for a `:` or `@` anywhere in the text, before templates are filled in, so the port of a
registry passes too.

```yaml
containerImage: registry.example/driver                          # refused
containerImage: registry.example/driver:${KERNEL_FULL_VERSION}
```

What to do: add a tag that names the kernel, or a digest.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let Some(container) = denial::container(subject) else {
        return;
    };
    let mut look = |image: &str, turn, path| {
        if image.is_empty() || image.contains([':', '@']) {
            return;
        }
        let text = format!(
            "failed to validate image format: container image must explicitely set a tag or digest; got: {image}"
        );
        let found = denials.deny(&RULE, turn, path, text);
        found.help = Some(format!("add a tag: `{image}:${{KERNEL_FULL_VERSION}}`"));
    };
    let turn = |item, check| Turn::new(Step::KernelMappings, item, check);
    look(
        &container.container_image,
        turn(0, 1),
        subject.container("containerImage"),
    );
    for (i, mapping) in container.kernel_mappings.iter().enumerate() {
        look(
            &mapping.container_image,
            turn(i + 1, 4),
            subject.mapping(i).field("containerImage"),
        );
    }
}
