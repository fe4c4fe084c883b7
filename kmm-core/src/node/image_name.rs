//! Whether a container runtime takes a name for an image.

/// What is wrong with the name, if a container runtime would refuse it: the grammar of distribution references.
pub(crate) fn fault(image: &str) -> Option<String> {
    if image.is_empty() {
        return Some("the image name is empty".to_owned());
    }
    if let Some(odd) = image.chars().find(|c| !c.is_ascii_graphic()) {
        return Some(format!("{odd:?} cannot be in an image name"));
    }
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    if let Some(digest) = digest
        && !is_digest(digest)
    {
        return Some(format!("`{digest}` is no digest"));
    }
    let (name, tag) = split_tag(rest);
    if let Some(tag) = tag {
        if tag.is_empty() {
            return Some("the tag after `:` is empty".to_owned());
        }
        if !is_tag(tag) {
            return Some(format!("`{tag}` is no tag"));
        }
    }
    name_fault(name)
}

/// Whether the image has neither tag nor digest, so that `latest` is meant.
pub(super) fn is_floating(image: &str) -> bool {
    !image.contains('@') && split_tag(image).1.is_none()
}

/// A colon after the last slash starts the tag; one before it, a port.
fn split_tag(image: &str) -> (&str, Option<&str>) {
    let last = image.rfind('/').map_or(0, |slash| slash + 1);
    match image[last..].find(':') {
        Some(colon) => (&image[..last + colon], Some(&image[last + colon + 1..])),
        None => (image, None),
    }
}

fn name_fault(name: &str) -> Option<String> {
    if name.len() > 255 {
        return Some("the name is longer than 255 characters".to_owned());
    }
    let (domain, path) = match name.split_once('/') {
        Some((first, path)) if is_domain_like(first) => (Some(first), path),
        Some(_) | None => (None, name),
    };
    if let Some(domain) = domain
        && !is_domain(domain)
    {
        return Some(format!("`{domain}` is no host"));
    }
    path.split('/').find(|part| !is_path_part(part)).map(|part| {
        if part.is_empty() {
            "the name has an empty part between slashes".to_owned()
        } else if has_capitals(part) {
            format!("`{part}` has capital letters")
        } else {
            format!("`{part}` cannot be part of an image name")
        }
    })
}

fn is_domain_like(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':', '[']) || has_capitals(first)
}

fn has_capitals(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_uppercase())
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            let hex = |c: char| c.is_ascii_hexdigit() || c == ':';
            return !address.is_empty()
                && address.chars().all(hex)
                && (port.is_empty() || port.strip_prefix(':').is_some_and(is_number));
        }
        None => match domain.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (domain, None),
        },
    };
    port.is_none_or(is_number)
        && host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

/// Runs of lower-case letters and digits, joined by one `.`, one or two `_`, or any number of `-`.
fn is_path_part(part: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let joint = |text: &str| matches!(text, "" | "." | "_" | "__") || text.chars().all(|c| c == '-');
    part.starts_with(word) && part.ends_with(word) && part.split(word).all(joint)
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= 128 && tag.starts_with(word) && tag.chars().all(|c| word(c) || c == '.' || c == '-')
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else {
        return false;
    };
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.chars().all(|c| c.is_ascii_alphanumeric())
    };
    algorithm.split(['+', '.', '-', '_']).all(part)
        && hex.chars().all(|c| c.is_ascii_hexdigit())
        && match algorithm {
            "sha256" => hex.len() == 64 && !has_capitals(hex),
            "sha512" => hex.len() == 128 && !has_capitals(hex),
            _ => hex.len() >= 32,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_runtimes_take_them() {
        let digest = format!("img.example/a@sha256:{}", "ab".repeat(32));
        for good in [
            "drv",
            "drv:1",
            "localhost:5000/ns/drv:6.1.0_rt",
            "img.example/a__b/c--d:x-1.Y",
            "img.example:443/a",
            "[fd00::1]:5000/a:1",
            digest.as_str(),
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in [
            "",
            "drv:",
            "img.example/Drv:1",
            "a//b:1",
            "img.example/a_:1",
            "img.example/a___b:1",
            "img.example/a:1}",
            "img.example/a:-x",
            "img.example:port/a",
            "img example/a",
            "img.example/a@sha256:ab",
            "/a:1",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
        assert!(is_floating("localhost:5000/a"));
        assert!(!is_floating("a:1"));
    }
}
