//! The name of an image in a registry: `REPO[:TAG][@DIGEST]`.
//!
//! The rules are those of docker's `distribution/reference`. What surprises:
//! - the first part is a host only if it holds a `.` or a `:`, or is `localhost`: `team/driver` is on Docker Hub;
//! - on Docker Hub a name of one part is below `library/`;
//! - with both a tag and a digest the digest decides, the tag is for people.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;

const DOCKER_HUB: &str = "docker.io";
const REPOSITORY_LIMIT: usize = 255;
const TAG_LIMIT: usize = 128;

/// The name of an image in a registry.
///
/// # Example: short names are completed as docker does
///
/// ```
/// let name: kmm_oci::ImageName = "busybox".parse()?;
/// assert_eq!(name.to_string(), "docker.io/library/busybox");
/// assert_eq!(name.registry(), "docker.io");
/// assert_eq!(name.tag_or_latest(), "latest");
///
/// let name: kmm_oci::ImageName = "localhost:5000/team/driver:6.1.0-13".parse()?;
/// assert_eq!((name.registry(), name.repository()), ("localhost:5000", "team/driver"));
/// # Ok::<(), kmm_oci::reference::ImageNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is not the name of an image in a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not an image name: {reason}")]
pub struct ImageNameError {
    given: String,
    reason: String,
}

impl ImageName {
    /// The host, with its port if one was given; `docker.io` for Docker Hub.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository below that host.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if one was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one was given.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The tag, `latest` where none was given.
    pub fn tag_or_latest(&self) -> &str {
        self.tag().unwrap_or("latest")
    }

    /// What stands after `/manifests/` in a registry's API: the digest, else the tag.
    pub fn manifest(&self) -> String {
        match &self.digest {
            Some(digest) => digest.to_string(),
            None => self.tag_or_latest().to_owned(),
        }
    }

