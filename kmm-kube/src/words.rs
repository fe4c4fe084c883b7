//! Errors of the client in the words that a person reads.
//!
//! Those of the client library tell a refusal three times over, and leave out why there is no connection.

use std::error::Error;
use std::fmt;

use kube::core::Status;

/// An error with all of its causes, each told once; of an answer of the API server its message.
pub(crate) fn words(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let (text, cause) = match error.downcast_ref::<kube::Error>() {
            Some(kube::Error::Api(status)) => (answer(status), None),
            // Names of the library's parts help nobody.
            Some(kube::Error::Service(_)) => (String::new(), error.source()),
            Some(_) | None => (without_cause(error), error.source()),
        };
        if !text.is_empty() && !said.contains(&text) {
            said.push(text);
        }
        next = cause;
    }
    said.join(": ")
}

fn answer(status: &Status) -> String {
    let Status { message, code, .. } = status;
    match message.as_str() {
        // Who says this serves nothing there at all.
        "404 page not found" => {
            "nothing is served there: the CRDs are not installed (`kmm crds` prints them), or this is no API server"
                .to_owned()
        }
        _ => format!("{message} (code {code})"),
    }
}

/// What an error says of itself: many repeat at the end what their cause says.
fn without_cause(error: &(dyn Error + 'static)) -> String {
    let text = error.to_string();
    let Some(cause) = error.source() else {
        return text;
    };
    match text.strip_suffix(&cause.to_string()) {
        Some(own) => own.trim_end_matches([':', ' ']).to_owned(),
        None => text,
    }
}

/// An error of the client, in words: with all of its causes, each told once.
#[derive(Debug)]
pub struct ClientError(kube::Error);

impl From<kube::Error> for ClientError {
    fn from(error: kube::Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words(&self.0))
    }
}

// No source: its words hold every cause.
impl Error for ClientError {}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher;

    use super::*;

    fn refused() -> kube::Error {
        let mut status = Status::failure("leases \"kmm\" is forbidden", "Forbidden");
        status.code = 403;
        kube::Error::Api(Box::new(status))
    }

    #[test]
    fn a_refusal_is_told_once() {
        let told = "leases \"kmm\" is forbidden (code 403)";
        assert_eq!(words(&refused()), told);
        assert_eq!(ClientError::from(refused()).to_string(), told);
        let watched = watcher::Error::WatchStartFailed(refused());
        assert_eq!(
            words(&watched),
            format!("failed to start watching object: {told}")
        );
    }

    /// The body is no object: the server has nothing at this path.
    #[test]
    fn a_kind_that_is_not_served_is_told() {
        let mut status = Status::failure("404 page not found", "Failed to parse error data");
        status.code = 404;
        let told = words(&kube::Error::Api(Box::new(status)));
        assert!(told.contains("the CRDs are not installed"), "{told}");
    }

    #[tokio::test]
    async fn it_is_told_why_there_is_no_connection() {
        let config = kube::Config::new(http::Uri::from_static("http://127.0.0.1:1"));
        let client = kube::Client::try_from(config).unwrap();
        let told = words(&client.apiserver_version().await.unwrap_err());
        assert!(told.contains("Connection refused"), "{told}");
        assert!(!told.contains("ServiceError"), "{told}");
        assert_eq!(told.matches("Connect)").count(), 1, "{told}");
    }
}
