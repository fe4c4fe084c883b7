//! KMM1037: a file to sign by a kernel version that templates spell otherwise.

use crate::diag::Severity;
use crate::kernel::KernelVersion;
use crate::template::KERNEL_VARIABLES;
use crate::template::Template;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1037",
    name: "sign-path-of-odd-kernel",
    summary: "a file to sign by a kernel version that templates spell otherwise",
    explanation: r#"In templates every character of the kernel version outside `[A-Za-z0-9._-]` becomes `_`. Build arguments and folders
keep it. For a kernel with a `+` inside, `/opt/lib/modules/${KERNEL_FULL_VERSION}/` in `filesToSign` is a folder that
the Dockerfile did not make, and the sign build fails.

```yaml
- literal: 6.1.0+rt-1          # folder 6.1.0+rt-1, template 6.1.0_rt-1
  sign:
    filesToSign: ["/opt/lib/modules/${KERNEL_FULL_VERSION}/driver.ko"]
```

Use a glob that fits both: `/opt/lib/modules/6.1.0?rt-1/driver.ko`.
"#,
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let mappings = fields::mappings(subject);
    for sign in fields::signs(subject) {
        let odd = mappings.iter().enumerate().find(|(index, mapping)| {
            let kernel = KernelVersion::new(mapping.literal.as_str());
            sign.mapping.is_none_or(|own| own == *index) && kernel.normalized() != kernel.matched()
        });
        let Some((_, mapping)) = odd else {
            continue;
        };
        for (index, file) in sign.value.files_to_sign.iter().enumerate() {
            let template = Template::parse(file.as_str());
            if template
                .references()
                .any(|found| KERNEL_VARIABLES.contains(&found.name))
            {
                let kernel = KernelVersion::new(mapping.literal.as_str());
                let message = format!(
                    "templates spell the kernel `{}` as `{}`, folders do not",
                    mapping.literal,
                    kernel.normalized()
                );
                let finding = RULE.finding(sign.path.field("filesToSign").index(index), message);
                findings.push(finding.with_help("use `?` for the characters that differ"));
            }
        }
    }
}
