//! Certificates of servers: read from files and read again when they change, or made here.

use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::ClientHello;
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at. Notices of the file system are not used: a mounted Secret changes by a link, and not
/// every file system gives them.
const LOOK: Duration = Duration::from_secs(5);
/// A certificate with its chain is smaller.
const LARGEST: u64 = 1 << 20;

/// Why there is no certificate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("could not read `{}`", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is in a file is not what it should be.
    #[error("`{}`: {problem}", .path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// A certificate in `tls.crt` and `tls.key` of a folder, as a Secret of type `kubernetes.io/tls` is mounted.
pub(crate) struct Certificate {
    folder: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
    /// The files that the first one was made of.
    first: Pem,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    pub(crate) fn read(folder: &Path) -> Result<Arc<Self>, CertificateError> {
        let pem = Pem::read(folder)?;
        Ok(Arc::new(Self {
            folder: folder.to_owned(),
            current: RwLock::new(Arc::new(pem.key(folder)?)),
            first: pem,
        }))
    }

    /// What takes connections with the certificate as it is at the time.
    pub(crate) fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        acceptor(Arc::clone(self) as Arc<dyn ResolvesServerCert>)
    }

    /// Reads the files again when they change, for ever. Where they make no sense, as when one of them was written and the
    /// other was not yet, the last certificate stays.
    pub(crate) async fn follow(&self) {
        let mut last: Option<Pem> = None;
        let mut told = String::new();
        loop {
            tokio::time::sleep(LOOK).await;
            let read = Pem::read(&self.folder).and_then(|pem| {
                let new = pem != *last.as_ref().unwrap_or(&self.first);
                let key = new.then(|| pem.key(&self.folder)).transpose()?;
                Ok(key.map(|key| (pem, key)))
            });
            match read {
                Ok(None) => told.clear(),
                Ok(Some((pem, key))) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                    last = Some(pem);
                    told.clear();
                    tracing::info!(folder = %self.folder.display(), "the certificate was read again");
                }
                Err(error) => {
                    let error = error.to_string();
                    if error != told {
                        tracing::warn!(error, "the last certificate stays");
                        told = error;
                    }
                }
            }
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

/// The files of a certificate.
#[derive(PartialEq, Eq)]
struct Pem {
    certificates: Vec<u8>,
    key: Vec<u8>,
}

impl Pem {
    fn read(folder: &Path) -> Result<Self, CertificateError> {
        Ok(Self {
            certificates: read(&folder.join("tls.crt"))?,
            key: read(&folder.join("tls.key"))?,
        })
    }

    fn key(&self, folder: &Path) -> Result<CertifiedKey, CertificateError> {
        let wrong = |file: &str, problem: String| CertificateError::Content {
            path: folder.join(file),
            problem,
        };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificates).collect();
        let chain = chain.map_err(|error| wrong("tls.crt", error.to_string()))?;
        if chain.is_empty() {
            return Err(wrong("tls.crt", "there is no certificate in it".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| {
            // The error could repeat what is in the file.
            let problem = match error {
                rustls::pki_types::pem::Error::NoItemsFound => "there is no private key in it",
                _ => "it is not PEM",
            };
            wrong("tls.key", problem.to_owned())
        })?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
            let problem = match error {
                rustls::Error::InconsistentKeys(_) => {
                    "it is not the key of the certificate in `tls.crt`".to_owned()
                }
                error => error.to_string(),
            };
            wrong("tls.key", problem)
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    use std::io::Read;

    let failed = |source| CertificateError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        let problem = format!("larger than {LARGEST} bytes");
        let path = path.to_owned();
        return Err(CertificateError::Content { path, problem });
    }
    Ok(bytes)
}

/// A certificate that nobody has signed: those who ask do not check it, as with the Go operator's metrics.
pub(crate) fn self_signed() -> Result<TlsAcceptor, CertificateError> {
    let failed = |problem: String| CertificateError::Content {
        path: PathBuf::from("(made at the start)"),
        problem,
    };
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
        .map_err(|error| failed(error.to_string()))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let key = CertifiedKey::from_der(vec![made.cert.der().clone()], key, &provider())
        .map_err(|error| failed(error.to_string()))?;
    Ok(acceptor(Arc::new(rustls::sign::SingleCertAndKey::from(key))))
}

fn acceptor(certificate: Arc<dyn ResolvesServerCert>) -> TlsAcceptor {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        // The provider has every version that is asked for.
        .expect("TLS 1.2 and 1.3 of the provider")
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    TlsAcceptor::from(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
