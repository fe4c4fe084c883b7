//! The client: places, credentials, retries, and the two questions that images need answered.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;

use reqwest::Method;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::Url;
use reqwest::header::ACCEPT;
use reqwest::header::CONTENT_TYPE;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use reqwest::header::HeaderValue;
use reqwest::header::WWW_AUTHENTICATE;
use serde::Deserialize;

use super::auth;
use super::blob::BlobStream;
use super::challenge::Challenge;
use super::error::ErrorKind;
use super::error::RegistryError;
use super::http;
use super::http::Http;
use super::http::Request;
use super::mirrors::Place;
use super::options::Limits;
use super::options::Options;
use super::options::OptionsError;
use super::retry;
use crate::credentials::Candidate;
use crate::credentials::Credential;
use crate::digest::Digest;
use crate::manifest::Descriptor;
use crate::manifest::LARGEST;
use crate::manifest::RawManifest;
use crate::reference::ImageName;

/// Everything that can be a manifest or an index.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// A client of registries. Cheap to clone; clones share connections and tokens.
#[derive(Debug, Clone)]
pub struct Registry {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    http: Http,
    options: Options,
    /// What was last accepted, by `HOST/REPOSITORY`.
    accepted: Mutex<HashMap<String, Accepted>>,
    /// Which insecure registries turned out to speak plain HTTP.
    schemes: Mutex<HashMap<String, Scheme>>,
}

#[derive(Debug, Clone)]
struct Accepted {
    header: HeaderValue,
    /// Its place among the candidates.
    candidate: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Https,
    Http,
}

/// Whether an image exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Existence {
    /// It does; the digest of what the name stands for now, an index where there are several architectures.
    Exists {
        /// That digest.
        digest: Digest,
    },
    /// The registry says that it has no such image.
    Missing,
}

