//! KMM3030: a module needs one of the node's kernel, and nothing leads there.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::modprobe::Presence;
use crate::modprobe::fold_name;
use crate::modprobe::module_of_file;

use super::super::context::Context;
use super::super::context::Listed;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::super::finding::few;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3030",
        name: "in-tree-dependency",
        summary: "a module needs one of the node's kernel, and nothing leads there",
        explanation: "\
The worker calls `modprobe -d`, which looks into the folder of the image only: modules of the node's kernel are not found,
and are loaded before only if something else did. The documentation of the operator has a way: a link in the folder to
`/lib/modules/<kernel>`, which is the node's in the worker and the build machine's while the image is built. `depmod` then
writes lines that lead through the link.

```dockerfile
RUN ln -s /lib/modules/${KERNEL_FULL_VERSION} /opt/lib/modules/${KERNEL_FULL_VERSION}/host
RUN depmod -b /opt ${KERNEL_FULL_VERSION}
```

Add the link and run `depmod` with `/lib/modules` of a node of this kernel in sight; or see to it that the module is loaded
on the node anyway, which nothing here can tell.
",
        severity: Severity::Warning,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    for (module, object) in context.objects().filter(|(module, _)| module.needed) {
        let absent: Vec<String> = object
            .info
            .depends()
            .into_iter()
            .filter(|name| context.module(name).is_none() && !is_listed(context, &module.relative, name))
            .filter(|name| !is_built_in(context, name))
            .collect();
        if absent.is_empty() {
            continue;
        }
        let message = format!("it needs {}, which is not in the image", few(&absent));
        let finding = RULE.finding(&module.path, message).in_doubt();
        findings.push(if context.host_link().is_some() {
            finding.with_help("`modules.dep` does not lead there through the link: run `depmod` where `/lib/modules` of this kernel is in sight")
        } else {
            let (folder, kernel) = (&context.folder_path, context.subject.kernel.matched());
            finding.with_help(format!("run `ln -s /lib/modules/{kernel} {folder}/host` before `depmod`, or have it loaded on the node before"))
        });
    }
}

/// Whether the line of a module leads to this one, through a link.
fn is_listed(context: &Context<'_>, module: &str, name: &str) -> bool {
    let Some(Listed::Text(lines)) = &context.listed else {
        return false;
    };
    let needs = lines.get(module).into_iter().flatten();
    let name = fold_name(name);
    needs
        .into_iter()
        .any(|path| context.is_outside(path) && module_of_file(path).is_some_and(|found| found == name))
}

fn is_built_in(context: &Context<'_>, name: &str) -> bool {
    let presence = context.subject.in_tree.map(|in_tree| in_tree.presence(name));
    presence == Some(Presence::BuiltIn)
}
