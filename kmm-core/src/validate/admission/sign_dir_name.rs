//! Files to sign are below `dirName`.

use crate::diag::Severity;
use crate::go_text::quote;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;
use super::sign_files::Place;
use super::sign_files::places;

pub(super) const RULE: Rule = Rule {
    code: "KMM0221",
    name: "sign-dir-name",
    summary: "a file to sign is not below `dirName`",
    explanation: r##"Only files below `modprobe.dirName` (`/opt` where it is not set) get into the signed image, so the operator refuses others. The
texts are compared as they are written, before templates are filled in: the file has to begin with `dirName` and a slash. A
`dirName` that ends in a slash therefore never matches.

```yaml
modprobe:
  moduleName: driver
  dirName: /usr/local
sign:
  filesToSign:
  - /opt/lib/modules/${KERNEL_FULL_VERSION}/driver.ko         # refused
  - /usr/local/lib/modules/${KERNEL_FULL_VERSION}/driver.ko
```

What to do: begin the path with `dirName`, or correct `dirName`.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let Some(container) = denial::container(subject) else {
        return;
    };
    let dir_name = &container.modprobe.dir_name;
    let below = |file: &str| {
        file.strip_prefix(dir_name)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    for Place {
        item,
        prefix,
        path,
        sign,
    } in places(subject)
    {
        for (i, file) in sign.files_to_sign.iter().enumerate() {
            if below(file) {
                continue;
            }
            let text = format!(
                "{prefix}filesToSign[{}] must be under dirName {}",
                quote(file),
                quote(dir_name)
            );
            let turn = Turn::new(Step::FilesToSign, item, i + 1);
            let found = denials.deny(&RULE, turn, path.field("filesToSign").index(i), text);
            if dir_name.ends_with('/') {
                found.help = Some("write `dirName` without a slash at its end".to_owned());
            }
        }
    }
}
