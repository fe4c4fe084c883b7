//! From a challenge and a credential to an `Authorization` header.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::StatusCode;
use reqwest::Url;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use super::challenge::Challenge;
use super::error::ErrorKind;
use super::error::RegistryError;
use super::http;
use super::http::Http;
use super::http::Request;
use crate::credentials::Credential;
use crate::credentials::Secret;

/// The largest answer of a token server; tokens of clouds have several thousand bytes.
const TOKEN_LIMIT: usize = 256 << 10;

const CLIENT: &str = "kmm";

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// What a token is asked for.
pub(super) struct Question<'a> {
    /// The URL that was refused.
    pub(super) registry: &'a Url,
    /// The registry, as it stands in names of images.
    pub(super) host: &'a str,
    pub(super) repository: &'a str,
    pub(super) skip_verify: bool,
    pub(super) credential: Option<&'a Credential>,
}

/// The header that answers a challenge; nothing where this credential cannot answer it.
pub(super) async fn answer(
    http: &Http,
    challenge: &Challenge,
    question: &Question<'_>,
) -> Result<Option<HeaderValue>, RegistryError> {
    match (challenge, question.credential) {
        (_, Some(Credential::RegistryToken(token))) => header(question, "Bearer", token.expose()).map(Some),
        (Challenge::Basic, Some(Credential::Basic { user, password })) => {
            let pair = STANDARD.encode(format!("{user}:{}", password.expose()));
            header(question, "Basic", &pair).map(Some)
        }
        (Challenge::Basic, Some(Credential::IdentityToken(_)) | None) => Ok(None),
        (Challenge::Bearer { realm, service }, credential) => {
            match token(http, question, realm, service.as_deref(), credential).await? {
                Some(token) => header(question, "Bearer", &token).map(Some),
                None => Ok(None),
            }
        }
    }
}

/// Asks the token server; nothing where it does not know who asks.
async fn token(
    http: &Http,
    question: &Question<'_>,
    realm: &str,
    service: Option<&str>,
    credential: Option<&Credential>,
) -> Result<Option<String>, RegistryError> {
    let mut request = realm_request(question, realm)?;
    // The scope is ours: what the registry names in its challenge could be more than reading this repository.
    let scope = format!("repository:{}:pull", question.repository);
    let mut pairs = vec![("scope", scope.as_str())];
    pairs.extend(service.map(|service| ("service", service)));
    match credential {
        Some(Credential::IdentityToken(token)) => {
            pairs.extend([
                ("grant_type", "refresh_token"),
                ("refresh_token", token.expose()),
                ("client_id", CLIENT),
            ]);
            // The query of a URL of its own writes the form.
            let mut form = request.url.clone();
            form.query_pairs_mut().clear().extend_pairs(pairs);
            request.method = Method::POST;
            request.body = form.query().map(Secret::new);
        }
        Some(Credential::Basic { user, password }) => {
            pairs.push(("account", user));
            request.url.query_pairs_mut().extend_pairs(pairs);
            let pair = STANDARD.encode(format!("{user}:{}", password.expose()));
            request.authorization = Some(header(question, "Basic", &pair)?);
        }
        Some(Credential::RegistryToken(_)) | None => {
            request.url.query_pairs_mut().extend_pairs(pairs);
        }
    }
    let place = http::place(&request.url);
    let response = http.send(&request).await?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => return Ok(None),
        _ => return Err(super::client::refused(&place, response).await),
    }
    let invalid = || RegistryError::new(ErrorKind::Invalid, &place, "the token server sends no token");
    let body = http::bounded(response, TOKEN_LIMIT).await?;
    let token: Token = serde_json::from_slice(&body).map_err(|_| invalid())?;
    let token = token
        .token
        .filter(|token| !token.is_empty())
        .or(token.access_token);
    token
        .filter(|token| !token.is_empty())
        .ok_or_else(invalid)
        .map(Some)
}

/// A request to the token server, where a password may go there.
fn realm_request(question: &Question<'_>, realm: &str) -> Result<Request, RegistryError> {
    let place = http::place(question.registry);
    let shown: String = realm.chars().take(200).collect();
    let refuse = |reason: &str| {
        RegistryError::new(
            ErrorKind::Refused,
            &place,
            format!("names the token server `{}`, {reason}", shown.escape_debug()),
        )
        .help_with("correct the `realm` in the registry's configuration")
    };
    let url: Url = realm.parse().map_err(|_| refuse("which is not a URL"))?;
    let plain = question.registry.scheme() == "http";
    let allowed = url.scheme() == "https" || (url.scheme() == "http" && plain);
    if !allowed || !url.has_host() {
        return Err(refuse("where a password would go without TLS"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("which holds a name or a password itself"));
    }
    let mut request = Request::new(Method::GET, url);
    question.host.clone_into(&mut request.registry);
    request.skip_verify = question.skip_verify;
    request.plain = plain;
    Ok(request)
}

fn header(question: &Question<'_>, scheme: &str, value: &str) -> Result<HeaderValue, RegistryError> {
    let mut header = HeaderValue::from_str(&format!("{scheme} {value}")).map_err(|_| {
        RegistryError::new(
            ErrorKind::Invalid,
            http::place(question.registry),
            "a token has characters that no header can hold",
        )
    })?;
    header.set_sensitive(true);
    Ok(header)
}
