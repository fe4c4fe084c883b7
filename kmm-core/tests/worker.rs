//! What a worker decides, over data of our own.
#![cfg(feature = "kmod")]

use kmm_core::worker::Reason;
use kmm_core::worker::decode;

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
