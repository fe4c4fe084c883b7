//! Why a registry gave no answer, and what would mend it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// What kind of failure it is: whoever acts on an error acts on this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The registry wants credentials, or takes none of those that there are (401, 403).
    Unauthorised,
    /// No connection: the name, the address, the network, a time limit.
    Unreachable,
    /// No trust: the certificate, or plain HTTP where TLS is expected.
    Tls,
    /// Too many requests (429), for longer than we wait.
    RateLimited,
    /// The registry is there and fails or does not want to (any other status).
    Refused,
    /// What came is not what a registry sends: too much, too little, another digest.
    Invalid,
    /// Configuration forbids it or cannot be used: a blocked registry, a credential helper that fails.
    Configuration,
    /// There is no such manifest or blob (404).
    Missing,
}

/// A registry gave no answer, or the answer is "no".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryError {
    kind: ErrorKind,
    place: String,
    reason: String,
    help: String,
    retry_after: Option<Duration>,
    passing: bool,
}

impl RegistryError {
    pub(super) fn new(kind: ErrorKind, place: impl Into<String>, reason: impl Into<String>) -> Self {
        let help = match kind {
            ErrorKind::Unauthorised => {
                "check the pull secret or run `podman login`: the entry must match the host, the port and the repository"
            }
            ErrorKind::Unreachable => {
                "check the host name and the port, the network, and the proxy (`HTTPS_PROXY`, `NO_PROXY`)"
            }
            ErrorKind::Tls => {
                "give the CA that signed the certificate; or allow it in `registryTLS` or registries.conf: \
                 `insecureSkipTLSVerify` for a certificate that is not trusted, `insecure` for plain HTTP"
            }
            ErrorKind::RateLimited => "wait, or log in: most registries allow more to those they know",
            ErrorKind::Refused => "look at the registry's own log; its answer is above",
            ErrorKind::Invalid => {
                "look whether a proxy or a login page answers in place of the registry, else push the image again"
            }
            ErrorKind::Configuration => "correct the configuration that is named",
            ErrorKind::Missing => {
                "check the repository and the tag; some registries also hide what one may not see"
            }
        };
        Self {
            kind,
            place: place.into(),
            reason: reason.into(),
            help: help.to_owned(),
            retry_after: None,
            passing: false,
        }
    }

    pub(super) fn help_with(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    pub(super) fn after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// Adds what went wrong before: elsewhere, at a mirror, or in another way.
    pub(super) fn and(mut self, other: &Self) -> Self {
        if self.place != other.place {
            self.reason = format!("{}; before that {}: {}", self.reason, other.place, other.reason);
        } else if self.reason != other.reason {
            self.reason = format!("{}; before that {}", self.reason, other.reason);
        }
        self
    }

    /// Whether it may pass by itself soon.
    pub(super) fn passes(&self) -> bool {
        matches!(self.kind, ErrorKind::Unreachable | ErrorKind::RateLimited) || self.passing
    }

    /// Whether what answered TLS seems to speak plain HTTP: its first bytes are no record of TLS.
    pub(super) fn speaks_plain(&self) -> bool {
        self.reason.contains("InvalidContentType") || self.reason.contains("corrupt message")
    }

    pub(super) fn passing(mut self, passing: bool) -> Self {
        self.passing = passing;
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The registry and what was asked of it.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What went wrong, without the place.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What would mend it.
    pub fn help(&self) -> &str {
        &self.help
    }

    /// How long the registry asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.reason)
    }
}

impl Error for RegistryError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_already_is_not_said_again() {
        let error = |place: &str, reason: &str| RegistryError::new(ErrorKind::Unreachable, place, reason);
        for (other, expected) in [
            (error("a", "gone"), "a: gone"),
            (error("a", "other"), "a: gone; before that other"),
            (error("b", "gone"), "a: gone; before that b: gone"),
        ] {
            assert_eq!(error("a", "gone").and(&other).to_string(), expected);
        }
    }
}
