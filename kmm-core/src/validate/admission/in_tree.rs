//! In-tree modules to remove are given in one way only.

use crate::diag::Severity;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0213",
    name: "in-tree-both",
    summary: "both the old and the new field for in-tree modules to remove",
    explanation: r##"In-tree modules to unload first are listed in `inTreeModulesToRemove`. The older `inTreeModuleToRemove` names one of them. A
container may use only one of the two, a mapping too, and a mapping must not use another one than its container. An empty
list counts as used: on a mapping it means that nothing is to be removed, whatever the container says.

```yaml
container:
  inTreeModuleToRemove: ice
  kernelMappings:
  - literal: 6.1.0-1
    inTreeModulesToRemove: [irdma, ice]   # refused
```

What to do: use `inTreeModulesToRemove` everywhere.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let Some(container) = denial::container(subject) else {
        return;
    };
    let help = || Some("use `inTreeModulesToRemove` everywhere".to_owned());
    let (one, many) = (
        !container.in_tree_module_to_remove.is_empty(),
        container.in_tree_modules_to_remove.is_some(),
    );
    if one && many {
        let text = "only one of the Container's fields: InTreeModulesToRemove or InTreeModuleToRemove can be defined";
        let path = subject.container("inTreeModuleToRemove");
        denials
            .deny(&RULE, Turn::new(Step::KernelMappings, 0, 0), path, text)
            .help = help();
    }
    for (i, mapping) in container.kernel_mappings.iter().enumerate() {
        let (mapping_one, mapping_many) = (
            !mapping.in_tree_module_to_remove.is_empty(),
            mapping.in_tree_modules_to_remove.is_some(),
        );
        let turn = |check| Turn::new(Step::KernelMappings, i + 1, check);
        let path = |field: &str| subject.mapping(i).field(field);
        if mapping_one && mapping_many {
            let text = "only one of the KernelMapping fields: InTreeModulesToRemove or InTreeModuleToRemove can be defined";
            denials
                .deny(&RULE, turn(5), path("inTreeModuleToRemove"), text)
                .help = help();
        }
        if (mapping_many && one) || (mapping_one && many) {
            let text = "only one type if field (InTreeModuleToRemove or InTreeModulesToRemove) can be defined in KenrelMapping or Container";
            let field = if mapping_one {
                "inTreeModuleToRemove"
            } else {
                "inTreeModulesToRemove"
            };
            denials.deny(&RULE, turn(6), path(field), text).help = help();
        }
    }
}
