//! Requests and answers below the registry's own rules: clients, redirects, bounded bodies.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use reqwest::Certificate;
use reqwest::Client;
use reqwest::Identity;
use reqwest::Method;
use reqwest::NoProxy;
use reqwest::Response;
use reqwest::Url;
use reqwest::header::ACCEPT_ENCODING;
use reqwest::header::AUTHORIZATION;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderValue;
use reqwest::header::LOCATION;

use super::certs_d::CertsDError;
use super::error::ErrorKind;
use super::error::RegistryError;
use super::options::Options;
use super::options::OptionsError;
use super::options::without_password;
use crate::credentials::Secret;

const USER_AGENT: &str = concat!("kmm/", env!("CARGO_PKG_VERSION"));

/// The HTTP clients; each is made when it is first needed, so that CAs are only read for TLS.
pub(super) struct Http {
    options: Options,
    certificates: Vec<Certificate>,
    clients: Mutex<HashMap<ClientKey, Client>>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A client would print the URLs of its proxies, passwords and all.
        f.debug_struct("Http")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// What tells clients apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ClientKey {
    trust: Trust,
    /// The registry whose certificates count; none for plain HTTP.
    registry: String,
    /// Whether its client certificate is shown.
    shown: bool,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    /// A form, which may hold a token.
    pub(super) body: Option<Secret>,
    /// The registry, as it stands in names of images: its certificates are trusted, also of its token server.
    pub(super) registry: String,
    /// Sent to the host of the URL only, not to where it redirects.
    pub(super) authorization: Option<HeaderValue>,
    /// Whether certificates that are not trusted are allowed.
    pub(super) skip_verify: bool,
    /// Whether the registry is one of plain HTTP; else no redirect may lead there.
    pub(super) plain: bool,
}

impl Request {
    pub(super) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            registry: String::new(),
            authorization: None,
            skip_verify: false,
            plain: false,
        }
    }
}

impl Http {
    pub(super) fn new(options: Options) -> Result<Self, OptionsError> {
        let mut certificates = Vec::new();
        for (number, pem) in options.ca_certificates.iter().enumerate() {
            let what = || format!("CA certificate file {}", number + 1);
            let found = Certificate::from_pem_bundle(pem)
                .map_err(|_| OptionsError::new(what(), "not PEM; expected `-----BEGIN CERTIFICATE-----`"))?;
            if found.is_empty() {
                return Err(OptionsError::new(what(), "holds no certificate"));
            }
            certificates.extend(found);
        }
        let http = Self {
            options,
            certificates,
            clients: Mutex::default(),
        };
        // Wrong proxies are found now rather than at the first request.
        let _ = http.builder()?;
        Ok(http)
    }

    /// Sends a request and follows redirects. An authorization stays on the host that it is for.
    pub(super) async fn send(&self, request: &Request) -> Result<Response, RegistryError> {
        let mut url = request.url.clone();
        for _ in 0..=self.options.limits.redirects {
            let response = self.send_once(request, &url).await?;
            let place = || place(&url);
            if !response.status().is_redirection() || response.status() == 304 {
                return Ok(response);
            }
            let refuse = |reason: String| RegistryError::new(ErrorKind::Refused, place(), reason);
            let target = response
                .headers()
                .get(LOCATION)
                .and_then(|value| value.to_str().ok());
            let target = target.ok_or_else(|| refuse("redirects without saying where to".to_owned()))?;
            let next = url
                .join(target)
                .map_err(|_| refuse("redirects to what is not a URL".to_owned()))?;
            let allowed = match next.scheme() {
                "https" => true,
                "http" => request.plain,
                _ => false,
            };
            if !allowed {
                return Err(refuse(format!(
                    "redirects from TLS to `{}`, which is not followed",
                    next.scheme()
                )));
            }
            url = next;
        }
        Err(RegistryError::new(
            ErrorKind::Refused,
            place(&request.url),
            format!("redirects more than {} times", self.options.limits.redirects),
        ))
    }

