//! KMM3040: a module is compressed in a way that may not be read.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::kmod::Compression;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3040",
        name: "compression",
        summary: "a module is compressed in a way that may not be read",
        explanation: "\
`modprobe` unpacks modules itself, with what it was built with. Alpine's, in the worker of the operator, reads gzip, xz and
zstd. Debian's reads no gzip, and Debian's `depmod` leaves such files out of its index. The kernel itself never reads gzip
unless it was built with `CONFIG_MODULE_COMPRESS_GZIP`. Where a name does not tell what the file holds, `depmod` and
`modprobe` may disagree about it.

```dockerfile
RUN xz --check=crc32 --lzma2=dict=1MiB /opt/lib/modules/${KERNEL_FULL_VERSION}/nic.ko
```

Use xz or zstd, or none at all: layers are compressed anyway.
",
        severity: Severity::Warning,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    for module in &context.modules {
        let Ok(file) = &module.file else {
            continue;
        };
        let named = [Compression::Gzip, Compression::Xz, Compression::Zstd]
            .into_iter()
            .find(|compression| module.relative.ends_with(compression.extension()))
            .unwrap_or(Compression::None);
        let is = file.compression();
        let message = if is != named && file.object().is_ok() {
            format!("its name says `{named}`, and it is `{is}`")
        } else if is == Compression::Gzip {
            "it is compressed with gzip, which Debian's kmod and most kernels do not read".to_owned()
        } else {
            continue;
        };
        findings.push(
            RULE.finding(&module.path, message)
                .with_help("use xz, zstd or no compression, and the name that goes with it"),
        );
    }
}
