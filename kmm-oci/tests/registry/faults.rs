use std::io::Read as _;
use std::time::Duration;

use kmm_oci::Descriptor;
use kmm_oci::Digest;
use kmm_oci::ImageStore as _;
use kmm_oci::registry::ErrorKind;
use kmm_oci::registry::Existence;
use kmm_oci::registry::Options;
use kmm_oci::registry::RegistriesConf;
use kmm_oci::registry::RegistryStore;

use crate::server::MANIFEST;
use crate::server::Piece;
use crate::server::Server;
use crate::server::answer;
use crate::server::client;
use crate::server::head;
use crate::server::limits;
use crate::server::manifest;
use crate::server::password;
use crate::server::plain;

fn descriptor(bytes: &[u8]) -> Descriptor {
    Descriptor {
        media_type: "application/vnd.oci.image.layer.v1.tar".to_owned(),
        digest: Digest::sha256(bytes),
        size: bytes.len() as u64,
        urls: Vec::new(),
        platform: None,
    }
}

/// Reads a blob as a scanning thread does.
async fn read(server: &Server, options: Options, blob: Descriptor) -> Result<Vec<u8>, String> {
    let image = server.image("x:1");
    let registry = client(options);
    let task = tokio::task::spawn_blocking(move || {
        let store = RegistryStore::new(registry, image).unwrap();
        let mut reader = store.blob(&blob).map_err(|error| format!("{error:?}"))?;
        // The reader outlives its store.
        drop(store);
        let mut bytes = Vec::new();
        reader
            .read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
        Ok(bytes)
    });
    task.await.unwrap()
}

fn content() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// The start of a range that was asked for.
fn range(seen: &crate::server::Seen) -> Option<usize> {
    seen.header("range")?
        .strip_prefix("bytes=")?
        .strip_suffix('-')?
        .parse()
        .ok()
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    for status in ["503 Busy", "500 Oops", "502 Bad Gateway", "429 Slow Down"] {
        let server = Server::start(move |_, number| match number {
            // The first request goes to TLS and never arrives as HTTP.
            0 | 1 => answer(status, &[("Retry-After", "0")], b""),
            _ => manifest(),
        })
        .await;
        let manifest = client(plain()).manifest(&server.image("x:1")).await.unwrap();
        assert_eq!(manifest.bytes, MANIFEST);
        assert_eq!(manifest.digest, Some(Digest::sha256(MANIFEST)));
        assert_eq!(server.seen().len(), 3, "{status}");
    }
}

#[tokio::test]
async fn what_does_not_pass_ends_with_its_kind() {
    for (status, after, kind, tries) in [
        ("503 Busy", "0", ErrorKind::Refused, 4),
        ("429 Slow Down", "0", ErrorKind::RateLimited, 4),
        ("429 Slow Down", "7200", ErrorKind::RateLimited, 1),
        ("400 No", "0", ErrorKind::Refused, 1),
        ("403 No", "0", ErrorKind::Unauthorised, 1),
        ("404 No", "0", ErrorKind::Missing, 1),
    ] {
        let body = br#"{"errors":[{"code":"SOME_CODE","message":"some words"}]}"#;
        let server = Server::start(move |_, _| answer(status, &[("Retry-After", after)], body)).await;
        let error = client(plain()).manifest(&server.image("x:1")).await.unwrap_err();
        assert_eq!(
            (error.kind(), server.seen().len()),
            (kind, tries),
            "{status} {error}"
        );
        assert!(error.to_string().contains("SOME_CODE: some words"), "{error}");
        assert!(!error.help().is_empty());
        if after == "7200" {
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7200)));
        }
    }
}

