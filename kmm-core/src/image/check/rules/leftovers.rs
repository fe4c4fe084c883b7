//! KMM3080: a layer carries a compiler, kernel headers or sources.

use std::collections::BTreeMap;

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::image::Entry;
use crate::image::FileKind;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::super::finding::few;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3080",
        name: "build-leftovers",
        summary: "a layer carries a compiler, kernel headers or sources",
        explanation: "\
What is needed to build a module is not needed to load it. A compiler and the headers of a kernel are hundreds of megabytes
that every node pulls for every kernel, and tools for whoever breaks in. Removing them in a later layer leaves them in the
image: what a layer holds is pulled, hidden or not.

```dockerfile
FROM builder-image AS builder
RUN make -C /usr/src/linux-headers-${KERNEL_FULL_VERSION} M=/src modules

FROM alpine
COPY --from=builder /src/nic.ko /opt/lib/modules/${KERNEL_FULL_VERSION}/
```

Build in a stage of its own, and copy only the modules into the last one.
",
        severity: Severity::Warning,
    },
    check,
};

const COMPILERS: [&str; 5] = [
    "/usr/bin/gcc",
    "/usr/bin/cc",
    "/usr/bin/clang",
    "/usr/bin/make",
    "/usr/bin/ld",
];
const SOURCES: [&str; 2] = ["/usr/src", "/usr/lib/gcc"];
/// Empty folders and a stray file are no leftovers.
const LEAST: u64 = 1 << 20;

fn check(context: &Context<'_>, findings: &mut Findings) {
    let tools = COMPILERS.iter().filter(|path| {
        let found = context.tree.find_link(path).ok().flatten();
        found.is_some_and(|file| matches!(file.kind(), FileKind::File | FileKind::Symlink))
    });
    let tools: Vec<&str> = tools.copied().collect();
    let mut sizes: BTreeMap<usize, u64> = BTreeMap::new();
    let mut first = None;
    for place in SOURCES {
        let folder = context.tree.find(place).ok().flatten();
        for file in folder.iter().flat_map(Entry::walk).filter(|file| file.size() > 0) {
            *sizes.entry(file.layer()).or_default() += file.size();
            first.get_or_insert_with(|| file.path());
        }
    }
    let bytes: u64 = sizes.values().sum();
    if tools.is_empty() && bytes < LEAST {
        return;
    }
    let largest = sizes
        .iter()
        .max_by_key(|(_, bytes)| **bytes)
        .map(|(layer, _)| *layer);
    let layer = largest.map_or_else(String::new, |layer| {
        format!(", most of it in layer {}", layer + 1)
    });
    let message = match (tools.is_empty(), bytes < LEAST) {
        (false, true) => format!("the image holds {}", few(&tools)),
        (true, _) => format!("sources and headers of {} MiB{layer}", bytes >> 20),
        (false, false) => format!(
            "the image holds {}, and sources and headers of {} MiB{layer}",
            few(&tools),
            bytes >> 20
        ),
    };
    let path = tools
        .first()
        .map(|tool| (*tool).to_owned())
        .or(first)
        .unwrap_or_else(|| "/".to_owned());
    let finding = RULE.finding(path, message);
    findings
        .push(finding.with_help("build in a stage of its own, and copy only the modules into the last one"));
}
