//! KMM2011: an `ARG` without a value that nobody passes.

use crate::diag::Edit;
use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::super::names;
use super::super::spelling;
use super::references;

pub(super) const RULE: Rule = Rule {
    code: "KMM2011",
    name: "argument-nobody-passes",
    summary: "an `ARG` without a value that nobody passes",
    explanation: "\
A build is given `KERNEL_FULL_VERSION`, `KERNEL_VERSION`, `MOD_NAME`, `MOD_NAMESPACE`, and the `buildArgs` of the Module. Any other
`ARG` without a default is empty. `KERNEL_XYZ`, `KERNEL_X`, `KERNEL_Y` and `KERNEL_Z` are variables of templates and reach no
Dockerfile. Where the Module is not among the files, or the `ARG` is not used, this is only a note.

```dockerfile
ARG KVERSION
RUN make KVER=${KVERSION}           # empty
```

Correct the name, give it a default, or pass it with `buildArgs`.
",
    severity: Severity::Warning,
    check,
};

/// What builders pass by themselves.
const PREDEFINED: [&str; 20] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDARCH",
    "BUILDVARIANT",
    "SOURCE_DATE_EPOCH",
    "DTK_AUTO",
];

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(file) = subject.facts.dockerfile() else {
        return;
    };
    let builds = references::builds(subject);
    let known = |name: &str| PREDEFINED.contains(&name) || names::DEFAULT_ARGUMENTS.contains(&name);
    for (index, argument) in file.arguments.iter().enumerate() {
        let name = argument.name.text.as_str();
        // An `ARG` above the first `FROM` gives its default to those of its name below.
        let given = file.arguments.iter().chain(&file.environment).any(|other| {
            other.name.text == name
                && other.value.is_some()
                && (other.stage == argument.stage || other.stage.is_none())
        });
        let repeated = file.arguments[..index]
            .iter()
            .any(|earlier| earlier.name.text == name);
        let passed = !builds.is_empty()
            && builds
                .iter()
                .all(|build| build.arguments.iter().any(|passed| passed == name));
        if given || repeated || passed || known(name) || name.contains('$') {
            continue;
        }
        let used = file.uses.iter().any(|found| found.name == name);
        let sure = used && !builds.is_empty();
        let severity = if sure { Severity::Warning } else { Severity::Note };
        let path = subject.facts.dockerfile_path();
        let message = if builds.is_empty() {
            format!("KMM does not pass `{name}`: it is empty unless the Module passes it")
        } else {
            format!("nobody passes `{name}`, so it is empty")
        };
        let finding = RULE.finding(path.clone(), message).as_severity(severity);
        let finding = finding.at(Part::Within(argument.name.span.clone()));
        let near = spelling::closest(name, names::DEFAULT_ARGUMENTS.into_iter());
        findings.push(match near {
            Some(near) => {
                let here = file.arguments.iter().filter(|other| other.name.text == name);
                let here = here.map(|other| (other.name.span.clone(), near.to_owned()));
                let used = file.uses.iter().filter(|found| found.name == name);
                let used = used.map(|found| (found.span.clone(), format!("${{{near}}}")));
                let plain = file.uses.iter().all(|found| {
                    found.name != name
                        || matches!(
                            found.form,
                            crate::build::dockerfile::Form::Bare | crate::build::dockerfile::Form::Braced
                        )
                });
                let edits: Vec<Edit> = here
                    .chain(used)
                    .map(|(range, text)| Edit::ReplaceWithin {
                        path: path.clone(),
                        range,
                        text,
                    })
                    .collect();
                let finding = finding.with_help(format!("write `{near}`"));
                if plain { finding.with_fix(edits) } else { finding }
            }
            None => finding.with_help("pass it with `buildArgs`, or give it a default"),
        });
    }
}