    async fn send_once(&self, request: &Request, url: &Url) -> Result<Response, RegistryError> {
        let client = self.client(request, url)?;
        let mut builder = client
            .request(request.method.clone(), url.clone())
            .headers(request.headers.clone())
            // What is counted and hashed are the bytes themselves.
            .header(ACCEPT_ENCODING, "identity");
        if url.origin() == request.url.origin() {
            if let Some(value) = &request.authorization {
                builder = builder.header(AUTHORIZATION, value.clone());
            }
            if let Some(body) = &request.body {
                builder = builder
                    .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(body.expose().to_owned());
            }
        }
        builder.send().await.map_err(|error| failed(url, &error))
    }

    fn client(&self, request: &Request, url: &Url) -> Result<Client, RegistryError> {
        let trust = match (url.scheme(), request.skip_verify) {
            ("http", _) => Trust::Nobody,
            (_, false) => Trust::System,
            (_, true) => Trust::Everybody,
        };
        let key = ClientKey {
            trust,
            registry: match trust {
                Trust::Nobody => String::new(),
                Trust::System | Trust::Everybody => request.registry.clone(),
            },
            // As an authorization: not to where a request is redirected.
            shown: url.origin() == request.url.origin(),
        };
        if let Some(client) = self.clients().get(&key) {
            return Ok(client.clone());
        }
        let client = self.build(&key).map_err(|error| match error {
            BuildError::Certificates(error) => {
                RegistryError::new(ErrorKind::Configuration, place(url), error.to_string())
            }
            BuildError::Client(error) => RegistryError::new(ErrorKind::Tls, place(url), error.to_string())
                .help_with("install the system's CA certificates (`ca-certificates`), or give a CA file"),
        })?;
        self.clients().insert(key, client.clone());
        Ok(client)
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<ClientKey, Client>> {
        // Clients are put in whole, so a thread that panicked left nothing half done.
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn build(&self, key: &ClientKey) -> Result<Client, BuildError> {
        let own = match key.trust {
            Trust::Nobody => None,
            Trust::System | Trust::Everybody => self.options.certs_d.of(&key.registry)?,
        };
        let own = own.unwrap_or_default();
        let wrong = |what: &str| {
            let reason = format!("{what} that is not PEM");
            BuildError::Certificates(OptionsError::new(own.folder.display().to_string(), reason))
        };
        let mut builder = self.builder().map_err(BuildError::Client)?;
        if let Some(pem) = own.identity.as_ref().filter(|_| key.shown) {
            let identity = Identity::from_pem(pem).map_err(|_| wrong("a client certificate or key"))?;
            builder = builder.identity(identity);
        }
        let mut authorities = self.certificates.clone();
        for pem in &own.authorities {
            authorities.extend(Certificate::from_pem_bundle(pem).map_err(|_| wrong("a CA"))?);
        }
        let builder = match key.trust {
            Trust::Nobody => builder.tls_certs_only([]),
            Trust::System => builder.tls_certs_merge(authorities),
            Trust::Everybody => builder.tls_certs_only([]).tls_danger_accept_invalid_certs(true),
        };
        builder
            .build()
            .map_err(|error| BuildError::Client(OptionsError::new("TLS", chain(&error))))
    }

    fn builder(&self) -> Result<reqwest::ClientBuilder, OptionsError> {
        let limits = &self.options.limits;
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(limits.connect)
            .read_timeout(limits.idle)
            .no_proxy();
        let proxy = &self.options.proxy;
        let except = || proxy.except.as_deref().and_then(NoProxy::from_string);
        if let Some(url) = &proxy.https {
            builder = builder.proxy(
                reqwest::Proxy::https(url)
                    .map_err(|_| wrong_proxy(url))?
                    .no_proxy(except()),
            );
        }
        if let Some(url) = &proxy.http {
            builder = builder.proxy(
                reqwest::Proxy::http(url)
                    .map_err(|_| wrong_proxy(url))?
                    .no_proxy(except()),
            );
        }
        Ok(builder)
    }
}

/// Why there is no client.
enum BuildError {
    /// Those of `certs.d` cannot be used.
    Certificates(OptionsError),
    /// TLS cannot be had at all.
    Client(OptionsError),
}

impl From<CertsDError> for BuildError {
    fn from(error: CertsDError) -> Self {
        Self::Certificates(OptionsError::new("certificates", error.to_string()))
    }
}

/// Whose certificates are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Trust {
    Nobody,
    System,
    Everybody,
}

fn wrong_proxy(url: &str) -> OptionsError {
    let shown = without_password(url);
    OptionsError::new(
        "proxy",
        format!("`{shown}` is not the URL of a proxy; expected `http://HOST:PORT`"),
    )
}

/// `HOST[:PORT]PATH`: no password, no query, which can hold a signature.
pub(super) fn place(url: &Url) -> String {
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}{port}{}", url.host_str().unwrap_or_default(), url.path())
}

