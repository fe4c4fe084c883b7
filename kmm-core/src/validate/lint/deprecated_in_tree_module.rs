//! KMM1080: the deprecated `inTreeModuleToRemove`.

use crate::diag::Edit;
use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1080",
    name: "deprecated-in-tree-module",
    summary: "the deprecated `inTreeModuleToRemove`",
    explanation: "\
`inTreeModuleToRemove` names one module and is to go; `inTreeModulesToRemove` is a list and has taken its place. Both
together are refused, also when one stands in the container and the other in a mapping.

```yaml
inTreeModuleToRemove: ice
inTreeModulesToRemove: [ice]
```

Change all of them at once.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let common = fields::container(subject).map(|container| {
        let both = container.in_tree_modules_to_remove.is_some();
        (
            subject.container("inTreeModuleToRemove"),
            container.in_tree_module_to_remove.as_str(),
            both,
        )
    });
    let own = fields::mappings(subject)
        .iter()
        .enumerate()
        .map(|(index, mapping)| {
            let both = mapping.in_tree_modules_to_remove.is_some();
            (
                subject.mapping(index).field("inTreeModuleToRemove"),
                mapping.in_tree_module_to_remove.as_str(),
                both,
            )
        });
    let all: Vec<_> = common.into_iter().chain(own).collect();
    let mixed = all.iter().any(|(_, _, both)| *both);
    let used: Vec<_> = all.into_iter().filter(|(_, name, _)| !name.is_empty()).collect();
    // One edit of them all: with some of them changed, the object would be refused.
    let edits: Vec<Edit> = used
        .iter()
        .flat_map(|(path, name, _)| {
            let values = vec![(*name).to_owned()];
            let key = "inTreeModulesToRemove".to_owned();
            [
                Edit::SetStrings {
                    path: path.clone(),
                    values,
                },
                Edit::RenameKey {
                    path: path.clone(),
                    key,
                },
            ]
        })
        .collect();
    for (path, name, _) in used {
        let finding = RULE
            .finding(path, "`inTreeModuleToRemove` is deprecated")
            .at(Part::Key);
        let finding = finding.with_help(format!("write `inTreeModulesToRemove: [{name}]`"));
        findings.push(if mixed {
            finding
        } else {
            finding.with_fix(edits.clone())
        });
    }
}
