//! What a worker decides, over data of our own.
#![cfg(feature = "kmod")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "kmod/builder.rs"]
#[allow(dead_code, reason = "the tests of kernel objects make more of it")]
mod builder;

use kmm_core::kmod::KernelObject;
use kmm_core::kmod::PlainOnly;
use kmm_core::worker::Reason;
use kmm_core::worker::decode;
use kmm_core::worker::precheck;
use kmm_core::worker::precheck::RunningKernel;

use builder::Object;

const MESSAGES: &str = include_str!("data/worker/messages.tsv");

/// Messages seen on real kernels, and their forms in the sources of kernel, kmod and busybox.
#[test]
fn messages() {
    let mut count = 0;
    for line in MESSAGES.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [message, reason, module, subject] = fields.as_slice() else {
            panic!("not four fields: {line}");
        };
        let found = decode::line(message);
        let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let found = found.as_ref();
        assert_eq!(
            or_dash(found.map(|found| found.reason.name())),
            *reason,
            "{message}"
        );
        assert_eq!(
            or_dash(found.and_then(|found| found.module.as_deref())),
            *module,
            "{message}"
        );
        assert_eq!(
            or_dash(found.and_then(|found| found.subject.as_deref())),
            *subject,
            "{message}"
        );
        count += 1;
    }
    assert!(count > 50);
}

/// Every pattern, its holes filled, is taken for what it stands for and for nothing that stands before it.
#[test]
fn no_message_hides_another() {
    for known in decode::MESSAGES {
        let mut message = String::new();
        let mut rest = known.pattern.trim_end_matches('…');
        while let Some((literal, after)) = rest.split_once('{') {
            let (_, behind) = after.split_once('}').unwrap();
            message.push_str(literal);
            message.push_str("x1");
            rest = behind;
        }
        message.push_str(rest);
        if known.pattern.ends_with('…') {
            message.push_str("x1");
        }
        let found = decode::line(&message).unwrap_or_else(|| panic!("{message}"));
        assert_eq!(found.reason, known.reason, "{message}");
    }
}

#[test]
fn nothing_is_too_long_to_look_at() {
    for unit in ["x", ": ", "é", "<1>", "[1] ", "nic: Unknown symbol "] {
        let line = unit.repeat(200_000);
        let _ = decode::line(&line);
    }
    let many = "nic: Unknown symbol a (err -2)\n".repeat(decode::MOST_LINES + 5);
    let decoded = decode::text(&many);
    assert_eq!((decoded.found.len(), decoded.left_out), (decode::MOST_LINES, 5));
}

#[test]
fn the_kernel_goes_before_modprobe() {
    let cause = |text: &str| decode::strongest(&decode::text(text).found).map(|found| found.reason);
    let modprobe = "modprobe: ERROR: could not insert 'nic': Key was rejected by service\n";
    assert_eq!(cause(modprobe), Some(Reason::SignatureKeyUnknown));
    assert_eq!(
        cause(&format!("Loading of unsigned module is rejected\n{modprobe}")),
        Some(Reason::SignatureMissing)
    );
    assert_eq!(cause("nic: loading out-of-tree module taints kernel.\n"), None);
}

const HOST: [&str; 3] = [
    "name=dummy",
    "license=GPL",
    "vermagic=6.1.0-2-amd64 SMP preempt mod_unload modversions ",
];

/// "Function not implemented" are the words for two causes: a file that was named before tells them apart.
#[test]
fn a_call_that_the_kernel_does_not_have() {
    let refused = "modprobe: ERROR: could not insert 'acme-nic': Function not implemented\n";
    let cause = |before: &str| {
        let decoded = decode::text(&format!("{before}\n{refused}"));
        let found = decode::strongest(&decoded.found).unwrap();
        (found.reason, found.strong)
    };
    for before in [
        "",
        "insmod /lib/modules/6.1.0/extra/acme_nic.ko queues=8",
        "insmod /lib/modules/6.1.0/extra/other.ko.zst",
        "acme_nic.ko.zst",
    ] {
        assert_eq!(cause(before), (Reason::NoModuleSupport, false), "{before}");
    }
    for before in [
        "insmod /lib/modules/6.1.0/extra/acme_nic.ko.zst ",
        "insmod /lib/modules/6.1.0/extra/acme-nic.ko.xz queues=8\ninsmod other.ko",
    ] {
        assert_eq!(cause(before), (Reason::CompressionUnknown, false), "{before}");
    }
    // What is shown of the kernel goes before a guess.
    let shown = "insmod acme_nic.ko.xz\nlsmod: /proc/modules: No such file or directory";
    assert_eq!(cause(shown), (Reason::NoModuleSupport, true));
}

