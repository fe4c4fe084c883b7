//! Debian's `docker-registry` on the loopback, in the forms that users meet, and `skopeo` to fill it.
//!
//! ```ignore
//! registry::set_up()?;
//! let registry = Registry::start(Kind::TlsBasic)?;
//! registry.push("oci:layout:tag", "team/driver:1.0")?;
//! // registry.addr, registry.ca_file, registry.user, registry.password; stopped when dropped.
//! ```

mod certificates;
mod check;
mod credentials;
mod proxy;
mod token;

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use self::certificates::Certificates;
use self::token::TokenServer;
use crate::steps;

pub(crate) use self::check::ASK;
pub(crate) use self::check::ask;
pub(crate) use self::check::check;
pub(crate) use self::token::base64;

const PACKAGES: &[&str] = &["docker-registry", "skopeo", "apache2-utils", "openssl"];

/// What a user of these registries is called; the password is made anew for each registry.
const USER: &str = "puller";

/// How long a registry may take until it listens; a loaded machine takes its time.
const START: Duration = Duration::from_secs(300);

/// The form of a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Plain HTTP, anybody may read and write.
    Plain,
    /// Plain HTTP and a password.
    PlainBasic,
    /// Plain HTTP; bearer tokens of a token server of our own, which wants a password.
    PlainToken,
    /// TLS with a CA of our own, anybody may read and write.
    Tls,
    /// TLS with a CA of our own and a password.
    TlsBasic,
}

impl Kind {
    /// Every form.
    pub(crate) const ALL: [Self; 5] = [
        Self::Plain,
        Self::PlainBasic,
        Self::PlainToken,
        Self::Tls,
        Self::TlsBasic,
    ];

    fn tls(self) -> bool {
        matches!(self, Self::Tls | Self::TlsBasic)
    }

    fn password(self) -> bool {
        matches!(self, Self::PlainBasic | Self::PlainToken | Self::TlsBasic)
    }
}

/// A running registry; it is stopped, and its files are removed, when this is dropped.
#[derive(Debug)]
pub(crate) struct Registry {
    /// `127.0.0.1:PORT`, as it stands in image names.
    pub(crate) addr: String,
    /// The CA that signed its certificate, where it speaks TLS.
    pub(crate) ca_file: Option<PathBuf>,
    /// Who may read and write; empty where anybody may.
    pub(crate) user: String,
    /// Their password; empty where anybody may.
    pub(crate) password: String,
    server: Option<Server>,
    tokens: Option<TokenServer>,
    folder: PathBuf,
}

/// Installs the programs, where they are missing.
pub(crate) fn set_up() -> Result<()> {
    let there = |program: &str| {
        let find = Command::new("which").arg(program).stdout(Stdio::null()).status();
        find.is_ok_and(|status| status.success())
    };
    if ["docker-registry", "skopeo", "htpasswd", "openssl"]
        .iter()
        .all(|program| there(program))
    {
        return Ok(());
    }
    steps::run("apt-get", &["update", "-qq"])?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(PACKAGES);
    steps::run("apt-get", &arguments)
}

/// The certificate of an authority that no registry here has.
pub(crate) fn other_ca(folder: &Path) -> Result<PathBuf> {
    Ok(Certificates::make(folder)?.ca)
}

impl Registry {
    /// Starts a registry that holds nothing, on a free port of the loopback.
    pub(crate) fn start(kind: Kind) -> Result<Self> {
        let folder = steps::cache()?.join(format!(
            "registry-{}-{:016x}",
            std::process::id(),
            fastrand::u64(..)
        ));
        std::fs::create_dir_all(&folder)?;
        let mut registry = Self {
            addr: String::new(),
            ca_file: None,
            user: String::new(),
            password: String::new(),
            server: None,
            tokens: None,
            folder,
        };
        if kind.password() {
            USER.clone_into(&mut registry.user);
            registry.password = format!("{:016x}", fastrand::u64(..));
        }
        let config = registry.configure(kind)?;
        let path = registry.folder.join("config.yml");
        std::fs::write(&path, config)?;
        let server = Server::start(&path)?;
        registry.addr.clone_from(&server.addr);
        registry.server = Some(server);
        Ok(registry)
    }

    /// The `docker://` name of an image here.
    pub(crate) fn docker(&self, name: &str) -> String {
        format!("docker://{}/{name}", self.addr)
    }

