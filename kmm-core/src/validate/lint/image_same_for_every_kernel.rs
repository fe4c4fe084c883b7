//! KMM1006: a mapping for every kernel whose image does not name the kernel.

use crate::diag::Severity;
use crate::template::KERNEL_VARIABLES;
use crate::template::Template;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::regexps;

pub(super) const RULE: Rule = Rule {
    code: "KMM1006",
    name: "image-same-for-every-kernel",
    summary: "a mapping for every kernel whose image does not name the kernel",
    explanation: "\
A kernel module fits the kernel that it was built for. A mapping whose regexp takes every kernel, with an image whose
name holds no kernel variable, gives the same image to all of them, also to those that come with the next update of
the nodes. The worker then finds no `lib/modules/<kernel>` in the image, and the module does not load. With `build`,
the first kernel's build is taken for all others, because the image exists by then.

```yaml
- regexp: '^.+$'
  containerImage: registry.example/driver:1.2                          # one image for all
  containerImage: registry.example/driver:1.2-${KERNEL_FULL_VERSION}   # one for each
```

Put `${KERNEL_FULL_VERSION}` into the tag. Where one image does hold the module for all of your kernels, say for which
ones: `literal`, or a regexp that is no wider than they are.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for merged in fields::merged(subject) {
        let Some(pattern) = subject.facts.pattern(merged.index) else {
            continue;
        };
        let (path, image) = merged.image;
        let names_kernel = Template::parse(image)
            .references()
            .any(|found| KERNEL_VARIABLES.contains(&found.name));
        if names_kernel || image.is_empty() || !regexps::takes_every_kernel(pattern) {
            continue;
        }
        let message = if merged.builds {
            "the regexp takes every kernel, but the image does not name it: what is built for the first is used for all"
        } else {
            "the regexp takes every kernel, but the image does not name it: one image cannot fit them all"
        };
        let finding = RULE.finding(path, message);
        findings.push(finding.with_help("put `${KERNEL_FULL_VERSION}` into the tag, or narrow the regexp"));
    }
}
