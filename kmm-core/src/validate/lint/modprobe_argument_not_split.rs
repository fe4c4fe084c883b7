//! KMM1047: several words in one modprobe argument.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1047",
    name: "modprobe-argument-not-split",
    summary: "several words in one modprobe argument",
    explanation: r#"Every entry of `args` and `rawArgs` is one argument; no shell splits it. `-v -d /tmp/opt` in one entry is one option
that modprobe does not know. The program itself is not one of the arguments.

```yaml
rawArgs:
  load: ["modprobe -v -d /tmp/opt driver"]
  load: ["-v", "-d", "/tmp/opt", "driver"]
```

Write one word in each entry.
"#,
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(modprobe) = fields::modprobe(subject) else {
        return;
    };
    let lists = [("args", &modprobe.args), ("rawArgs", &modprobe.raw_args)];
    for (field, arguments) in lists
        .into_iter()
        .filter_map(|(field, arguments)| Some((field, arguments.as_ref()?)))
    {
        for (action, list) in [("load", &arguments.load), ("unload", &arguments.unload)] {
            let path = subject.container("modprobe").field(field).field(action);
            let program = list.first().is_some_and(|first| {
                first
                    .split_whitespace()
                    .next()
                    .is_some_and(|word| word.rsplit('/').next() == Some("modprobe"))
            });
            let several = list.iter().position(|argument| {
                let argument = argument.trim();
                argument.starts_with('-') && argument.contains(char::is_whitespace)
                    || argument.starts_with("modprobe ")
            });
            let words = list
                .iter()
                .flat_map(|argument| argument.split_whitespace())
                .skip(usize::from(program));
            let words: Vec<String> = words.map(str::to_owned).collect();
            let quotes = list.iter().any(|argument| argument.contains(['"', '\'']));
            let (at, message) = match (program, several) {
                (true, _) => (
                    0,
                    "`modprobe` is taken as the name of a module: only its arguments belong here",
                ),
                (false, Some(at)) => (at, "this is one argument: nothing splits it at its blanks"),
                (false, None) => continue,
            };
            let finding = RULE
                .finding(path.index(at), message)
                .with_help("write one word in each entry");
            let safe = !quotes && !words.is_empty();
            findings.push(if safe {
                finding.with_suggestion([Edit::SetStrings { path, values: words }])
            } else {
                finding
            });
        }
    }
}