    /// `HOST/REPOSITORY`, without tag and digest.
    pub fn full_repository(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The same repository, with this digest.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self {
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// The same tag and digest in another repository, given in full: `HOST[:PORT]/REPOSITORY`.
    pub(crate) fn moved_to(&self, full_repository: &str) -> Result<Self, ImageNameError> {
        let mut name: Self = full_repository.parse()?;
        name.tag.clone_from(&self.tag);
        name.digest.clone_from(&self.digest);
        Ok(name)
    }
}

impl FromStr for ImageName {
    type Err = ImageNameError;

    fn from_str(given: &str) -> Result<Self, ImageNameError> {
        parse(given).map_err(|reason| ImageNameError {
            given: given.chars().take(300).collect(),
            reason,
        })
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

fn parse(given: &str) -> Result<ImageName, String> {
    if let Some((scheme, _)) = given.split_once("://") {
        return Err(format!(
            "leave out `{scheme}://`; expected `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`"
        ));
    }
    let (rest, digest) = match given.split_once('@') {
        Some((rest, digest)) => (
            rest,
            Some(digest.parse::<Digest>().map_err(|error| error.to_string())?),
        ),
        None => (given, None),
    };
    // A colon after the last slash starts a tag; one before it a port.
    let slash = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[slash..].find(':') {
        Some(colon) => (&rest[..slash + colon], Some(&rest[slash + colon + 1..])),
        None => (rest, None),
    };
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    let (registry, repository) = split_host(name);
    check_host(registry)?;
    let repository = match registry == DOCKER_HUB && !repository.contains('/') {
        true => format!("library/{repository}"),
        false => repository.to_owned(),
    };
    check_repository(&repository)?;
    Ok(ImageName {
        registry: registry.to_owned(),
        repository,
        tag: tag.map(str::to_owned),
        digest,
    })
}

fn split_host(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some(("index.docker.io", rest)) => (DOCKER_HUB, rest),
        Some((host, rest)) if looks_like_host(host) => (host, rest),
        _ => (DOCKER_HUB, name),
    }
}

fn looks_like_host(part: &str) -> bool {
    let upper = part.bytes().any(|byte| byte.is_ascii_uppercase());
    part == "localhost" || upper || part.contains(['.', ':', '['])
}

fn check_host(host: &str) -> Result<(), String> {
    let refuse =
        || format!("`{host}` is not a host: expected a DNS name or an address, with `:PORT` if need be");
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or_else(refuse)?;
            let _: std::net::Ipv6Addr = address.parse().map_err(|_| refuse())?;
            ("v6", port)
        }
        None => match host.split_once(':') {
            Some((name, _)) => (name, &host[name.len()..]),
            None => (host, ""),
        },
    };
    let label = |label: &str| {
        let inner = label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inner && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    if !name.split('.').all(label) || name.len() > 253 {
        return Err(refuse());
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok(()),
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok() => Ok(()),
        Some(_) | None => Err(refuse()),
    }
}

fn check_tag(tag: &str) -> Result<(), String> {
    let letters = tag
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if tag.is_empty() || tag.len() > TAG_LIMIT || !letters || tag.starts_with(['.', '-']) {
        return Err(format!(
            "`{}` is not a tag: expected up to {TAG_LIMIT} of `A-Z a-z 0-9 _ . -`, not starting with `.` or `-`",
            tag.chars().take(200).collect::<String>()
        ));
    }
    Ok(())
}

fn check_repository(repository: &str) -> Result<(), String> {
    if repository.len() > REPOSITORY_LIMIT {
        return Err(format!(
            "the repository is longer than {REPOSITORY_LIMIT} characters"
        ));
    }
    match repository.split('/').find(|part| !is_part(part)) {
        None => Ok(()),
        Some(part) if part.bytes().any(|byte| byte.is_ascii_uppercase()) => Err(format!(
            "`{part}` has upper-case letters, which a repository may not have"
        )),
        Some(part) => Err(format!(
            "`{part}` is not a part of a repository: expected `a-z 0-9`, with `.`, `_`, `__` or `-` between them"
        )),
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_part(part: &str) -> bool {
    let inside = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut rest = part.as_bytes();
    loop {
        let letters = rest.iter().take_while(|byte| inside(byte)).count();
        if letters == 0 {
            return false;
        }
        rest = &rest[letters..];
        rest = match rest {
            [] => return true,
            [b'.', rest @ ..] | [b'_', b'_', rest @ ..] | [b'_', rest @ ..] => rest,
            [b'-', ..] => &rest[rest.iter().take_while(|byte| **byte == b'-').count()..],
            _ => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> String {
        match text.parse::<ImageName>() {
            Ok(name) => name.to_string(),
            Err(error) => format!("error: {}", error.reason),
        }
    }

    #[test]
    fn names_are_completed_as_docker_does() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (given, full) in [
            ("busybox", "docker.io/library/busybox"),
            ("busybox:1", "docker.io/library/busybox:1"),
            ("team/driver", "docker.io/team/driver"),
            ("docker.io/busybox", "docker.io/library/busybox"),
            ("index.docker.io/busybox", "docker.io/library/busybox"),
            ("localhost/driver", "localhost/driver"),
            ("localhost:5000/driver:x", "localhost:5000/driver:x"),
            ("quay.io/a/b/c__d--e.f", "quay.io/a/b/c__d--e.f"),
            ("127.0.0.1:5000/x", "127.0.0.1:5000/x"),
            ("[::1]:5000/x:1", "[::1]:5000/x:1"),
            ("Host/x", "Host/x"),
            ("busybox:5000", "docker.io/library/busybox:5000"),
        ] {
            assert_eq!(parsed(given), full, "{given}");
            assert_eq!(parsed(&format!("{given}@{digest}")), format!("{full}@{digest}"));
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for given in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "a:",
            "a@",
            "a@sha256:1",
            ":a",
            "a/B",
            "UPPER",
            "a..b",
            "a._b",
            "-a",
            "a-",
            "a___b",
            "host.io:99999/a",
            "host.io:/a",
            "host.io:+1/a",
            "-host.io/a",
            "ho st.io/a",
            "[::1/a",
            "[x]/a",
            "docker://a",
            "https://quay.io/a",
            "a:.b",
            "a: b",
            "a/../b",
            "quay.io/%2e%2e/a",
            "é",
            "a:é",
            "a b",
        ] {
            assert!(given.parse::<ImageName>().is_err(), "{given}");
        }
        assert!(format!("a:{}", "x".repeat(129)).parse::<ImageName>().is_err());
        assert!("a/".repeat(200).parse::<ImageName>().is_err());
    }

    #[test]
    fn the_digest_decides() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let name: ImageName = format!("a:b@{digest}").parse().unwrap();
        assert_eq!(name.manifest(), digest);
        assert_eq!("a:b".parse::<ImageName>().unwrap().manifest(), "b");
        assert_eq!("a".parse::<ImageName>().unwrap().manifest(), "latest");
    }

    proptest! {
        #[test]
        fn what_is_parsed_prints_itself(text in "([a-zA-Z0-9.:\\[\\]_@/-]|sha256:[0-9a-f]{64}){0,40}|.{0,40}") {
            if let Ok(name) = text.parse::<ImageName>() {
                let printed = name.to_string();
                prop_assert_eq!(printed.parse::<ImageName>().unwrap(), name);
                prop_assert!(printed.ends_with(&text) || text.starts_with("index.docker.io/") || text.starts_with("docker.io/"));
            }
        }

        #[test]
        fn full_names_print_as_given(
            host in "[a-z][a-z0-9]{0,5}(\\.[a-z0-9]{1,5}){1,3}(:[1-9][0-9]{0,3})?",
            path in "[a-z0-9]{1,5}([._]|__|-{1,3})?[a-z0-9]{1,5}(/[a-z0-9]{1,9}){0,4}",
            tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}"),
            digest in proptest::option::of("sha256:[0-9a-f]{64}"),
        ) {
            let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
            let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
            let text = format!("{host}/{path}{tag}{digest}");
            prop_assert_eq!(text.parse::<ImageName>().unwrap().to_string(), text);
        }
    }
}
