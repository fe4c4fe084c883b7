//! Pushes images with skopeo to a registry of every form, and asks `kmm_oci` for them: right answers, and right errors.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use kmm_files::Decompressors;
use kmm_oci::Digest;
use kmm_oci::ImageStore;
use kmm_oci::ScanOptions;
use kmm_oci::credentials::ConfigFile;
use kmm_oci::credentials::Keychain;
use kmm_oci::registry as client;
use kmm_oci::registry::CertsD;
use kmm_oci::registry::ErrorKind;
use kmm_oci::registry::Existence;
use kmm_oci::registry::Options;
use kmm_oci::registry::RegistriesConf;
use kmm_oci::registry::RegistryError;
use kmm_oci::registry::RegistryStore;
use kmm_oci::registry::Tls;

use super::Kind;
use super::Registry;
use super::certificates::NAME;
use super::credentials;
use super::proxy::Proxy;
use super::set_up;
use crate::layers;
use crate::layers::Images;
use crate::layers::Source;
use crate::steps;

/// Where the images go.
pub(super) const REPOSITORY: &str = "team/nic";

/// The argument with which this program asks a registry for one image: `ask-registry AUTH-FILE CA-FILE|- IMAGE`.
pub(crate) const ASK: &str = "ask-registry";

/// Every form of registry: what skopeo pushes can be read by who may, and nobody else; what is wrong is named rightly.
pub(crate) fn check(images: &Images) -> Result<()> {
    set_up()?;
    let sources = images.sources()?;
    let folder = Scratch::new()?;
    for kind in Kind::ALL {
        let mut registry = Registry::start(kind)?;
        for source in &sources {
            registry.push(&source.skopeo, &format!("{REPOSITORY}:{}", source.tag))?;
        }
        let asked = Asked {
            kind,
            registry: &registry,
            keychain: credentials::given(&registry, None),
        };
        let files = asked
            .contents(&sources)
            .with_context(|| format!("{kind:?}: contents"))?;
        let accepted =
            credentials::accepted(&registry, &folder.0).with_context(|| format!("{kind:?}: credentials"))?;
        let mut refused =
            credentials::refused(&registry).with_context(|| format!("{kind:?}: wrong credentials"))?;
        refused += asked.trust().with_context(|| format!("{kind:?}: trust"))?;
        refused += asked
            .missing()
            .with_context(|| format!("{kind:?}: what is missing"))?;
        asked.mirror().with_context(|| format!("{kind:?}: mirrors"))?;
        asked.proxy().with_context(|| format!("{kind:?}: proxies"))?;
        refused += asked.damaged().with_context(|| format!("{kind:?}: damage"))?;
        let keychain = asked.keychain;
        drop(registry.server.take());
        let gone = store(
            &registry,
            options(&registry, keychain)?,
            &image(&registry, "gzip"),
        )?;
        is(ErrorKind::Unreachable, "", gone.exists())?;
        println!(
            "{kind:?}: {files} files of {} images as umoci unpacks them, {accepted} ways to give a password, {} refusals",
            sources.len(),
            refused + 1
        );
    }
    Ok(())
}

/// The command of [`ASK`]: prints the digest, or fails.
pub(crate) fn ask(words: &[&str]) -> Result<()> {
    let [auth, ca, image] = words else {
        bail!("usage: {ASK} AUTH-FILE CA-FILE|- IMAGE");
    };
    let keychain = Keychain::anonymous().with_file(ConfigFile::read(Path::new(auth))?);
    let options = Options {
        keychain,
        ca_certificates: match *ca {
            "-" => Vec::new(),
            path => vec![fs::read(path)?],
        },
        tls: insecure(*ca == "-"),
        ..Options::default()
    };
    let store = RegistryStore::new(client::Registry::new(options)?, image.parse()?)?;
    match store.exists()? {
        Existence::Exists { digest } => println!("{digest}"),
        Existence::Missing => bail!("{image}: missing"),
    }
    Ok(())
}

/// A folder that is removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let folder = steps::cache()?.join(format!(
            "registry-check-{}-{:016x}",
            std::process::id(),
            fastrand::u64(..)
        ));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A registry, and who asks it.
struct Asked<'a> {
    kind: Kind,
    registry: &'a Registry,
    keychain: Keychain,
}