#[tokio::test]
async fn existence_is_told() {
    let here = Server::start(|_, _| manifest()).await;
    let digest = Digest::sha256(MANIFEST);
    let exists = Ok(Existence::Exists {
        digest: digest.clone(),
    });
    assert_eq!(client(plain()).exists(&here.image("x:1")).await, exists);
    assert_eq!(here.seen()[0].method, "HEAD");
    // No HEAD, or a HEAD without a digest.
    for status in ["405 No", "200 OK"] {
        let server = Server::start(move |seen, _| match seen.method.as_str() {
            "HEAD" => vec![Piece::Bytes(head(status, &[]))],
            _ => answer("200 OK", &[], MANIFEST),
        })
        .await;
        assert_eq!(
            client(plain()).exists(&server.image("x:1")).await,
            exists,
            "{status}"
        );
    }
    let gone = Server::start(|_, _| answer("404 Not Found", &[], b"")).await;
    assert_eq!(
        client(plain()).exists(&gone.image("x:1")).await,
        Ok(Existence::Missing)
    );
    let other = here.image(&format!("x@{}", Digest::sha256(b"other")));
    assert_eq!(
        client(plain()).exists(&other).await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
    assert_eq!(
        client(plain()).manifest(&other).await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

#[tokio::test]
async fn manifests_are_bounded() {
    let endless = Server::start(|_, _| {
        vec![
            Piece::Bytes(head("200 OK", &[])),
            Piece::Endless(vec![b' '; 1 << 16]),
        ]
    })
    .await;
    let long =
        Server::start(|_, _| vec![Piece::Bytes(head("200 OK", &[("Content-Length", "4194305")]))]).await;
    for server in [endless, long] {
        let error = client(plain()).manifest(&server.image("x:1")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("4194304"), "{error}");
    }
    let largest = vec![b' '; 4 << 20];
    let body = largest.clone();
    let server = Server::start(move |_, _| answer("200 OK", &[], &body)).await;
    assert_eq!(
        client(plain())
            .manifest(&server.image("x:1"))
            .await
            .unwrap()
            .bytes,
        largest
    );
}

#[tokio::test]
async fn error_bodies_are_bounded() {
    let server = Server::start(|_, _| {
        vec![
            Piece::Bytes(head("400 No", &[])),
            Piece::Endless(vec![b'x'; 1 << 16]),
        ]
    })
    .await;
    let error = client(plain()).manifest(&server.image("x:1")).await.unwrap_err();
    assert!(error.to_string().len() < 1000, "{error}");
}

#[tokio::test]
async fn a_blob_that_breaks_is_gone_on_with() {
    let bytes = content();
    for ranges in [true, false] {
        let served = bytes.clone();
        let server = Server::start(move |seen, number| {
            let start = range(seen).filter(|_| ranges).unwrap_or(0);
            let length = (served.len() - start).to_string();
            let of = format!("bytes {start}-{}/{}", served.len() - 1, served.len());
            let mut sent = match start {
                0 => head("200 OK", &[("Content-Length", &length)]),
                _ => head(
                    "206 Partial Content",
                    &[("Content-Length", &length), ("Content-Range", &of)],
                ),
            };
            // Each of the first answers is cut, further on each time.
            let end = if number < 3 {
                200_000 * (number + 1)
            } else {
                served.len()
            };
            sent.extend_from_slice(&served[start..end]);
            vec![Piece::Bytes(sent)]
        })
        .await;
        let read = read(&server, plain(), descriptor(&bytes)).await.unwrap();
        assert!(
            read == bytes,
            "{} of {} bytes, ranges {ranges}",
            read.len(),
            bytes.len()
        );
        assert_eq!(server.seen().len(), 4);
        assert!(range(&server.seen()[3]).is_some());
    }
}

#[tokio::test]
async fn a_blob_that_always_breaks_ends() {
    let bytes = content();
    let served = bytes.clone();
    let server = Server::start(move |_, _| {
        let mut sent = head("200 OK", &[("Content-Length", &served.len().to_string())]);
        sent.extend_from_slice(&served[..1000]);
        vec![Piece::Bytes(sent)]
    })
    .await;
    assert!(read(&server, plain(), descriptor(&bytes)).await.is_err());
    assert_eq!(server.seen().len(), 1 + limits().resumes as usize);
}

#[tokio::test]
async fn a_range_that_was_not_asked_for_is_refused() {
    let bytes = content();
    let served = bytes.clone();
    let server = Server::start(move |_, number| {
        let length = served.len().to_string();
        match number {
            0 => vec![Piece::Bytes(
                [
                    head("200 OK", &[("Content-Length", &length)]),
                    served[..1000].to_vec(),
                ]
                .concat(),
            )],
            _ => answer(
                "206 Partial Content",
                &[("Content-Range", "bytes 0-9/10")],
                &served[..10],
            ),
        }
    })
    .await;
    let error = read(&server, plain(), descriptor(&bytes)).await.unwrap_err();
    assert!(error.contains("sends others"), "{error}");
}

#[tokio::test]
async fn a_blob_has_the_size_of_its_descriptor() {
    let bytes = content();
    for (length, sent, reason) in [
        (Some(bytes.len() + 1), bytes.len() + 1, "where the manifest says"),
        (Some(bytes.len() - 1), bytes.len() - 1, "where the manifest says"),
        (None, bytes.len() - 1, "ends after"),
    ] {
        let served = bytes.clone();
        let server = Server::start(move |_, _| {
            let length = length.map(|length| length.to_string());
            let headers: Vec<_> = length
                .iter()
                .map(|length| ("Content-Length", length.as_str()))
                .collect();
            let mut body = served.clone();
            body.resize(sent, 0);
            vec![Piece::Bytes([head("200 OK", &headers), body].concat())]
        })
        .await;
        let error = read(&server, plain(), descriptor(&bytes)).await.unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    let server = Server::start(|_, _| {
        vec![
            Piece::Bytes(head("200 OK", &[])),
            Piece::Endless(vec![0; 1 << 16]),
        ]
    })
    .await;
    let error = read(&server, plain(), descriptor(&bytes)).await.unwrap_err();
    assert!(error.contains("sends more than"), "{error}");
}

#[tokio::test]
async fn silence_is_not_waited_for() {
    let bytes = content();
    let served = bytes.clone();
    let server = Server::start(move |_, _| {
        let sent = head("200 OK", &[("Content-Length", &served.len().to_string())]);
        vec![
            Piece::Bytes([sent, served[..1000].to_vec()].concat()),
            Piece::Silence,
        ]
    })
    .await;
    let mut options = plain();
    options.limits.idle = Duration::from_millis(50);
    options.limits.resumes = 1;
    let error = read(&server, options.clone(), descriptor(&bytes))
        .await
        .unwrap_err();
    assert!(error.contains("no answer in time"), "{error}");
    let mute = Server::start(|_, _| vec![Piece::Silence]).await;
    let error = client(options).exists(&mute.image("x:1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}

#[tokio::test]
async fn a_redirect_takes_no_password_along() {
    let bytes = content();
    let served = bytes.clone();
    let store = Server::start(move |_, _| answer("200 OK", &[], &served)).await;
    let target = format!("http://{}/somewhere?signature=s", store.addr);
    let server = Server::start(move |seen, _| match seen.header("authorization") {
        None => answer("401 No", &[("WWW-Authenticate", "Basic")], b""),
        Some(_) => answer("307 There", &[("Location", &target)], b""),
    })
    .await;
    let options = Options {
        keychain: password("ada", "pw"),
        ..plain()
    };
    assert!(read(&server, options, descriptor(&bytes)).await.unwrap() == bytes);
    assert_eq!(store.seen()[0].path, "/somewhere?signature=s");
    assert_eq!(store.seen()[0].header("authorization"), None);
}

#[tokio::test]
async fn redirects_end() {
    for (location, reason) in [
        ("/v2/again", "more than 5 times"),
        ("file:///etc/passwd", "not followed"),
        ("http://", "not a URL"),
    ] {
        let server = Server::start(move |_, _| answer("302 There", &[("Location", location)], b"")).await;
        let error = client(plain()).manifest(&server.image("x:1")).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[tokio::test]
async fn mirrors_come_first() {
    let mirror = Server::start(|seen, _| match seen.path.as_str() {
        "/v2/copy/x/manifests/1" => manifest(),
        _ => answer("404 Not Found", &[], b""),
    })
    .await;
    let origin = Server::start(|seen, _| match seen.path.as_str() {
        "/v2/team/gone/manifests/1" => answer("404 Not Found", &[], b""),
        _ => manifest(),
    })
    .await;
    let mut conf = RegistriesConf::default();
    let text = format!(
        "[[registry]]\nlocation = '{0}/team'\ninsecure = true\n[[registry.mirror]]\nlocation = '{1}/copy'\ninsecure = true\n\
         [[registry]]\nlocation = '{0}/bad'\nblocked = true",
        origin.addr, mirror.addr
    );
    conf.add("registries.conf", &text).unwrap();
    let client = client(Options {
        registries: conf,
        limits: limits(),
        ..Options::default()
    });
    client.manifest(&origin.image("team/x:1")).await.unwrap();
    assert_eq!((mirror.seen().len(), origin.seen().len()), (1, 0));
    client.manifest(&origin.image("team/y:1")).await.unwrap();
    assert_eq!((mirror.seen().len(), origin.seen().len()), (2, 1));
    assert_eq!(
        client.exists(&origin.image("team/gone:1")).await,
        Ok(Existence::Missing)
    );
    let error = client.exists(&origin.image("bad/x:1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("blocked"), "{error}");
}

#[tokio::test]
async fn proxies_are_used_unless_excepted() {
    let proxy = Server::start(|_, _| manifest()).await;
    let mut options = plain();
    options.proxy.http = Some(format!("http://{}", proxy.addr));
    // One name without an address: only the proxy can reach it. TLS fails, since this proxy knows no CONNECT.
    options.proxy.https = options.proxy.http.clone();
    let image = "registry.invalid/x:1".parse().unwrap();
    client(options.clone()).manifest(&image).await.unwrap();
    assert!(
        proxy
            .seen()
            .iter()
            .any(|seen| seen.path == "http://registry.invalid/v2/x/manifests/1")
    );
    options.proxy.except = Some(".invalid".to_owned());
    let error = client(options).manifest(&image).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let server = Server::start(|_, _| manifest()).await;
    let image = server.image("x:1");
    let addr = server.addr.clone();
    drop(server);
    while tokio::net::TcpStream::connect(&addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let error = client(plain()).exists(&image).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}
