//! What Kubernetes takes as a name, with the reasons that it gives.
//!
//! Every function gives the reasons in the order and wording of the API server (Kubernetes 1.35); no reason means that
//! the name is good. Lengths are bytes.
//!
//! # Example: a label key
//!
//! ```
//! use kmm_core::naming;
//!
//! assert!(naming::qualified_name("example.com/My.Name").is_empty());
//! assert_eq!(naming::qualified_name("/x"), ["prefix part must be non-empty"]);
//! ```

const LABEL_MAX: usize = 63;
const SUBDOMAIN_MAX: usize = 253;

/// Reasons why `text` is no qualified name (label and taint keys): a name of letters, digits, `-`, `_` and `.`, with
/// an optional DNS subdomain and `/` before it.
pub fn qualified_name(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    let parts: Vec<&str> = text.split('/').collect();
    let name = match parts[..] {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                reasons.push("prefix part must be non-empty".to_owned());
            } else {
                let found = dns1123_subdomain(prefix);
                reasons.extend(found.into_iter().map(|reason| format!("prefix part {reason}")));
            }
            name
        }
        _ => {
            return vec![format!(
                "a valid label key {NAME_REASON} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        reasons.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_MAX {
        reasons.push(format!("name part {}", too_long(LABEL_MAX)));
    }
    if !is_name(name) {
        reasons.push(format!("name part {NAME_REASON}"));
    }
    reasons
}

/// Reasons why `text` is no label value: empty, or letters, digits, `-`, `_` and `.` between letters or digits.
pub fn label_value(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if text.len() > LABEL_MAX {
        reasons.push(too_long(LABEL_MAX));
    }
    if !text.is_empty() && !is_name(text) {
        reasons.push(VALUE_REASON.to_owned());
    }
    reasons
}

/// Reasons why `text` is no DNS subdomain (RFC 1123), as object names have to be.
pub fn dns1123_subdomain(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if text.len() > SUBDOMAIN_MAX {
        reasons.push(too_long(SUBDOMAIN_MAX));
    }
    if !is_subdomain(text) {
        reasons.push(SUBDOMAIN_REASON.to_owned());
    }
    reasons
}

/// Reasons why `text` is no DNS label (RFC 1123), as namespaces have to be.
pub fn dns1123_label(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if text.len() > LABEL_MAX {
        reasons.push(too_long(LABEL_MAX));
    }
    if !is_dns_label(text) {
        let reason = if is_subdomain(text) {
            "must not contain dots"
        } else {
            LABEL_REASON
        };
        reasons.push(reason.to_owned());
    }
    reasons
}

const NAME_REASON: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
    alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE_REASON: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
    and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
    validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const SUBDOMAIN_REASON: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or \
    '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_REASON: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
    start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

fn too_long(max: usize) -> String {
    format!("must be no more than {max} bytes")
}

fn is_name(text: &str) -> bool {
    between(
        text,
        |b| b.is_ascii_alphanumeric(),
        |b| matches!(b, b'-' | b'_' | b'.'),
    )
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_dns_label)
}

fn is_dns_label(text: &str) -> bool {
    between(
        text,
        |b| b.is_ascii_lowercase() || b.is_ascii_digit(),
        |b| b == b'-',
    )
}

/// Whether `text` starts and ends with an `end` byte and holds only `end` and `inner` bytes.
fn between(text: &str, end: fn(u8) -> bool, inner: fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(&first), Some(&last)) => end(first) && end(last) && bytes.iter().all(|&b| end(b) || inner(b)),
        _ => false,
    }
}
