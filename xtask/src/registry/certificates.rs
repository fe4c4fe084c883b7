//! A CA and a certificate of the loopback, made by `openssl`.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

/// A name that no name server knows: only a proxy gets there.
pub(super) const NAME: &str = "registry.test";

/// Files of one CA and one server that it signed.
#[derive(Debug)]
pub(super) struct Certificates {
    /// The CA's certificate. Its name ends in `.crt`, as skopeo's `--dest-cert-dir` wants it.
    pub(super) ca: PathBuf,
    /// The server's certificate, for 127.0.0.1, localhost and [`NAME`].
    pub(super) certificate: PathBuf,
    /// The server's key.
    pub(super) key: PathBuf,
}

impl Certificates {
    /// Makes them in a folder.
    pub(super) fn make(folder: &Path) -> Result<Self> {
        let new = "req -x509 -newkey rsa:2048 -nodes -sha256 -days 30";
        let ca = format!(
            "{new} -subj /CN=test-ca-{:016x} -addext basicConstraints=critical,CA:TRUE -keyout ca-key.pem -out ca.crt",
            fastrand::u64(..)
        );
        openssl(folder, &ca)?;
        // Signed by the CA rather than by itself: TLS clients refuse a CA's certificate as a server's.
        let server = format!(
            "{new} -subj /CN=localhost -CA ca.crt -CAkey ca-key.pem -addext basicConstraints=critical,CA:FALSE \
             -addext subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:{NAME} -keyout server-key.pem -out server.pem"
        );
        openssl(folder, &server)?;
        Ok(Self {
            ca: folder.join("ca.crt"),
            certificate: folder.join("server.pem"),
            key: folder.join("server-key.pem"),
        })
    }
}

fn openssl(folder: &Path, arguments: &str) -> Result<()> {
    let words = arguments.split_whitespace();
    let out = Command::new("openssl").args(words).current_dir(folder).output();
    let out = out.context("could not start `openssl`")?;
    if !out.status.success() {
        bail!("`openssl {arguments}`: {}", String::from_utf8_lossy(&out.stderr));
    }
    Ok(())
}
