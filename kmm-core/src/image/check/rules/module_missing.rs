//! KMM3002: the module that is to be loaded is not in the folder of the kernel.

use crate::diag::RuleText;
use crate::diag::Severity;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::super::finding::few;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3002",
        name: "module-missing",
        summary: "the module that is to be loaded is not in the folder of the kernel",
        explanation: "\
`modprobe` is called with `moduleName`, which is the name of a module: that of its file without `.ko`. `-` and `_` are
the same. An alias of a module finds it too, also one with wildcards (`net-pf-*`), but only where `depmod` has written
`modules.alias.bin`, and all modules that have it are loaded. With `rawArgs` it is what `rawArgs.load` names instead. Where
no file of that name is in `<dirName>/lib/modules/<kernel>`, loading ends with `modprobe: FATAL: Module … not found`.

```yaml
modprobe:
  moduleName: acme_nic     # finds acme-nic.ko and acme_nic.ko.xz, not nic.ko
```

Write the name of the file, or put the module into the image.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    if context.folder.is_none() {
        return;
    }
    let names: Vec<&str> = context
        .modules
        .iter()
        .map(|module| module.name.as_str())
        .collect();
    for name in context.asked().modules {
        // The aliases of the node's own modules are not known.
        let of_node = name.contains(':') && !context.links.is_empty();
        if of_node || context.module(name).is_some() || context.is_on_node(name) {
            continue;
        }
        let finding = RULE.finding(&context.folder_path, format!("there is no module `{name}` in it"));
        let aliased = context.with_alias(name);
        findings.push(match aliased.first() {
            Some(module) => finding.with_help(format!(
                "it is an alias of `{0}`, which modprobe looks up in `modules.alias.bin`: write `moduleName: {0}`, or copy \
                 that file as well",
                module.name
            )),
            None if names.is_empty() => {
                finding.with_help("the folder holds no modules at all: copy them into it when the image is built")
            }
            None => finding.with_help(format!("the modules in it are {}", few(&names))),
        });
    }
}
