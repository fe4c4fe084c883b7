use kmm_oci::credentials::Credential;
use kmm_oci::credentials::Keychain;
use kmm_oci::credentials::Secret;
use kmm_oci::registry::ErrorKind;
use kmm_oci::registry::Existence;
use kmm_oci::registry::Options;

use crate::server::MANIFEST;
use crate::server::Piece;
use crate::server::Seen;
use crate::server::Server;
use crate::server::answer;
use crate::server::client;
use crate::server::manifest;
use crate::server::password;
use crate::server::plain;
use crate::server::secrets;

/// `user:pw` as a header, for the users of these tests.
fn basic(seen: &Seen) -> Option<&'static str> {
    match seen.header("authorization")? {
        "Basic YWRhOnB3" => Some("ada"),
        "Basic Ym9iOnB3" => Some("bob"),
        other => panic!("{other}"),
    }
}

fn unauthorised(challenge: &str) -> Vec<Piece> {
    let body = br#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication\nrequired"}]}"#;
    answer("401 Unauthorized", &[("WWW-Authenticate", challenge)], body)
}

fn with(keychain: Keychain) -> Options {
    Options { keychain, ..plain() }
}

#[tokio::test]
async fn a_password_is_sent_when_it_is_asked_for_and_then_at_once() {
    let server = Server::start(|seen, _| match seen.header("authorization") {
        Some("Basic YWRhOnB3") => manifest(),
        _ => unauthorised("Basic realm=\"r\""),
    })
    .await;
    let client = client(with(password("ada", "pw")));
    assert_eq!(
        client.manifest(&server.image("x:1")).await.unwrap().bytes,
        MANIFEST
    );
    assert_eq!(
        client.manifest(&server.image("x:2")).await.unwrap().bytes,
        MANIFEST
    );
    let sent: Vec<bool> = server
        .seen()
        .iter()
        .map(|seen| seen.header("authorization").is_some())
        .collect();
    assert_eq!(sent, [false, true, true]);
}

/// A server that is its own token server: `ada` may, `bob` is known and may not, others are not known.
async fn token_server() -> Server {
    Server::start(|seen, _| {
        let host = seen.header("host").unwrap().to_owned();
        let challenge =
            format!("Bearer realm=\"http://{host}/token\",service=\"s\",scope=\"repository:evil:push\"");
        if seen.path.starts_with("/token") {
            let ada = "{\"access_token\":\"for-ada\"}";
            return match basic(seen) {
                Some("ada") => answer("200 OK", &[], ada.as_bytes()),
                Some(_) => answer("200 OK", &[], b"{\"token\":\"for-bob\"}"),
                None if seen.body.contains("refresh_token=let-me-in") => {
                    answer("200 OK", &[], ada.as_bytes())
                }
                None => answer("200 OK", &[], b"{\"token\":\"for-all\"}"),
            };
        }
        match seen.header("authorization") {
            Some("Bearer for-ada") => manifest(),
            Some("Bearer for-all") if seen.path.contains("/public/") => manifest(),
            _ => unauthorised(&challenge),
        }
    })
    .await
}

#[tokio::test]
async fn tokens_are_asked_for_with_our_scope() {
    let server = token_server().await;
    let client = client(with(password("ada", "pw")));
    client.manifest(&server.image("team/x:1")).await.unwrap();
    client.exists(&server.image("team/x:2")).await.unwrap();
    let paths: Vec<String> = server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(
        paths,
        [
            "/v2/team/x/manifests/1",
            "/token?scope=repository%3Ateam%2Fx%3Apull&service=s&account=ada",
            "/v2/team/x/manifests/1",
            "/v2/team/x/manifests/2",
        ]
    );
}

