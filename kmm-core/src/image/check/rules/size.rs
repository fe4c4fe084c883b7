//! KMM3081: the image is large for what is loaded from it.

use crate::diag::RuleText;
use crate::diag::Severity;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3081",
        name: "image-size",
        summary: "the image is large for what is loaded from it",
        explanation: "\
Every node pulls the whole image to load modules that have a few megabytes. Above 512 MiB the pull takes minutes on a slow
link, and counts against the disk of the node. What later layers remove or replace is pulled all the same.

```console,ignore
$ kmm image inspect quay.io/acme/nic:6.1.0-9
```

Use a small base image, and copy only modules and firmware into it.
",
        severity: Severity::Note,
    },
    check,
};

const MOST: u64 = 512 << 20;

fn check(context: &Context<'_>, findings: &mut Findings) {
    let layers = context.tree.layers();
    let bytes: u64 = layers.iter().map(|layer| layer.bytes).sum();
    if bytes <= MOST {
        return;
    }
    let largest = layers.iter().enumerate().max_by_key(|(_, layer)| layer.bytes);
    let (number, most) = largest.map_or((0, 0), |(number, layer)| (number + 1, layer.bytes));
    let message = format!(
        "its files have {} MiB, {} of them in layer {number} of {}",
        bytes >> 20,
        most >> 20,
        layers.len()
    );
    let finding = RULE.finding("/", message);
    findings.push(finding.with_help("use a small base image, and copy only modules and firmware into it"));
}
