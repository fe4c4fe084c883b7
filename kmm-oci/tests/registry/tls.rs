use std::sync::Arc;

use kmm_oci::registry::CertsD;
use kmm_oci::registry::ErrorKind;
use kmm_oci::registry::Options;
use kmm_oci::registry::Registry;
use kmm_oci::registry::Tls;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;

use crate::server::Server;
use crate::server::answer;
use crate::server::client;
use crate::server::limits;
use crate::server::manifest;
use crate::server::password;

/// A CA in PEM, and a server that it vouches for, for this host.
fn certificate(host: &str) -> (Vec<u8>, TlsAcceptor) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).unwrap().pem().into_bytes();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (ca, TlsAcceptor::from(Arc::new(config)))
}

fn strict() -> Options {
    Options {
        limits: limits(),
        ..Options::default()
    }
}

fn trusting(ca: &[u8]) -> Options {
    Options {
        ca_certificates: vec![ca.to_vec()],
        ..strict()
    }
}

#[tokio::test]
async fn a_ca_is_trusted_where_it_is_given() {
    let (ca, tls) = certificate("127.0.0.1");
    let server = Server::start_tls(tls, |_, _| manifest()).await;
    client(trusting(&ca))
        .manifest(&server.image("x:1"))
        .await
        .unwrap();
    let (other, _) = certificate("127.0.0.1");
    let error = client(trusting(&other))
        .manifest(&server.image("x:1"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert!(error.help().contains("CA"), "{}", error.help());
    let skip = |skip_verify, insecure| Options {
        tls: Tls {
            insecure,
            skip_verify,
        },
        ..strict()
    };
    client(skip(true, false))
        .manifest(&server.image("x:1"))
        .await
        .unwrap();
    // `insecure` alone allows plain HTTP, not just any certificate.
    let error = client(skip(false, true))
        .manifest(&server.image("x:1"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
}

#[tokio::test]
async fn a_folder_of_certificates_counts_for_its_registry() {
    let (ca, tls) = certificate("127.0.0.1");
    let here = Server::start_tls(tls.clone(), |_, _| manifest()).await;
    let other = Server::start_tls(tls, |_, _| manifest()).await;
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join(&here.addr);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("ca.crt"), &ca).unwrap();
    let options = Options {
        certs_d: CertsD::new([root.path().to_owned()]),
        ..strict()
    };
    client(options.clone())
        .manifest(&here.image("x:1"))
        .await
        .unwrap();
    let error = client(options.clone())
        .manifest(&other.image("x:1"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    std::fs::write(
        folder.join("ca.crt"),
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let error = client(options.clone())
        .manifest(&here.image("x:1"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    std::fs::rename(folder.join("ca.crt"), folder.join("me.key")).unwrap();
    let error = client(options).exists(&here.image("x:1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    assert!(error.to_string().contains("me.key"), "{error}");
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let issued = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &issuer).unwrap(), key)
    };
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let (leaf, key) = issued("127.0.0.1");
    let config = ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let server = Server::start_tls(TlsAcceptor::from(Arc::new(config)), |_, _| manifest()).await;
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join(&server.addr);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("ca.crt"), ca.pem()).unwrap();
    let options = Options {
        certs_d: CertsD::new([root.path().to_owned()]),
        ..strict()
    };
    let error = client(options.clone())
        .manifest(&server.image("x:1"))
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Tls | ErrorKind::Unreachable),
        "{error}"
    );
    let (leaf, key) = issued("ada");
    std::fs::write(folder.join("ada.cert"), leaf.pem()).unwrap();
    std::fs::write(folder.join("ada.key"), key.serialize_pem()).unwrap();
    client(options).manifest(&server.image("x:1")).await.unwrap();
}

#[tokio::test]
async fn a_certificate_is_for_its_host() {
    let (ca, tls) = certificate("registry.example.com");
    let server = Server::start_tls(tls, |_, _| manifest()).await;
    let error = client(trusting(&ca))
        .manifest(&server.image("x:1"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
}

#[tokio::test]
async fn plain_http_is_refused_unless_asked_for() {
    let server = Server::start(|_, _| manifest()).await;
    let (ca, _) = certificate("127.0.0.1");
    let error = client(trusting(&ca))
        .manifest(&server.image("x:1"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert!(error.help().contains("plain HTTP"), "{}", error.help());
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn passwords_and_requests_do_not_leave_tls() {
    let (ca, tls) = certificate("127.0.0.1");
    let plain = Server::start(|_, _| answer("200 OK", &[], b"{\"token\":\"t\"}")).await;
    let target = format!("http://{}/", plain.addr);
    let location = target.clone();
    let redirecting = Server::start_tls(tls.clone(), move |_, _| {
        answer("307 There", &[("Location", &location)], b"")
    })
    .await;
    let challenge = format!("Bearer realm=\"{target}\"");
    let asking = Server::start_tls(tls, move |_, _| {
        answer("401 No", &[("WWW-Authenticate", &challenge)], b"")
    })
    .await;
    for (server, reason) in [(&redirecting, "not followed"), (&asking, "without TLS")] {
        let options = Options {
            keychain: password("ada", "pw"),
            ..trusting(&ca)
        };
        let error = client(options).manifest(&server.image("x:1")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains(reason), "{error}");
    }
    assert!(plain.seen().is_empty());
}

#[test]
fn options_that_cannot_be_used_are_refused() {
    for ca in [
        &b""[..],
        b"nonsense",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    ] {
        assert!(
            Registry::new(trusting(ca)).is_err(),
            "{}",
            String::from_utf8_lossy(ca)
        );
    }
    let mut options = strict();
    options.proxy.https = Some("http://ada:hunter2@ho st".to_owned());
    let error = Registry::new(options).unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}
