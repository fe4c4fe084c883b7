//! Answers about images that were not looked into.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::go_text::join_path;
use crate::image::Entry;
use crate::image::Tree;

use super::Fit;
use super::Report;
use super::finding::Finding;
use super::rules::kernel_folder;

const MISSING: RuleText = RuleText {
    code: "KMM3090",
    name: "image-missing",
    summary: "there is no such image",
    explanation: "\
The registry, layout or archive was asked, and says that it has no such image, or none for the platform. A node that should
run it would wait with `ImagePullBackOff`; where the Module has `build` or `sign`, the operator makes the image instead.

```console,ignore
$ kmm image check quay.io/acme/nic:6.1.0-9 -k 6.1.0-9-amd64
```

Push the image, or correct its name: `kmm resolve` shows which one each kernel gets.
",
    severity: Severity::Error,
};

const UNREAD: RuleText = RuleText {
    code: "KMM3091",
    name: "image-unread",
    summary: "the image could not be read whole, so nothing can be said about it",
    explanation: "\
A registry that does not answer or refuses, a file that cannot be read, a blob whose digest or size is not what the manifest
says, a layer that is no layer or is larger than what is read: in each case the answer is `unknown`, and the exit code 2.
What was read up to there is not judged.

The message says what went wrong. `--auth-file`, `--ca-file`, `--plain-http` and `--skip-tls-verify` tell how to reach a
registry. Push an image anew whose digests are wrong.
",
    severity: Severity::Warning,
};

const UNRESOLVED: RuleText = RuleText {
    code: "KMM3092",
    name: "image-unresolved",
    summary: "the Module names no image for this kernel",
    explanation: "\
The image to check comes from the mapping that the kernel gets. Where no mapping takes the kernel, or the template of the
image cannot be expanded, the operator loads nothing on nodes of this kernel.

```console,ignore
$ kmm explain -f module.yaml -k 6.1.0-9-amd64
```

Add a mapping, or mend the one that should take the kernel.
",
    severity: Severity::Error,
};

/// The texts, by code.
pub(super) static ALL: [RuleText; 3] = [MISSING, UNREAD, UNRESOLVED];

/// The answer about an image that has modules for no kernel at all, for whoever asks without naming one.
pub fn without_kernel(tree: &Tree, dir_name: &str) -> Report {
    let folder = join_path(&["/", dir_name, "lib/modules"]);
    let stray = tree.walk().find(Entry::is_module);
    let finding = Finding {
        code: kernel_folder::RULE.text.code,
        severity: Severity::Error,
        path: folder.clone(),
        message: "it holds modules of no kernel".to_owned(),
        help: Some(match stray {
            Some(file) => format!(
                "the image has modules elsewhere, such as `{}`: set `dirName`, or move them",
                file.path()
            ),
            None => "put modules into it when the image is built: the image has none".to_owned(),
        }),
        in_doubt: false,
    };
    Report {
        fit: Fit::DoesNotFit,
        folder,
        modules: Vec::new(),
        findings: vec![finding],
    }
}

impl Report {
    /// There is no such image: an answer.
    pub fn missing(reason: impl Into<String>) -> Self {
        Self::unseen(&MISSING, Fit::DoesNotFit, reason)
    }

    /// The image could not be read: no answer.
    pub fn unread(reason: impl Into<String>) -> Self {
        Self::unseen(&UNREAD, Fit::Unknown, reason)
    }

    /// The Module has no image for the kernel: an answer.
    pub fn unresolved(reason: impl Into<String>) -> Self {
        Self::unseen(&UNRESOLVED, Fit::DoesNotFit, reason)
    }

    fn unseen(text: &RuleText, fit: Fit, reason: impl Into<String>) -> Self {
        let finding = Finding {
            code: text.code,
            severity: text.severity,
            path: "/".to_owned(),
            message: reason.into(),
            help: None,
            in_doubt: fit == Fit::Unknown,
        };
        Self {
            fit,
            folder: String::new(),
            modules: Vec::new(),
            findings: vec![finding],
        }
    }
}
