//! A Module cannot gain or lose its version.

use crate::diag::Severity;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0201",
    name: "version-toggle",
    summary: "an update sets or clears `version`",
    explanation: r##"A Module with a `version` is upgraded in an ordered way, by labels that people set on nodes; a Module without one is put onto
every node at once. The operator cannot go from one way to the other on a living Module.

```yaml
# before                      # after: refused
container:                    container:
  version: "1.0"                {}
```

What to do: keep `version` set, or keep it unset. To change the way, delete the Module and create it again.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let old = subject.old.and_then(|old| old.spec.module_loader.as_ref());
    let (Some(old), Some(new)) = (old, denial::container(subject)) else {
        return;
    };
    if old.container.version.is_empty() != new.version.is_empty() {
        let text = "cannot update to or from an empty version; please delete the Module and create it again";
        let found = denials.deny(
            &RULE,
            Turn::new(Step::Version, 0, 0),
            subject.container("version"),
            text,
        );
        found.help = Some(match &old.container.version[..] {
            "" => "remove `version`, or delete the Module first".to_owned(),
            version => format!("keep a version (it was `{version}`), or delete the Module first"),
        });
    }
}
