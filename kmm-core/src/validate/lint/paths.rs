//! Folders of an image that scripts use.

/// Why a folder cannot be used, in the words that follow it in a message.
pub(super) fn fault(folder: &str) -> Option<String> {
    if folder.split('/').any(|part| part == "..") {
        return Some("goes up with `..`, and may lead out of `/tmp` on the worker".to_owned());
    }
    if folder.contains("${") {
        return None;
    }
    let odd = folder
        .chars()
        .find(|&c| c.is_whitespace() || c.is_control() || "\"'$*?;&|<>(){}[]\\`#~!".contains(c))?;
    Some(format!(
        "holds {odd:?}, and is put into a shell script without quotes"
    ))
}
