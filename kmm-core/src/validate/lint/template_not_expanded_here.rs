//! KMM1024: a template variable in a field that is no template.

use crate::diag::Part;
use crate::diag::Severity;
use crate::path::FieldPath;
use crate::template::KERNEL_VARIABLES;
use crate::template::MODULE_VARIABLES;
use crate::template::Template;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1024",
    name: "template-not-expanded-here",
    summary: "a template variable in a field that is no template",
    explanation: "\
Templates are expanded in `containerImage`, `sign.unsignedImage` and `sign.filesToSign`, and nowhere else. In build
arguments, images of device plugins and DRA drivers, module names, parameters and paths, `${KERNEL_FULL_VERSION}` is
just these characters.

```yaml
buildArgs:
  - name: HEADERS
    value: kernel-headers-${KERNEL_FULL_VERSION}      # reaches the Dockerfile as it stands
```

In a Dockerfile, put the parts together there: every build is given `KERNEL_FULL_VERSION`, `KERNEL_VERSION`,
`MOD_NAME` and `MOD_NAMESPACE`. Elsewhere write the value out.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let mut texts: Vec<(FieldPath, &str, &str)> = Vec::new();
    for build in fields::builds(subject) {
        let arguments = build.path.field("buildArgs");
        for (index, argument) in build.value.build_args.iter().enumerate() {
            let help = "put the parts together in the Dockerfile: it is given the kernel version as an `ARG`";
            texts.push((arguments.index(index).field("value"), &argument.value, help));
        }
        let config_map = build.value.dockerfile_config_map.iter();
        let path = build.path.field("dockerfileConfigMap").field("name");
        texts.extend(config_map.map(|config_map| (path.clone(), config_map.name.as_str(), OUT)));
    }
    for (path, container) in fields::plain_containers(subject) {
        texts.push((path.field("image"), &container.image, OUT));
    }
    for (index, mapping) in fields::mappings(subject).iter().enumerate() {
        texts.push((subject.mapping(index).field("literal"), &mapping.literal, OUT));
    }
    if let Some(modprobe) = fields::modprobe(subject) {
        let base = subject.container("modprobe");
        texts.push((base.field("moduleName"), &modprobe.module_name, OUT));
        texts.push((base.field("dirName"), &modprobe.dir_name, OUT));
        texts.push((base.field("firmwarePath"), &modprobe.firmware_path, OUT));
        for (index, parameter) in modprobe.parameters.iter().enumerate() {
            texts.push((base.field("parameters").index(index), parameter, OUT));
        }
    }
    for (path, text, help) in texts {
        let template = Template::parse(text);
        let mut found = template.references();
        let known = |name: &str| KERNEL_VARIABLES.contains(&name) || MODULE_VARIABLES.contains(&name);
        if let Some(found) = found.find(|found| known(found.name)) {
            let message = format!("nothing expands `{}` here: this field is no template", found.name);
            findings.push(
                RULE.finding(path, message)
                    .at(Part::Within(found.piece))
                    .with_help(help),
            );
        }
    }
}

const OUT: &str = "write the value out";
