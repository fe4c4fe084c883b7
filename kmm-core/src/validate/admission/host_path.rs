//! Host paths of pods are limited to a few folders.

use crate::diag::Severity;
use crate::go_text::clean_path;
use crate::go_text::quote;
use crate::validate::Rule;
use crate::validate::Subject;
use serde_json::Value;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0212",
    name: "host-path",
    summary: "a `hostPath` volume outside `/dev`, `/sys`, `/var`, `/opt` and `/run`",
    explanation: r##"Pods of device plugins and DRA drivers run with rights over the node, so the operator lets them mount only what such pods
need: paths that are, once `.` and `..` are resolved, one of `/dev`, `/sys`, `/var`, `/opt` and `/run`, or below it.

```yaml
volumes:
- name: modules
  hostPath: {path: /lib/modules}     # refused
- name: sockets
  hostPath: {path: /var/lib/kubelet/device-plugins}
```

What to do: mount a path below one of the five, or bring the files in the image.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

const ALLOWED: [&str; 5] = ["/dev", "/sys", "/var", "/opt", "/run"];

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let Some(spec) = denial::module_spec(subject) else {
        return;
    };
    let dra = spec.dra.as_ref().map(|dra| &dra.volumes);
    let plugin = spec.device_plugin.as_ref().map(|plugin| &plugin.volumes);
    for (step, field, volumes) in [
        (Step::DraVolumes, "dra", dra),
        (Step::DevicePluginVolumes, "devicePlugin", plugin),
    ] {
        for (i, volume) in volumes.into_iter().flatten().enumerate() {
            let Some(host_path) = volume.get("hostPath").filter(|host_path| !host_path.is_null()) else {
                continue;
            };
            let path = host_path.get("path").and_then(Value::as_str).unwrap_or_default();
            if is_allowed(path) {
                continue;
            }
            let text = format!(
                "spec.{field}.volumes[{i}]: hostPath {} is not allowed; only /dev, /sys, /var, /opt and /run paths are permitted",
                quote(path)
            );
            let at = subject
                .spec(field)
                .field("volumes")
                .index(i)
                .field("hostPath")
                .field("path");
            denials.deny(&RULE, Turn::new(step, i, 0), at, text);
        }
    }
}

fn is_allowed(path: &str) -> bool {
    let clean = clean_path(path);
    ALLOWED
        .iter()
        .filter_map(|allowed| clean.strip_prefix(allowed))
        .any(|rest| rest.is_empty() || rest.starts_with('/'))
}
