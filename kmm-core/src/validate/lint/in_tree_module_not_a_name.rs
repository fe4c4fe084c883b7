//! KMM1045: an in-tree module to remove that cannot be found.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::names;

pub(super) const RULE: Rule = Rule {
    code: "KMM1045",
    name: "in-tree-module-not-a-name",
    summary: "an in-tree module to remove that cannot be found",
    explanation: "\
Before loading, the worker looks on the node for a file `<name>.ko`, and unloads the module when it finds one. An entry
with `.ko` or a folder is looked for as `<name>.ko.ko`: it is skipped without a word, and the in-tree module stays
loaded in the place of yours.

```yaml
inTreeModulesToRemove: [ice.ko]
inTreeModulesToRemove: [ice]
```

Write the name of the module, spelt like its file (`-` and `_` are not the same here).
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let common = fields::container(subject).map(|container| {
        let lists = container.in_tree_modules_to_remove.as_ref();
        (subject.container("inTreeModulesToRemove"), lists)
    });
    let own = fields::mappings(subject).iter().enumerate();
    let own = own.map(|(index, mapping)| {
        let path = subject.mapping(index).field("inTreeModulesToRemove");
        (path, mapping.in_tree_modules_to_remove.as_ref())
    });
    for (list, names) in common.into_iter().chain(own) {
        for (index, name) in names.into_iter().flatten().enumerate() {
            let Some(fault) = names::fault(name) else {
                continue;
            };
            let path = list.index(index);
            let finding = RULE.finding(
                path.clone(),
                format!("`{name}` {fault}: it is skipped without a word"),
            );
            findings.push(match names::mended(name) {
                Some(mended) => {
                    finding
                        .with_help(format!("write `{mended}`"))
                        .with_suggestion([Edit::SetString {
                            path,
                            value: mended.to_owned(),
                        }])
                }
                None => finding.with_help("write the name of one module, spelt like its file"),
            });
        }
    }
}