impl Registry {
    /// A client with these options.
    ///
    /// # Errors
    ///
    /// Where a CA certificate is not PEM, or a proxy is not a URL.
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        Ok(Self {
            shared: Arc::new(Shared {
                http: Http::new(options.clone())?,
                options,
                accepted: Mutex::default(),
                schemes: Mutex::default(),
            }),
        })
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.shared.options.limits
    }

    /// Whether an image exists: asks for its head, and for its manifest where the registry answers no such question.
    ///
    /// # Errors
    ///
    /// Where that cannot be told; [`RegistryError::kind`] says why, [`RegistryError::help`] what would mend it.
    pub async fn exists(&self, image: &ImageName) -> Result<Existence, RegistryError> {
        let result = self.in_time(image, self.anywhere(image, Self::head)).await;
        match result {
            Ok(digest) => Ok(Existence::Exists { digest }),
            Err(error) if error.kind() == ErrorKind::Missing => Ok(Existence::Missing),
            Err(error) => Err(error),
        }
    }

    /// The manifest or index that a name stands for, compared with the digest where the name has one.
    ///
    /// # Errors
    ///
    /// Where it cannot be had; an image that is not there is [`ErrorKind::Missing`].
    pub async fn manifest(&self, image: &ImageName) -> Result<RawManifest, RegistryError> {
        self.in_time(image, self.anywhere(image, Self::manifest_at)).await
    }

    /// The bytes of a blob of an image's repository. Its digest is for the reader to check.
    ///
    /// # Errors
    ///
    /// Where the registry does not begin to send it.
    pub async fn blob(&self, image: &ImageName, blob: &Descriptor) -> Result<BlobStream, RegistryError> {
        let places = self.places(image)?;
        let mut earlier: Option<RegistryError> = None;
        for place in places {
            match BlobStream::open(self.clone(), place, blob).await {
                Ok(stream) => return Ok(stream),
                Err(error) => earlier = Some(joined(error, earlier)),
            }
        }
        Err(earlier.unwrap_or_else(|| nowhere(image)))
    }

    /// Asks each place in turn.
    async fn anywhere<T>(
        &self,
        image: &ImageName,
        ask: impl AsyncFn(&Self, &Place) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let mut earlier: Option<RegistryError> = None;
        for place in self.places(image)? {
            match ask(self, &place).await {
                Ok(answer) => return Ok(answer),
                Err(error) => earlier = Some(joined(error, earlier)),
            }
        }
        Err(earlier.unwrap_or_else(|| nowhere(image)))
    }

    async fn in_time<T>(
        &self,
        image: &ImageName,
        work: impl Future<Output = Result<T, RegistryError>>,
    ) -> Result<T, RegistryError> {
        let limit = self.limits().manifest;
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {} s", limit.as_secs_f32());
            Err(RegistryError::new(
                ErrorKind::Unreachable,
                image.to_string(),
                reason,
            ))
        })
    }

    fn places(&self, image: &ImageName) -> Result<Vec<Place>, RegistryError> {
        let configured = self.shared.options.registries.places(image);
        configured.map_err(|error| {
            RegistryError::new(ErrorKind::Configuration, image.to_string(), error.to_string())
        })
    }

    async fn head(&self, place: &Place) -> Result<Digest, RegistryError> {
        let response = self
            .ask(place, Method::HEAD, &manifest_path(&place.name), &accept())
            .await;
        let response = match response {
            // Some registries and proxies before them do not know HEAD.
            Err(error) if error.kind() == ErrorKind::Refused => None,
            other => Some(other?),
        };
        let named = response
            .as_ref()
            .and_then(|response| named_digest(response.headers()));
        match (named, place.name.digest()) {
            (Some(named), Some(asked)) if named.algorithm() == asked.algorithm() && named != *asked => {
                Err(RegistryError::new(
                    ErrorKind::Invalid,
                    place.name.to_string(),
                    format!("the registry answers with another digest, `{named}`"),
                ))
            }
            (Some(named), _) => Ok(named),
            (None, _) => {
                let manifest = self.manifest_at(place).await?;
                Ok(manifest.digest.unwrap_or_else(|| Digest::sha256(&manifest.bytes)))
            }
        }
    }

    async fn manifest_at(&self, place: &Place) -> Result<RawManifest, RegistryError> {
        let limits = self.limits();
        let mut attempt = 1;
        loop {
            let result = self.manifest_once(place).await;
            match result {
                // The head came and the body broke.
                Err(error) if error.kind() == ErrorKind::Unreachable && attempt < limits.attempts => {
                    attempt += 1;
                    pause(limits, attempt, None).await;
                }
                other => return other,
            }
        }
    }

    async fn manifest_once(&self, place: &Place) -> Result<RawManifest, RegistryError> {
        let response = self
            .ask(place, Method::GET, &manifest_path(&place.name), &accept())
            .await?;
        let media_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        // Without parameters such as `; charset=utf-8`.
        let media_type = media_type
            .and_then(|value| value.split(';').next())
            .map(|value| value.trim().to_owned());
        let named = named_digest(response.headers());
        let bytes = http::bounded(response, LARGEST as usize).await?;
        for digest in place.name.digest().into_iter().chain(&named) {
            if !digest.matches(&bytes) {
                return Err(RegistryError::new(
                    ErrorKind::Invalid,
                    place.name.to_string(),
                    format!(
                        "the manifest is not `{digest}`, it is `{}`",
                        Digest::sha256(&bytes)
                    ),
                ));
            }
        }
        let digest = place.name.digest().cloned().or(named);
        Ok(RawManifest {
            media_type,
            digest: Some(digest.unwrap_or_else(|| Digest::sha256(&bytes))),
            bytes,
        })
    }

    /// Sends a request to a place until there is an answer of success; every other answer is an error.
    pub(super) async fn ask(
        &self,
        place: &Place,
        method: Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Response, RegistryError> {
        let tls = self.shared.options.tls;
        let host = place.name.registry();
        let insecure = tls.insecure || place.insecure;
        let known = locked(&self.shared.schemes).get(host).copied();
        let schemes = match (insecure, known) {
            (false, _) => &[Scheme::Https][..],
            (true, Some(Scheme::Http)) => &[Scheme::Http],
            (true, Some(Scheme::Https)) => &[Scheme::Https],
            (true, None) => &[Scheme::Https, Scheme::Http],
        };
        let mut first: Option<RegistryError> = None;
        for scheme in schemes {
            let mut request = Request::new(method.clone(), url(host, *scheme, path)?);
            request.headers = headers.clone();
            host.clone_into(&mut request.registry);
            request.skip_verify = tls.skip_verify || place.insecure;
            request.plain = *scheme == Scheme::Http;
            let last = schemes.last() == Some(scheme);
            // With another scheme to come, one try tells whether this one is spoken.
            let attempts = if last { self.limits().attempts } else { 1 };
            match self.authorised(place, request, attempts).await {
                Err(error) if !last && matches!(error.kind(), ErrorKind::Tls | ErrorKind::Unreachable) => {
                    first = Some(error);
                }
                // It is TLS, and busy.
                Err(error) if !last && error.passes() => {
                    locked(&self.shared.schemes).insert(host.to_owned(), *scheme);
                    return Box::pin(self.ask(place, method, path, headers)).await;
                }
                Err(error) => match first {
                    // TLS is spoken there, and its certificate is not trusted: that says more than a plain port that is
                    // not there, or that answers as servers of TLS do (400).
                    Some(first)
                        if matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::Refused)
                            && first.kind() == ErrorKind::Tls
                            && !first.speaks_plain() =>
                    {
                        return Err(first.and(&error));
                    }
                    first if error.kind() == ErrorKind::Unreachable => return Err(joined(error, first)),
                    _ => {
                        locked(&self.shared.schemes).insert(host.to_owned(), *scheme);
                        return Err(error);
                    }
                },
                Ok(response) => {
                    locked(&self.shared.schemes).insert(host.to_owned(), *scheme);
                    return Ok(response);
                }
            }
        }
        Err(first.unwrap_or_else(|| nowhere(&place.name)))
    }

    /// Sends a request with the credentials that there are, one after another.
    async fn authorised(
        &self,
        place: &Place,
        mut request: Request,
        attempts: u32,
    ) -> Result<Response, RegistryError> {
        let key = format!("{}://{}", request.url.scheme(), place.name.full_repository());
        let accepted = locked(&self.shared.accepted).get(&key).cloned();
        request.authorization = accepted.as_ref().map(|accepted| accepted.header.clone());
        let first = self.retried(&request, attempts).await?;
        if !refuses(first.status()) {
            return succeeded(first).await;
        }
        let candidates = self
            .shared
            .options
            .keychain
            .candidates(&place.name)
            .await
            .map_err(|error| {
                RegistryError::new(
                    ErrorKind::Configuration,
                    place.name.to_string(),
                    error.to_string(),
                )
            })?;
        let mut challenge = challenge(&first);
        let mut refusal = first;
        // A 404 counts only where no other credential gets more.
        let mut missing: Option<Response> = None;
        // Where a token ran out, the candidate that it came from is the first to try again.
        let start = accepted.map_or(0, |accepted| accepted.candidate);
        let count = candidates.len().max(1);
        for number in (0..count).map(|number| (start + number) % count) {
            let Some(asked) = &challenge else { break };
            let question = auth::Question {
                registry: &request.url,
                host: place.name.registry(),
                repository: place.name.repository(),
                skip_verify: request.skip_verify,
                credential: candidates.get(number).map(|candidate| &candidate.credential),
            };
            let answer = self.retried_answer(asked, &question, attempts).await?;
            let Some(header) = answer else { continue };
            request.authorization = Some(header.clone());
            let response = self.retried(&request, attempts).await?;
            if refuses(response.status()) {
                challenge = self::challenge(&response).or(challenge);
                refusal = response;
            } else if response.status() == StatusCode::NOT_FOUND {
                missing = Some(response);
            } else {
                let accepted = Accepted {
                    header,
                    candidate: number,
                };
                locked(&self.shared.accepted).insert(key, accepted);
                return succeeded(response).await;
            }
        }
        match missing {
            Some(response) => succeeded(response).await,
            None => Err(unauthorised(place, &candidates, refusal).await),
        }
    }

    /// Sends a request again while what goes wrong may pass.
    async fn retried(&self, request: &Request, attempts: u32) -> Result<Response, RegistryError> {
        let limits = self.limits();
        let mut attempt = 1;
        loop {
            let result = self.shared.http.send(request).await;
            let asked = match &result {
                Ok(response) if !retry::passes(response.status()) => return result,
                Ok(response) => retry::asked(response.headers(), SystemTime::now()),
                Err(error) if error.kind() != ErrorKind::Unreachable => return result,
                Err(_) => None,
            };
            attempt += 1;
            if attempt > attempts || !pause(limits, attempt, asked).await {
                return result;
            }
        }
    }

    /// Asks a token server again while what goes wrong may pass.
    async fn retried_answer(
        &self,
        challenge: &Challenge,
        question: &auth::Question<'_>,
        attempts: u32,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        let limits = self.limits();
        let mut attempt = 1;
        loop {
            let result = auth::answer(&self.shared.http, challenge, question).await;
            let asked = match &result {
                Err(error) if error.passes() => error.retry_after(),
                _ => return result,
            };
            attempt += 1;
            if attempt > attempts || !pause(limits, attempt, asked).await {
                return result;
            }
        }
    }
}