    /// Copies an image, named as skopeo names it (`oci:DIR:TAG`, `docker-archive:FILE`, ...), to `name` here; digests
    /// stay as they are.
    pub(crate) fn push(&self, from: &str, name: &str) -> Result<()> {
        let mut arguments = vec![
            "--insecure-policy".to_owned(),
            "copy".to_owned(),
            "--quiet".to_owned(),
            "--all".to_owned(),
            "--preserve-digests".to_owned(),
        ];
        if self.ca_file.is_some() {
            arguments.extend(["--dest-cert-dir".to_owned(), self.folder.display().to_string()]);
        } else {
            arguments.push("--dest-tls-verify=false".to_owned());
        }
        if !self.user.is_empty() {
            arguments.extend([
                "--dest-creds".to_owned(),
                format!("{}:{}", self.user, self.password),
            ]);
        }
        arguments.extend([from.to_owned(), self.docker(name)]);
        let out = Command::new("skopeo")
            .args(&arguments)
            .output()
            .context("could not start `skopeo`")?;
        if !out.status.success() {
            bail!(
                "`skopeo copy {from} {}`: {}",
                self.docker(name),
                String::from_utf8_lossy(&out.stderr).trim()
            );
        }
        Ok(())
    }

    /// A docker `config.json` with the password of this registry, for `--authfile` and the like.
    pub(crate) fn auth_json(&self) -> serde_json::Value {
        let auth = token::base64(format!("{}:{}", self.user, self.password).as_bytes());
        match self.user.is_empty() {
            true => serde_json::json!({ "auths": {} }),
            false => serde_json::json!({ "auths": { self.addr.as_str(): { "auth": auth } } }),
        }
    }

    /// The configuration file; a `:0` makes the registry choose a port, which it prints.
    fn configure(&mut self, kind: Kind) -> Result<String> {
        let folder = self.folder.clone();
        let storage = folder.join("storage");
        let mut config = format!(
            "version: 0.1\nlog: {{level: info, formatter: text}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  delete: \
             {{enabled: true}}\nhttp:\n  addr: 127.0.0.1:0\n",
            storage.display()
        );
        if kind.tls() {
            let made = Certificates::make(&folder)?;
            config += &format!(
                "  tls:\n    certificate: {}\n    key: {}\n",
                made.certificate.display(),
                made.key.display()
            );
            self.ca_file = Some(made.ca);
        }
        match kind {
            Kind::PlainBasic | Kind::TlsBasic => {
                let path = folder.join("htpasswd");
                std::fs::write(&path, htpasswd(&self.user, &self.password)?)?;
                config += &format!(
                    "auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
                    path.display()
                );
            }
            Kind::PlainToken => {
                let made = Certificates::make(&folder)?;
                let tokens = TokenServer::start(&made, &self.user, &self.password)?;
                config += &format!(
                    "auth:\n  token:\n    realm: http://{}/token\n    service: {}\n    issuer: {}\n    rootcertbundle: {}\n",
                    tokens.addr,
                    token::SERVICE,
                    token::ISSUER,
                    made.ca.display()
                );
                self.tokens = Some(tokens);
            }
            Kind::Plain | Kind::Tls => {}
        }
        Ok(config)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.server.take());
        drop(self.tokens.take());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The process; killed and waited for when dropped.
#[derive(Debug)]
struct Server {
    addr: String,
    child: Child,
}

impl Server {
    fn start(config: &Path) -> Result<Self> {
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(config)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("could not start `docker-registry`: `registry::set_up` installs it")?;
        let mut server = Self {
            addr: String::new(),
            child,
        };
        let log = server.child.stderr.take().context("the registry has no log")?;
        let (said, heard) = mpsc::channel();
        // Goes on reading until the registry ends: a full pipe would stop it.
        std::thread::spawn(move || {
            let mut lines = Vec::new();
            let mut told = false;
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                if !told {
                    told = address(&line).is_some_and(|addr| said.send(Ok(addr)).is_ok());
                    lines.push(line);
                }
            }
            if !told {
                let _ = said.send(Err(lines.join("\n")));
            }
        });
        match heard
            .recv_timeout(START)
            .context("the registry does not listen")?
        {
            Ok(addr) => server.addr = addr,
            Err(log) => bail!("the registry ended: {log}"),
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in the log's line `listening on 127.0.0.1:PORT[, tls]`.
fn address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("listening on ")?;
    let end = rest.find([',', '"', ' ']).unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}

/// One line of a password file, bcrypt.
fn htpasswd(user: &str, password: &str) -> Result<Vec<u8>> {
    let out = Command::new("htpasswd").args(["-Bbn", user, password]).output();
    let out = out.context("could not start `htpasswd`")?;
    if !out.status.success() {
        bail!("htpasswd: {}", String::from_utf8_lossy(&out.stderr));
    }
    Ok(out.stdout)
}
