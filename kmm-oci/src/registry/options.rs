//! How registries are reached.

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use super::certs_d::CertsD;
use super::mirrors::RegistriesConf;
use crate::credentials::Keychain;

/// How registries are reached. [`Options::default`] asks without a name, trusts the system's CAs, uses no proxy.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where credentials come from.
    pub keychain: Keychain,
    /// What a Module's `registryTLS` allows.
    pub tls: Tls,
    /// CA certificates in PEM, beside those of the system.
    pub ca_certificates: Vec<Vec<u8>>,
    /// Certificates for single registries.
    pub certs_d: CertsD,
    /// Mirrors, and registries that are blocked or insecure.
    pub registries: RegistriesConf,
    /// Proxies.
    pub proxy: Proxy,
    /// Times, sizes and tries.
    pub limits: Limits,
}

/// What is allowed besides TLS with a certificate that is trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tls {
    /// Plain HTTP, where the registry does not speak TLS (`registryTLS.insecure`).
    pub insecure: bool,
    /// Certificates that are not trusted (`registryTLS.insecureSkipTLSVerify`).
    pub skip_verify: bool,
}

/// Proxies, as URLs; one may hold a password, which is never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxy {
    /// For `https` URLs.
    pub https: Option<String>,
    /// For `http` URLs.
    pub http: Option<String>,
    /// Hosts, domains and networks that are reached directly: `NO_PROXY`, parts with commas between.
    pub except: Option<String>,
}

impl Proxy {
    /// What `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say, or the same in small letters, which come first as in curl.
    pub fn from_variables(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let either = |name: &str| {
            let value = variable(&name.to_ascii_lowercase()).or_else(|| variable(name))?;
            value.into_string().ok().filter(|value| !value.is_empty())
        };
        Self {
            https: either("HTTPS_PROXY"),
            http: either("HTTP_PROXY"),
            except: either("NO_PROXY"),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("https", &self.https.as_deref().map(without_password))
            .field("http", &self.http.as_deref().map(without_password))
            .field("except", &self.except)
            .finish()
    }
}

/// A URL from its host on: what stands before an `@` can be a password.
pub(super) fn without_password(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, host)| host)
}

/// Times, sizes and tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection stands.
    pub connect: Duration,
    /// Without a single byte.
    pub idle: Duration,
    /// For one manifest, with its retries and tokens.
    pub manifest: Duration,
    /// For one blob, with its retries.
    pub blob: Duration,
    /// How often a request is sent, at most.
    pub attempts: u32,
    /// How often a blob that breaks is gone on with, at most.
    pub resumes: u32,
    /// The wait before the second try; it doubles with each.
    pub backoff: Duration,
    /// The longest wait, whatever a registry asks for.
    pub longest_wait: Duration,
    /// How many redirects are followed.
    pub redirects: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            manifest: Duration::from_secs(120),
            blob: Duration::from_secs(3600),
            attempts: 4,
            resumes: 8,
            backoff: Duration::from_millis(250),
            longest_wait: Duration::from_secs(30),
            redirects: 5,
        }
    }
}

/// Why options cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct OptionsError {
    what: String,
    reason: String,
}

impl OptionsError {
    pub(super) fn new(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            reason: reason.into(),
        }
    }
}