/// Reads a body of at most so many bytes.
pub(super) async fn bounded(mut response: Response, limit: usize) -> Result<Vec<u8>, RegistryError> {
    let url = response.url().clone();
    let too_large = || {
        RegistryError::new(
            ErrorKind::Invalid,
            place(&url),
            format!("sends more than {limit} bytes where that is the most"),
        )
        .help_with("no manifest may be larger; look whether something else than a registry answers")
    };
    if response
        .content_length()
        .is_some_and(|length| length > limit as u64)
    {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&url, &error))? {
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The start of a body that says why; nothing where it cannot be had.
pub(super) async fn explanation(mut response: Response) -> Vec<u8> {
    const ENOUGH: usize = 4 << 10;
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= ENOUGH {
            bytes.truncate(ENOUGH);
            break;
        }
    }
    bytes
}

/// What reqwest could not do.
pub(super) fn failed(url: &Url, error: &reqwest::Error) -> RegistryError {
    let causes = chain(error);
    let kind = match tls(error) {
        true => ErrorKind::Tls,
        false if error.is_builder() => ErrorKind::Configuration,
        false => ErrorKind::Unreachable,
    };
    let reason = match error.is_timeout() {
        true => format!("no answer in time: {causes}"),
        false => causes,
    };
    let failed = RegistryError::new(kind, place(url), &reason);
    match failed.speaks_plain() {
        true => failed.help_with(
            "it seems to speak plain HTTP: allow that with `insecure` in `registryTLS` or registries.conf",
        ),
        false => failed,
    }
}

/// Whether TLS failed, and not the network below it.
fn tls(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        if inner.is_some_and(|inner| tls(inner)) {
            return true;
        }
        next = error.source();
    }
    false
}

/// An error with its causes, each said once; the URL is left out.
fn chain(error: &dyn Error) -> String {
    let mut text = String::new();
    let mut next = error
        .source()
        .or(Some(error).filter(|error| error.source().is_none()));
    while let Some(error) = next {
        let one = error.to_string();
        if !text.contains(&one) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&one);
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Proxy;

    #[test]
    fn nothing_shows_the_password_of_a_proxy_or_a_token() {
        let url = || Some("http://name:hunter2@proxy.example.com:3128".to_owned());
        let mut options = Options {
            proxy: Proxy {
                https: url(),
                http: url(),
                except: None,
            },
            ..Options::default()
        };
        let registry = crate::registry::Registry::new(options.clone()).unwrap();
        let http = Http::new(options.clone()).unwrap();
        let mut request = Request::new(Method::POST, "https://r.example.com/".parse().unwrap());
        http.client(&request, &"http://r.example.com/".parse().unwrap())
            .unwrap();
        request.body = Some(Secret::new("refresh_token=hunter2"));
        let mut header = HeaderValue::from_static("Bearer hunter2");
        header.set_sensitive(true);
        request.authorization = Some(header);
        options.proxy.https = Some("http://name:hunter2@:::".to_owned());
        let error = Http::new(options.clone()).unwrap_err();
        let shown = format!("{options:?} {registry:?} {http:?} {request:?} {error} {error:?}");
        assert!(shown.contains("proxy.example.com:3128"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