#[tokio::test]
async fn nobody_gets_a_token_too() {
    let server = token_server().await;
    let client = client(plain());
    client.manifest(&server.image("public/x:1")).await.unwrap();
    let error = client.manifest(&server.image("private/x:1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorised);
    assert!(error.to_string().contains("no credentials match"), "{error}");
}

#[tokio::test]
async fn refresh_tokens_go_into_a_form() {
    let server = token_server().await;
    let token = Credential::IdentityToken(Secret::new("let-me-in"));
    let client = client(with(Keychain::anonymous().with_credential("t", token)));
    client.manifest(&server.image("x:1")).await.unwrap();
    let asked = &server.seen()[1];
    assert_eq!(asked.method, "POST");
    assert!(asked.body.contains("grant_type=refresh_token") && asked.body.contains("client_id=kmm"));
    assert!(!asked.path.contains("let-me-in"));
}

#[tokio::test]
async fn access_tokens_are_sent_as_they_are() {
    let server = token_server().await;
    let token = Credential::RegistryToken(Secret::new("for-ada"));
    let client = client(with(Keychain::anonymous().with_credential("t", token)));
    client.manifest(&server.image("x:1")).await.unwrap();
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn candidates_are_tried_in_order() {
    for (users, right) in [
        (&["bob", "ada"][..], true),
        (&["ada", "bob"], true),
        (&["bob"], false),
    ] {
        let server = token_server().await;
        let client = client(with(secrets(&server.addr, users)));
        let result = client.exists(&server.image("x:1")).await;
        assert_eq!(result.is_ok(), right, "{users:?} {result:?}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::Unauthorised);
            assert!(error.to_string().contains("secret `bob`"), "{error}");
            assert!(!error.to_string().contains("pw"), "{error}");
        }
    }
}

#[tokio::test]
async fn not_found_with_one_credential_is_not_the_last_word() {
    let server = Server::start(|seen, _| match seen.header("authorization") {
        None => unauthorised("Basic"),
        Some(_) if basic(seen) == Some("ada") => manifest(),
        Some(_) => answer("404 Not Found", &[], b""),
    })
    .await;
    let both = client(with(secrets(&server.addr, &["bob", "ada"])));
    assert!(matches!(
        both.exists(&server.image("x:1")).await,
        Ok(Existence::Exists { .. })
    ));
    let one = client(with(secrets(&server.addr, &["bob"])));
    assert_eq!(one.exists(&server.image("x:1")).await, Ok(Existence::Missing));
}

#[tokio::test]
async fn a_token_that_ran_out_is_renewed_once() {
    let server = Server::start(|seen, number| {
        let host = seen.header("host").unwrap().to_owned();
        if seen.path.starts_with("/token") {
            return answer("200 OK", &[], format!("{{\"token\":\"t{number}\"}}").as_bytes());
        }
        match seen.header("authorization") {
            Some("Bearer t1") if number < 4 => manifest(),
            Some("Bearer t5") => manifest(),
            _ => unauthorised(&format!("Bearer realm=\"http://{host}/token\"")),
        }
    })
    .await;
    let client = client(plain());
    for _ in 0..4 {
        client.manifest(&server.image("x:1")).await.unwrap();
    }
}

#[tokio::test]
async fn a_registry_that_always_refuses_ends_soon() {
    let server = Server::start(|seen, _| {
        let host = seen.header("host").unwrap().to_owned();
        match seen.path.starts_with("/token") {
            true => answer("200 OK", &[], b"{\"token\":\"t\"}"),
            false => unauthorised(&format!("Bearer realm=\"http://{host}/token\"")),
        }
    })
    .await;
    let client = client(with(secrets(&server.addr, &["ada", "bob"])));
    let error = client.exists(&server.image("x:1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorised);
    assert!(
        error.to_string().contains("secret `ada`") && error.to_string().contains("secret `bob`"),
        "{error}"
    );
    // One without a name, and for each candidate a token and a try.
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test]
async fn what_a_token_server_sends_is_bounded_and_checked() {
    for (body, reason) in [
        (Piece::Endless(vec![b' '; 1 << 16]), "sends more than"),
        (
            Piece::Bytes(b"{\"token\":\"a\\nb: c\"}".to_vec()),
            "no header can hold",
        ),
        (Piece::Bytes(b"{}".to_vec()), "no token"),
        (Piece::Bytes(b"<html>".to_vec()), "no token"),
    ] {
        let server = Server::start(move |seen, _| {
            let host = seen.header("host").unwrap().to_owned();
            match seen.path.starts_with("/token") {
                true => vec![Piece::Bytes(crate::server::head("200 OK", &[])), body.clone()],
                false => unauthorised(&format!("Bearer realm=\"http://{host}/token\"")),
            }
        })
        .await;
        let error = client(plain()).exists(&server.image("x:1")).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}