/// Waits before a try; false where the registry wants more time than we give it.
pub(super) async fn pause(limits: &Limits, next: u32, asked: Option<Duration>) -> bool {
    match retry::wait(limits, next, asked) {
        Some(wait) => {
            tokio::time::sleep(wait).await;
            true
        }
        None => false,
    }
}

/// What the API's paths say of a repository's manifests.
fn manifest_path(name: &ImageName) -> String {
    format!("/v2/{}/manifests/{}", name.repository(), name.manifest())
}

/// `docker.io` is served elsewhere.
fn url(host: &str, scheme: Scheme, path: &str) -> Result<Url, RegistryError> {
    let served = match host {
        "docker.io" => "registry-1.docker.io",
        host => host,
    };
    let scheme = match scheme {
        Scheme::Https => "https",
        Scheme::Http => "http",
    };
    let url = Url::parse(&format!("{scheme}://{served}{path}"));
    url.map_err(|error| RegistryError::new(ErrorKind::Configuration, host, error.to_string()))
}

fn accept() -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(MANIFESTS))])
}

fn refuses(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

fn challenge(response: &Response) -> Option<Challenge> {
    let headers = response.headers().get_all(WWW_AUTHENTICATE).iter();
    Challenge::choose(headers.filter_map(|value| value.to_str().ok()))
}

fn named_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get(DOCKER_CONTENT_DIGEST)?.to_str().ok()?.parse().ok()
}

