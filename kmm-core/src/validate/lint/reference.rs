//! Image names taken apart, with template variables as unknown parts.

use crate::template::KERNEL_VARIABLES;
use crate::template::MODULE_VARIABLES;
use crate::template::Template;

/// What stands for the value of a variable: fits into every part of an image name.
const VALUE: char = '0';

/// An image name in its parts.
pub(super) struct Reference {
    name: String,
    pub(super) tag: Option<String>,
    pub(super) digest: Option<String>,
    /// Whether the registry has a port.
    pub(super) port: bool,
    /// Whether the parts are known for sure: `false` where an odd template might expand to anything.
    pub(super) certain: bool,
}

impl Reference {
    /// Of an image that is a template.
    pub(super) fn of_template(source: &str) -> Self {
        let template = Template::parse(source);
        let plain = template.error().is_none() && template.is_simple();
        let mut text = String::new();
        let mut last = 0;
        for found in template.references() {
            let known = KERNEL_VARIABLES.contains(&found.name) || MODULE_VARIABLES.contains(&found.name);
            text.push_str(source.get(last..found.piece.start).unwrap_or_default());
            text.extend(known.then_some(VALUE));
            last = last.max(found.piece.end);
        }
        text.push_str(source.get(last..).unwrap_or_default());
        let unknown = template
            .references()
            .any(|found| !KERNEL_VARIABLES.contains(&found.name) && !MODULE_VARIABLES.contains(&found.name));
        let mut reference = Self::of_plain(&text);
        reference.certain = plain && !unknown;
        reference
    }

    /// Of an image that is no template.
    pub(super) fn of_plain(text: &str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (text, None),
        };
        let path = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[path..].find(':') {
            Some(colon) => (&rest[..path + colon], Some(rest[path + colon + 1..].to_owned())),
            None => (rest, None),
        };
        let host = name.split_once('/').map_or("", |(host, _)| host);
        Self {
            name: name.to_owned(),
            tag,
            digest,
            port: host.contains(':'),
            certain: true,
        }
    }

    /// Why no registry can hold an image of this name.
    pub(super) fn fault(&self) -> Option<String> {
        if !self.certain {
            return None;
        }
        if self.name.contains("://") {
            return Some("it starts like a URL".to_owned());
        }
        let whole = [Some(&self.name), self.tag.as_ref(), self.digest.as_ref()];
        if let Some(odd) = whole
            .into_iter()
            .flatten()
            .flat_map(|part| part.chars())
            .find(|c| c.is_whitespace())
        {
            return Some(format!("it holds {odd:?}"));
        }
        let (host, path) = match self.name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (Some(host), path),
            _ => (None, self.name.as_str()),
        };
        if let Some((_, port)) = host.and_then(|host| host.rsplit_once(':'))
            && !host.is_some_and(|host| host.ends_with(']'))
            && (port.is_empty() || port.len() > 5 || !port.bytes().all(|b| b.is_ascii_digit()))
        {
            return Some(format!("`{port}` is no port"));
        }
        if let Some(odd) = path
            .chars()
            .find(|&c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c)))
        {
            return Some(format!("its path holds {odd:?}"));
        }
        let edge =
            |part: &str| part.is_empty() || !part.starts_with(alphanumeric) || !part.ends_with(alphanumeric);
        if let Some(part) = path.split('/').find(|part| edge(part)) {
            return Some(format!(
                "`{part}` in its path has no letter or digit at both ends"
            ));
        }
        if let Some(tag) = &self.tag {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if tag.is_empty() || tag.len() > 128 || !tag.starts_with(word) {
                return Some(format!("`{tag}` is no tag"));
            }
            if let Some(odd) = tag.chars().find(|&c| !(word(c) || c == '.' || c == '-')) {
                return Some(format!("its tag holds {odd:?}"));
            }
        }
        match &self.digest {
            Some(digest) if !is_digest(digest) => Some(format!("`{digest}` is no digest")),
            Some(_) | None => None,
        }
    }
}

fn alphanumeric(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn is_digest(text: &str) -> bool {
    match text.split_once(':') {
        Some(("sha256", hex)) => hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()),
        Some((algorithm, rest)) => !algorithm.is_empty() && rest.len() >= 32,
        // A variable may hold all of it.
        None => text.chars().all(|c| c == VALUE) && !text.is_empty(),
    }
}
