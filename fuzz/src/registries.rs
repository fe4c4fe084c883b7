//! Targets that read what registries send.

use kmm_oci::registry::Challenge;

/// Headers `WWW-Authenticate`, one a line: what is read from them, written down again, is read as the same.
pub fn challenge(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let found = Challenge::choose(text.lines());
    let Some(Challenge::Bearer { realm, service }) = &found else {
        return;
    };
    assert!(!realm.is_empty(), "a token server without a name");
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut header = format!("Bearer realm={}", quoted(realm));
    if let Some(service) = service {
        assert!(!service.is_empty(), "a service without a name");
        header += &format!(",service={}", quoted(service));
    }
    // Escapes can make it longer than what is read.
    if header.len() <= 4 << 10 {
        assert_eq!(Challenge::choose([header.as_str()]), found);
        // A password is the second choice, wherever it stands.
        assert_eq!(Challenge::choose(["Basic realm=\"x\"", header.as_str()]), found);
    }
}