fn object(magic: &str, layout: u32, change: impl FnOnce(&mut Object)) -> KernelObject {
    let magic = format!("vermagic={magic}");
    let mut made = Object::module(&["name=nic", "license=GPL", &magic]);
    made.imports(&["acme_add"]);
    made.versions(&[("module_layout", layout), ("acme_add", 7)]);
    change(&mut made);
    KernelObject::read(&made.build(), &PlainOnly).unwrap()
}

/// A kernel of which one of its own modules is known, or none.
fn kernel(host_module: bool, version: &str) -> RunningKernel {
    let mut kernel = RunningKernel {
        release: "6.1.0-2-amd64".to_owned(),
        version: version.to_owned(),
        machine: "x86_64".to_owned(),
        ..RunningKernel::default()
    };
    if host_module {
        let mut made = Object::module(&HOST);
        made.imports(&["acme_add"]);
        made.versions(&[("module_layout", 1), ("acme_add", 7)]);
        kernel
            .known
            .learn(&KernelObject::read(&made.build(), &PlainOnly).unwrap());
    }
    kernel
}

fn reasons(object: &KernelObject, kernel: &RunningKernel, forced: bool) -> Vec<Reason> {
    let refused = precheck::check(object, kernel, forced);
    refused.into_iter().map(|refused| refused.reason).collect()
}

const OWN: &str = "6.1.0-2-amd64 SMP preempt mod_unload modversions ";
const SMP: &str = "#1 SMP PREEMPT_DYNAMIC Debian";

#[test]
fn with_a_module_of_the_kernel_checksums_decide() {
    let known = kernel(true, SMP);
    assert_eq!(reasons(&object(OWN, 1, |_| {}), &known, false), []);
    // The kernel does not look at the release where there are checksums, so neither is it looked at here.
    let sibling = "6.1.0-99-amd64 SMP preempt mod_unload modversions ";
    assert_eq!(reasons(&object(sibling, 1, |_| {}), &known, false), []);
    assert_eq!(
        reasons(&object(OWN, 2, |_| {}), &known, false),
        [Reason::WrongKernel]
    );
    assert_eq!(reasons(&object(OWN, 2, |_| {}), &known, true), []);
    let real_time = "6.1.0-2-rt-amd64 SMP preempt_rt mod_unload modversions ";
    assert_eq!(
        reasons(&object(real_time, 1, |_| {}), &known, false),
        [Reason::WrongKernel]
    );
}

#[test]
fn without_one_only_what_is_certain_is_refused() {
    let unknown = kernel(false, SMP);
    assert_eq!(reasons(&object(OWN, 2, |_| {}), &unknown, false), []);
    let real_time = "6.1.0-2-rt-amd64 SMP preempt_rt mod_unload modversions ";
    let module = object(real_time, 1, |_| {});
    assert_eq!(reasons(&module, &unknown, false), [Reason::WrongKernel]);
    assert_eq!(reasons(&module, &unknown, true), []);
    assert_eq!(
        reasons(&module, &kernel(false, "#1 SMP PREEMPT_RT Debian"), false),
        []
    );
    let mut plain = Object::module(&[
        "name=nic",
        "license=GPL",
        "vermagic=6.1.0-1-amd64 SMP mod_unload ",
    ]);
    plain.imports(&["acme_add"]);
    let plain = KernelObject::read(&plain.build(), &PlainOnly).unwrap();
    assert_eq!(reasons(&plain, &unknown, false), [Reason::WrongKernel]);
}

#[test]
fn architecture_and_signature() {
    for host_module in [true, false] {
        let mut kernel = kernel(host_module, SMP);
        let arm = object(OWN, 1, |made| made.machine = 183);
        assert_eq!(
            reasons(&arm, &kernel, true),
            [Reason::WrongArchitecture],
            "{host_module}"
        );
        let unsigned = object(OWN, 1, |_| {});
        kernel.sig_enforce = Some(true);
        assert_eq!(reasons(&unsigned, &kernel, false), [Reason::SignatureMissing]);
        kernel.lockdown = Some("integrity".to_owned());
        assert_eq!(reasons(&unsigned, &kernel, false), [Reason::Lockdown]);
        let signed = object(OWN, 1, |made| made.sign(1, b"Acme", &[1, 2], &[0, 2, 9, 9]));
        assert!(signed.signature.is_some());
        assert_eq!(reasons(&signed, &kernel, false), []);
    }
}

/// The guide has each reason that `kmm decode` gives, in the words that it gives.
#[test]
fn the_guide_has_every_reason() {
    let guide = include_str!("../../docs/guide/decode.md");
    for reason in decode::MESSAGES.iter().map(|known| known.reason) {
        let row = format!("| `{reason}` | {} | {} |", reason.cause(), reason.mend());
        assert!(guide.contains(row.trim_end()), "{row}");
    }
}
