//! KMM1064: a build argument whose value KMM replaces.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::names;

pub(super) const RULE: Rule = Rule {
    code: "KMM1064",
    name: "build-argument-replaced",
    summary: "a build argument whose value KMM replaces",
    explanation: "\
Every build is given `KERNEL_FULL_VERSION`, `KERNEL_VERSION`, `MOD_NAME` and `MOD_NAMESPACE`, and these win over
arguments of the same name in the Module. The value written there is never seen by a Dockerfile.

```yaml
buildArgs:
  - name: KERNEL_VERSION
    value: 5.14.0-427.el9.x86_64      # replaced by the version of the kernel
```

Remove it, or give it another name.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for build in fields::builds(subject) {
        for (index, argument) in build.value.build_args.iter().enumerate() {
            if names::DEFAULT_ARGUMENTS.contains(&argument.name.as_str()) {
                let path = build.path.field("buildArgs").index(index);
                let message = format!("KMM sets `{}` itself, whatever stands here", argument.name);
                let finding = RULE
                    .finding(path.field("name"), message)
                    .with_help("remove it, or give it another name");
                findings.push(finding.with_fix([Edit::Remove { path }]));
            }
        }
    }
}