impl Asked<'_> {
    fn options(&self) -> Result<Options> {
        options(self.registry, self.keychain.clone())
    }

    fn store(&self, options: Options, image: &str) -> Result<RegistryStore> {
        store(self.registry, options, image)
    }

    /// Digest, manifest and files of each image; gives the number of files.
    fn contents(&self, sources: &[Source]) -> Result<usize> {
        let mut files = 0;
        for source in sources {
            let name = image(self.registry, source.tag);
            let store = self.store(self.options()?, &name)?;
            let manifest = fs::read(&source.manifest)?;
            let digest = Digest::sha256(&manifest);
            exists(&store, &digest)?;
            let found = store.manifest(None)?;
            ensure!(
                found.bytes == manifest && found.digest == Some(digest.clone()),
                "{name}: another manifest"
            );
            files += scanned(&store, &name, source)?;
            let (plain, _) = name.rsplit_once(':').context("no tag")?;
            for by_digest in [format!("{plain}@{digest}"), format!("{name}@{digest}")] {
                exists(&store.with_image(by_digest.parse()?), &digest)?;
            }
        }
        Ok(files)
    }

    /// TLS without its CA, with another one, with no check of it; plain HTTP where it was not asked for.
    fn trust(&self) -> Result<usize> {
        let name = image(self.registry, "gzip");
        let with = |tls: Tls, ca: Option<Vec<u8>>| -> Result<Result<Existence, RegistryError>> {
            let options = Options {
                tls,
                ca_certificates: ca.into_iter().collect(),
                ..self.options()?
            };
            Ok(self.store(options, &name)?.exists())
        };
        let skip = Tls {
            insecure: false,
            skip_verify: true,
        };
        if !self.kind.tls() {
            is(ErrorKind::Tls, "plain HTTP", with(Tls::default(), None)?)?;
            is(ErrorKind::Tls, "plain HTTP", with(skip, None)?)?;
            return Ok(2);
        }
        let folder = Scratch::new()?;
        let other = super::Certificates::make(&folder.0)?;
        is(ErrorKind::Tls, "the CA", with(Tls::default(), None)?)?;
        is(
            ErrorKind::Tls,
            "the CA",
            with(Tls::default(), Some(fs::read(other.ca)?))?,
        )?;
        // Plain HTTP is allowed, and not spoken: the certificate is what is wrong.
        is(ErrorKind::Tls, "the CA", with(insecure(true), None)?)?;
        let certs = folder.0.join("certs.d");
        fs::create_dir_all(certs.join(&self.registry.addr))?;
        let ca = self.registry.ca_file.as_ref().context("no CA")?;
        fs::copy(ca, certs.join(&self.registry.addr).join("ca.crt"))?;
        let trusting = Options {
            certs_d: CertsD::new([certs]),
            ca_certificates: Vec::new(),
            ..self.options()?
        };
        let found = self.store(trusting, &name)?.exists()?;
        ensure!(
            matches!(found, Existence::Exists { .. }),
            "with a folder of certs.d: {found:?}"
        );
        let found = with(skip, None)??;
        ensure!(
            matches!(found, Existence::Exists { .. }),
            "without a check of the certificate: {found:?}"
        );
        Ok(3)
    }

    /// A tag, a repository, a digest that are not there.
    fn missing(&self) -> Result<usize> {
        let addr = &self.registry.addr;
        let digest = Digest::sha256(b"nothing");
        let names = [
            format!("{addr}/{REPOSITORY}:gone"),
            format!("{addr}/{REPOSITORY}@{digest}"),
            format!("{addr}/team/none:v1"),
        ];
        for name in &names {
            let store = self.store(self.options()?, name)?;
            let found = store.exists()?;
            ensure!(found == Existence::Missing, "{name}: {found:?}");
            match store.manifest(None) {
                Err(error) if error.is_answer() => {}
                other => bail!("{name}: {other:?}"),
            }
            match kmm_oci::scan(&store, &ScanOptions::new(&Decompressors)) {
                Err(error) if error.is_answer() => {}
                other => bail!("{name}: {:?}", other.map(|image| image.digest)),
            }
        }
        Ok(names.len())
    }

    /// An image of a registry that cannot be reached, had from here; and one that neither has.
    fn mirror(&self) -> Result<()> {
        let insecure = self.registry.ca_file.is_none();
        let mut registries = RegistriesConf::default();
        registries.add(
            "registries.conf",
            &format!(
                "[[registry]]\nlocation = '{NAME}/vendor'\n[[registry.mirror]]\nlocation = '{}/team'\ninsecure = {insecure}\n\
                 [[registry]]\nlocation = '{NAME}/bad'\nblocked = true\n",
                self.registry.addr
            ),
        )?;
        let options = Options {
            registries,
            tls: Tls::default(),
            ..self.options()?
        };
        let there = self.store(options.clone(), &format!("{NAME}/vendor/nic:zstd"))?;
        let Existence::Exists { .. } = there.exists()? else {
            bail!("the mirror is not asked");
        };
        kmm_oci::scan(&there, &ScanOptions::new(&Decompressors))?;
        let gone = self.store(options.clone(), &format!("{NAME}/vendor/nic:gone"))?;
        // The mirror knows nothing of it, and the registry cannot be asked: that is no answer.
        is(ErrorKind::Unreachable, "", gone.exists())?;
        let bad = self.store(options, &format!("{NAME}/bad/nic:v1"))?;
        is(ErrorKind::Configuration, "", bad.exists())
    }

    /// A host that only a proxy can reach.
    fn proxy(&self) -> Result<()> {
        let proxy = Proxy::start(&self.registry.addr)?;
        let (_, port) = self.registry.addr.rsplit_once(':').context("no port")?;
        let url = Some(format!("http://{}", proxy.addr));
        let mut options = self.options()?;
        options.proxy.http.clone_from(&url);
        options.proxy.https = url;
        let name = format!("{NAME}:{port}/{REPOSITORY}:gzip");
        let store = self.store(options.clone(), &name)?;
        ensure!(
            matches!(store.exists()?, Existence::Exists { .. }),
            "{name}: missing"
        );
        kmm_oci::scan(&store, &ScanOptions::new(&Decompressors))?;
        let used = proxy.used();
        ensure!(used > 0, "the proxy was not used");
        options.proxy.except = Some(".test".to_owned());
        is(
            ErrorKind::Unreachable,
            "proxy",
            self.store(options, &name)?.exists(),
        )?;
        ensure!(proxy.used() == used, "the proxy was used for what is excepted");
        Ok(())
    }

    /// A layer that changed on the registry's disk, and one that is gone from there: nothing is told of the image.
    fn damaged(&self) -> Result<usize> {
        let name = image(self.registry, "gzip");
        let store = self.store(self.options()?, &name)?;
        let whole = kmm_oci::scan(&store, &ScanOptions::new(&Decompressors))?;
        let layer = whole.layers.first().context("no layers")?;
        let hex = layer.digest.hex();
        let path = self.registry.folder.join(format!(
            "storage/docker/registry/v2/blobs/sha256/{}/{hex}/data",
            hex.get(..2).unwrap_or_default()
        ));
        let kept = fs::read(&path).with_context(|| path.display().to_string())?;
        let mut changed = kept.clone();
        *changed.last_mut().context("an empty layer")? ^= 1;
        fs::write(&path, &changed)?;
        let damaged = kmm_oci::scan(&store, &ScanOptions::new(&Decompressors));
        fs::write(&path, kept.get(..kept.len() / 2).unwrap_or_default())?;
        let short = kmm_oci::scan(&store, &ScanOptions::new(&Decompressors));
        fs::remove_file(&path)?;
        let gone = kmm_oci::scan(&store, &ScanOptions::new(&Decompressors));
        fs::write(&path, &kept)?;
        for (what, result) in [("changed", damaged), ("cut", short), ("gone", gone)] {
            match result {
                Err(kmm_oci::ScanError::Layer { number: 1, .. }) => {}
                Err(error) => bail!("a layer that is {what}: {error:?}"),
                Ok(_) => bail!("a layer that is {what} was read"),
            }
        }
        Ok(3)
    }
}

