//! What keys and values of labels may be.

/// Why a text is no value of a label, in the words that follow `its value`.
pub(super) fn value_fault(value: &str) -> Option<String> {
    if value.is_empty() { None } else { name_fault(value) }
}

/// Why a text is no key of a label, in the words that follow `its key`.
pub(super) fn key_fault(key: &str) -> Option<String> {
    let name = match key.split_once('/') {
        Some((prefix, name)) => {
            let part = |part: &str| {
                let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
                part.starts_with(edge) && part.ends_with(edge) && part.chars().all(|c| edge(c) || c == '-')
            };
            if prefix.len() > 253 || !prefix.split('.').all(part) {
                return Some(format!(
                    "has the prefix `{prefix}`, which is no DNS name in small letters"
                ));
            }
            name
        }
        None => key,
    };
    if name.is_empty() {
        Some("has no name".to_owned())
    } else {
        name_fault(name)
    }
}

fn name_fault(text: &str) -> Option<String> {
    if text.len() > 63 {
        return Some("is longer than 63 characters".to_owned());
    }
    let edge = |c: char| c.is_ascii_alphanumeric();
    if let Some(odd) = text.chars().find(|&c| !(edge(c) || "._-".contains(c))) {
        return Some(format!("holds {odd:?}"));
    }
    let fine = text.starts_with(edge) && text.ends_with(edge);
    (!fine).then(|| "has no letter or digit at both ends".to_owned())
}