/// A response of success, or the error that it stands for.
async fn succeeded(response: Response) -> Result<Response, RegistryError> {
    match response.status() {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(response),
        _ => {
            let place = http::place(response.url());
            Err(refused(&place, response).await)
        }
    }
}

/// The error of a response that is none of success.
pub(super) async fn refused(place: &str, response: Response) -> RegistryError {
    let status = response.status();
    let kind = match status {
        StatusCode::NOT_FOUND => ErrorKind::Missing,
        StatusCode::TOO_MANY_REQUESTS => ErrorKind::RateLimited,
        status if refuses(status) => ErrorKind::Unauthorised,
        _ => ErrorKind::Refused,
    };
    let wait = retry::asked(response.headers(), SystemTime::now());
    let asked = wait.map_or_else(String::new, |wait| format!(", asks to wait {} s", wait.as_secs()));
    let said = said(&http::explanation(response).await);
    RegistryError::new(kind, place, format!("answers {status}{asked}{said}"))
        .after(wait)
        .passing(retry::passes(status))
}

async fn unauthorised(place: &Place, candidates: &[Candidate], response: Response) -> RegistryError {
    let status = response.status();
    let tried: Vec<&str> = candidates
        .iter()
        .map(|candidate| candidate.origin.as_str())
        .collect();
    let said = said(&http::explanation(response).await);
    let name = place.name.to_string();
    if tried.is_empty() {
        let reason = format!("answers {status}, and no credentials match it{said}");
        return RegistryError::new(ErrorKind::Unauthorised, name, reason);
    }
    let basic = candidates
        .iter()
        .any(|candidate| matches!(candidate.credential, Credential::Basic { .. }));
    let reason = format!("answers {status} to {}{said}", tried.join(", then to "));
    let error = RegistryError::new(ErrorKind::Unauthorised, name, reason);
    match basic {
        true => {
            error.help_with("check the password and what its owner may pull; log in again where it changed")
        }
        false => error.help_with("the token ran out or is for something else: log in again"),
    }
}

/// What a registry says of its errors: `: CODE: message`, without line breaks.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Body {
        errors: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let Ok(body) = serde_json::from_slice::<Body>(body) else {
        return String::new();
    };
    let one = |one: &One| format!("{}: {}", one.code, one.message);
    let text: Vec<String> = body.errors.iter().take(3).map(one).collect();
    let text: String = text.join(", ").chars().take(300).collect();
    if text.is_empty() {
        text
    } else {
        format!(": {}", text.escape_debug())
    }
}

/// An error after those of other places. One that is sure that the image is missing must not hide that another place
/// could not be asked, but the last place is the registry itself, and its word counts.
fn joined(error: RegistryError, earlier: Option<RegistryError>) -> RegistryError {
    match earlier {
        Some(earlier) => error.and(&earlier),
        None => error,
    }
}

fn nowhere(image: &ImageName) -> RegistryError {
    RegistryError::new(
        ErrorKind::Configuration,
        image.to_string(),
        "there is no place to ask",
    )
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is kept is replaced as a whole, so a thread that panicked left nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