/// Reads each of its platforms, and compares them with what umoci unpacked.
fn scanned(store: &RegistryStore, name: &str, source: &Source) -> Result<usize> {
    let mut files = 0;
    for (platform, unpacked) in &source.unpacked {
        let mut options = ScanOptions::new(&Decompressors);
        options.platform = platform.map(str::parse).transpose()?;
        let found = kmm_oci::scan(store, &options).with_context(|| name.to_owned())?;
        files += layers::same_files(name, unpacked, &found.tree)?;
    }
    let mut options = ScanOptions::new(&Decompressors);
    options.platform = Some("linux/s390x".parse()?);
    match kmm_oci::scan(store, &options) {
        Err(error) if error.is_answer() => Ok(files),
        Err(error) => bail!("{name} for another architecture: {error}"),
        Ok(found) => bail!("{name} for another architecture: {:?}", found.platform),
    }
}

/// The full name of one of the images.
pub(super) fn image(registry: &Registry, tag: &str) -> String {
    format!("{}/{REPOSITORY}:{tag}", registry.addr)
}

/// How a registry is reached as it wants to be.
pub(super) fn options(registry: &Registry, keychain: Keychain) -> Result<Options> {
    let certificates: std::io::Result<Vec<Vec<u8>>> = registry.ca_file.iter().map(fs::read).collect();
    Ok(Options {
        keychain,
        ca_certificates: certificates?,
        tls: insecure(registry.ca_file.is_none()),
        ..Options::default()
    })
}

pub(super) fn store(registry: &Registry, options: Options, image: &str) -> Result<RegistryStore> {
    let image = image
        .parse()
        .with_context(|| format!("an image of {}", registry.addr))?;
    Ok(RegistryStore::new(client::Registry::new(options)?, image)?)
}

fn insecure(insecure: bool) -> Tls {
    Tls {
        insecure,
        skip_verify: false,
    }
}

/// The image is there, and what its name stands for has this digest.
pub(super) fn exists(store: &RegistryStore, digest: &Digest) -> Result<()> {
    let found = store.exists()?;
    let expected = Existence::Exists {
        digest: digest.clone(),
    };
    ensure!(
        found == expected,
        "{}: {found:?}, expected {digest}",
        store.image()
    );
    Ok(())
}

/// There is no answer, for this reason, and these words are in it or in its help.
pub(super) fn is(kind: ErrorKind, words: &str, found: Result<Existence, RegistryError>) -> Result<()> {
    match found {
        Err(error) if error.kind() == kind && format!("{error}; {}", error.help()).contains(words) => Ok(()),
        other => bail!("expected {kind:?} with `{words}`, but there is {other:?}"),
    }
}
