//! Images wherever they lie, with what the command line and the environment say about registries.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::api::TlsOptions;
use kmm_oci::ImageName;
use kmm_oci::ImageStore;
use kmm_oci::Progress;
use kmm_oci::Reference;
use kmm_oci::ScanError;
use kmm_oci::ScanOptions;
use kmm_oci::ScannedImage;
use kmm_oci::SourceError;
use kmm_oci::credentials::ConfigFile;
use kmm_oci::credentials::Keychain;
use kmm_oci::credentials::config_files;
use kmm_oci::registry::CertsD;
use kmm_oci::registry::Options;
use kmm_oci::registry::Proxy;
use kmm_oci::registry::RegistriesConf;
use kmm_oci::registry::Registry;
use kmm_oci::registry::RegistryStore;
use kmm_oci::registry::Tls;
use kmm_oci::registry::registries_files;

use crate::cli::RegistryAccess;
use crate::input;
use crate::printer::Printer;
use crate::progress::ProgressLine;
use crate::pull_secrets;

/// The label of nodes that says what they are built as, in Go's words.
const ARCHITECTURE: &str = "kubernetes.io/arch";

/// What the names of archives end in.
const ARCHIVES: [&str; 5] = [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz"];

/// The architecture of the nodes that a Module selects, where its selector names one: a node pulls the image of its own.
pub fn architecture(selector: &BTreeMap<String, String>) -> Option<&str> {
    selector.get(ARCHITECTURE).map(String::as_str)
}

/// The most that a file of CA certificates may have: the bundles of distributions have a quarter of it.
const CA_BYTES: u64 = 1 << 20;

/// Opens images.
///
/// What reaching registries needs is read when the first image of one is opened: a folder is checked without it.
#[derive(Debug)]
pub struct ImageSource<'a> {
    arguments: &'a RegistryAccess,
    reached: Mutex<Reached>,
    progress: Arc<Progress>,
}

/// What was needed so far to reach registries.
#[derive(Debug, Default)]
struct Reached {
    /// Read once: a file may be a pipe, which has nothing the second time.
    options: Option<Options>,
    /// Connections and tokens are shared by all images that may be reached in the same way.
    stores: Vec<(Tls, RegistryStore)>,
}

/// What a text of the command line names.
///
/// The name of a file is the name of an image in a registry, too: where both could be meant, neither is taken.
///
/// # Errors
///
/// When it names no image, or a file with the name of an archive is there and nothing says whether that is meant.
pub fn reference(text: &str) -> Result<Reference> {
    let reference: Reference = text.parse()?;
    let in_registry = matches!(reference, Reference::Registry(_)) && !text.starts_with("docker://");
    let is_archive = ARCHIVES.iter().any(|ending| text.ends_with(ending));
    if in_registry && is_archive && Path::new(text).is_file() {
        bail!(
            "`{text}` is a file here: say `oci-archive:{text}` or `docker-archive:{text}` for it, or `docker://{text}` for an \
             image of this name in a registry"
        );
    }
    Ok(reference)
}

impl<'a> ImageSource<'a> {
    pub fn new(arguments: &'a RegistryAccess) -> Self {
        Self {
            arguments,
            reached: Mutex::default(),
            progress: Arc::default(),
        }
    }

    /// Shows how much was read, until what it gives is dropped.
    pub fn show_progress(&self, printer: &Printer) -> ProgressLine {
        ProgressLine::start(&self.progress, printer)
    }

    /// Reads an image to its end. `tls` is what its Module allows, beside what the command line does. Of several images
    /// for several platforms, that for `architecture` is read, unless the options ask for one.
    ///
    /// # Errors
    ///
    /// As [`kmm_oci::scan()`].
    pub fn scan(
        &self,
        reference: &Reference,
        tls: &TlsOptions,
        architecture: Option<&str>,
        options: &ScanOptions<'_>,
    ) -> Result<ScannedImage, ScanError> {
        let mut options = options.clone();
        if let Some(architecture) = architecture {
            architecture.clone_into(&mut options.preferred.architecture);
        }
        options.progress = Some(Arc::clone(&self.progress));
        kmm_oci::scan_reference(reference, &options, |name| {
            let store = self.store(name, tls).map_err(|error| SourceError::Refused {
                place: name.to_string(),
                reason: format!("{error:#}"),
            })?;
            Ok(Box::new(store) as Box<dyn ImageStore>)
        })
    }

    /// An image in a registry.
    ///
    /// # Errors
    ///
    /// When a file with credentials, certificates or mirrors cannot be read.
    pub fn store(&self, name: &ImageName, tls: &TlsOptions) -> Result<RegistryStore> {
        let allowed = self.allowed(tls);
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        let Reached { options, stores } = &mut *reached;
        if let Some((_, store)) = stores.iter().find(|(tls, _)| *tls == allowed) {
            return Ok(store.with_image(name.clone()));
        }
        let options = match options {
            Some(options) => options,
            None => options.insert(self.options()?),
        };
        let registry = Registry::new(Options {
            tls: allowed,
            ..options.clone()
        })?;
        let store = RegistryStore::new(registry, name.clone())?;
        stores.push((allowed, store.with_image(name.clone())));
        Ok(store)
    }

    fn allowed(&self, tls: &TlsOptions) -> Tls {
        Tls {
            insecure: tls.insecure || self.arguments.plain_http,
            skip_verify: tls.insecure_skip_tls_verify || self.arguments.skip_tls_verify,
        }
    }

    /// All but what each Module allows for itself.
    fn options(&self) -> Result<Options> {
        let variable = |name: &str| env::var_os(name);
        let mut registries = RegistriesConf::default();
        for file in registries_files(&variable).context("could not list registries.conf.d")? {
            registries.read(&file)?;
        }
        let certificates = self.arguments.ca_file.iter();
        let certificates =
            certificates.map(|path| input::read(path, CA_BYTES).map(|file| file.text.into_bytes()));
        Ok(Options {
            keychain: self.keychain()?,
            ca_certificates: certificates.collect::<Result<_>>()?,
            certs_d: CertsD::from_variables(&variable),
            registries,
            proxy: Proxy::from_variables(&variable),
            ..Options::default()
        })
    }

    fn keychain(&self) -> Result<Keychain> {
        let secrets = pull_secrets::read(&self.arguments.pull_secret)?;
        Ok(self.files()?.with_pull_secrets(secrets))
    }

    /// The credentials that docker and podman keep.
    fn files(&self) -> Result<Keychain> {
        if let Some(file) = &self.arguments.auth_file {
            return Ok(Keychain::anonymous().with_file(ConfigFile::read(file)?));
        }
        let files = config_files(&|name| env::var_os(name));
        let mut there = files.iter().filter(|file| is_there(file));
        there.try_fold(Keychain::anonymous(), |keychain, file| {
            Ok(keychain.with_file(ConfigFile::read(file)?))
        })
    }
}

/// A file that may not be looked at is there: reading it says why it cannot be used.
fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}
