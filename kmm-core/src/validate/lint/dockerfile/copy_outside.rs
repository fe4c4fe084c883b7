//! KMM2023: a module that is copied to where nothing looks for it.

use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::references;

pub(super) const RULE: Rule = Rule {
    code: "KMM2023",
    name: "copy-outside-modules-folder",
    summary: "a module that is copied to where nothing looks for it",
    explanation: "\
The worker copies `<dirName>/lib/modules/<kernel>` out of the image, and nothing else. A module in any other folder never
reaches the node.

```dockerfile
COPY --from=builder /src/driver.ko /lib/modules/${KERNEL_VERSION}/        # dirName is /opt
COPY --from=builder /src/driver.ko /opt/lib/modules/                      # no kernel
COPY --from=builder /src/driver.ko /opt/lib/modules/${KERNEL_VERSION}/
```

Copy to `<dirName>/lib/modules/${KERNEL_FULL_VERSION}/`. Where a later command may move the file, or no Module of the files refers
to this Dockerfile, this is only a note.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(file) = subject.facts.dockerfile() else {
        return;
    };
    let folders = references::folders(subject);
    for copy in &file.copies {
        let modules = copy
            .sources
            .iter()
            .any(|source| source.text.trim_end_matches(".xz").ends_with(".ko"));
        if copy.stage != file.last_stage() || !modules {
            continue;
        }
        let destination = copy.destination.text.replace("$ {", "${");
        let absolute = destination.starts_with('/');
        if !absolute || !destination.starts_with("/lib/modules") && destination.starts_with('$') {
            // Below a WORKDIR or a variable: it cannot be told where.
            continue;
        }
        let parts: Vec<&str> = destination.split('/').filter(|part| !part.is_empty()).collect();
        let inside = folders.names.iter().find_map(|folder| {
            let base: Vec<&str> = folder
                .split('/')
                .filter(|part| !part.is_empty())
                .chain(["lib", "modules"])
                .collect();
            parts.strip_prefix(base.as_slice())
        });
        let fault = match inside {
            Some([]) => "this folder is that of all kernels: the name of one has to follow",
            Some([kernel, ..]) if kernel.ends_with(".ko") => {
                "the name of a kernel is missing before the file"
            }
            Some(_) => continue,
            None if parts.iter().any(|part| part.contains('$')) && !destination.contains("lib/modules") => {
                continue;
            }
            None => "nothing looks for modules here",
        };
        let touched = file.instructions.iter().skip(copy.instruction + 1).any(|later| {
            later.keyword == "RUN"
                && (later.text.contains(".ko") || later.text.contains(destination.trim_end_matches('/')))
        });
        let severity = if folders.known && !touched {
            Severity::Warning
        } else {
            Severity::Note
        };
        let wanted = folders
            .names
            .first()
            .map_or("/opt", String::as_str)
            .trim_end_matches('/');
        let finding = RULE
            .finding(subject.facts.dockerfile_path(), fault)
            .as_severity(severity);
        let finding = finding.at(Part::Within(copy.destination.span.clone()));
        findings.push(finding.with_help(format!(
            "copy to `{wanted}/lib/modules/${{KERNEL_FULL_VERSION}}/`"
        )));
    }
}
