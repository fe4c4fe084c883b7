//! KMM1049: raw arguments that unload where they should load, or load where they should unload.

use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1049",
    name: "raw-args-unload-loads",
    summary: "raw arguments that unload where they should load, or load where they should unload",
    explanation: r#"`rawArgs.unload` is run when the module has to go, and nothing is added to it. Without `-r` (or `--remove`) modprobe
loads the module instead, and the node keeps it although KMM reports it gone. In the same way `-r` in `rawArgs.load`
takes the module away.

```yaml
rawArgs:
  unload: ["-vd", "/tmp/opt", "driver"]
  unload: ["-rvd", "/tmp/opt", "driver"]
```

Add `-r` to `unload`, and only there.
"#,
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(raw) = fields::modprobe(subject).and_then(|modprobe| modprobe.raw_args.as_ref()) else {
        return;
    };
    let path = subject.container("modprobe.rawArgs");
    if !raw.unload.is_empty() && !removes(&raw.unload) {
        let finding = RULE.finding(
            path.field("unload"),
            "without `-r` this loads the module when it has to go",
        );
        findings.push(finding.with_help("add `-r`"));
    }
    if removes(&raw.load) {
        let finding = RULE.finding(
            path.field("load"),
            "with `-r` this unloads the module when it has to come",
        );
        findings.push(finding.with_help("remove `-r`"));
    }
}

fn removes(list: &[String]) -> bool {
    list.iter()
        .flat_map(|entry| entry.split_whitespace())
        .any(|word| {
            let short = word.strip_prefix('-').filter(|options| !options.starts_with('-'));
            // What follows `d`, `C` or `S` in a cluster is its value.
            let short = short.map(|options| options.split(['d', 'C', 'S']).next().unwrap_or_default());
            matches!(word, "--remove" | "--remove-holders")
                || short.is_some_and(|options| options.contains('r'))
        })
}
