//! What the registries say of the images.

use std::sync::Mutex;
use std::sync::PoisonError;

use anyhow::Result;
use kmm_core::api::Sign;
use kmm_core::api::TlsOptions;
use kmm_core::image;
use kmm_core::image::Finding;
use kmm_core::image::Subject;
use kmm_core::preflight::Existence;
use kmm_core::preflight::Facts;
use kmm_core::preflight::Fit;
use kmm_core::resolve::ModuleName;
use kmm_core::resolve::ResolveError;
use kmm_core::resolve::Resolved;
use kmm_oci::ImageName;
use kmm_oci::Reference;
use kmm_oci::ScanError;
use kmm_oci::ScanOptions;
use kmm_oci::ScannedImage;
use kmm_oci::registry;

use crate::cli::Preflight;
use crate::commands::image as images;
use crate::image_source::ImageSource;
use crate::image_source::architecture;
use crate::kernel_facts::Known;
use crate::printer::Printer;
use crate::progress::ProgressLine;
use crate::render::chain;

/// Questions that registries are asked at once.
const QUESTIONS: usize = 8;

/// Images that are read at once: each takes its share of memory, and reads several layers at once itself.
const SCANS: usize = 2;

/// A Module, and what its mappings say of a kernel.
#[derive(Debug)]
pub struct Candidate {
    pub module: ModuleName,
    pub kernel: String,
    pub outcome: Result<Resolved, ResolveError>,
}

/// Answers of registries; each is asked once about an image.
#[derive(Debug)]
pub struct Registries<'a> {
    offline: bool,
    images: ImageSource<'a>,
    options: ScanOptions<'static>,
    known: &'a Known,
    asked: Mutex<Vec<(String, TlsOptions, Existence)>>,
}

impl<'a> Registries<'a> {
    /// What is asked, and how, as the command line says.
    ///
    /// # Errors
    ///
    /// When a certificate cannot be read, or there is no such platform.
    pub fn new(arguments: &'a Preflight, known: &'a Known) -> Result<Self> {
        Ok(Self {
            offline: arguments.offline,
            images: ImageSource::new(&arguments.registry),
            options: images::scan_options(arguments.platform.as_deref(), &arguments.certificates)?,
            known,
            asked: Mutex::default(),
        })
    }

    /// How much was read of the images.
    pub fn show_progress(&self, printer: &Printer) -> ProgressLine {
        self.images.show_progress(printer)
    }

    /// The facts about each of the Modules, in their order. An image that several name is asked for and read once.
    pub fn facts(&self, candidates: &[Candidate]) -> Vec<Facts> {
        let resolved = candidates
            .iter()
            .filter_map(|candidate| candidate.outcome.as_ref().ok());
        let images = resolved.clone().map(|resolved| {
            let image = resolved.container_image.as_str();
            (image, &resolved.registry_tls)
        });
        self.ask_all(images);
        let unsigned = resolved
            .filter_map(|resolved| self.to_sign(resolved))
            .map(|sign| (sign.unsigned_image.as_str(), &sign.unsigned_image_registry_tls));
        self.ask_all(unsigned);
        let mut facts: Vec<Facts> = candidates
            .iter()
            .map(|candidate| self.existence(candidate))
            .collect();
        // Those of one image stand together, the first of them first.
        let mut groups: Vec<Vec<(usize, &Resolved)>> = Vec::new();
        for (number, (candidate, facts)) in candidates.iter().zip(&facts).enumerate() {
            let (Ok(resolved), Existence::Present) = (&candidate.outcome, &facts.image) else {
                continue;
            };
            let is_same = |group: &&mut Vec<(usize, &Resolved)>| {
                let first = group.first();
                first.is_some_and(|(_, first)| same_image(first, resolved))
            };
            match groups.iter_mut().find(is_same) {
                Some(group) => group.push((number, resolved)),
                None => groups.push(vec![(number, resolved)]),
            }
        }
        let read = kmm_files::on_threads(&groups, SCANS, || (), |group, ()| self.fits(group));
        for (number, fit) in read.into_iter().flatten() {
            if let Some(facts) = facts.get_mut(number) {
                facts.fit = fit;
            }
        }
        facts
    }

    /// Reads the image that all of these name.
    fn fits(&self, group: &[(usize, &Resolved)]) -> Vec<(usize, Fit)> {
        let Some((_, first)) = group.first() else {
            return Vec::new();
        };
        let scanned = self.scan(first);
        let fits = group
            .iter()
            .map(|(number, resolved)| (*number, self.fit(&scanned, resolved)));
        fits.collect()
    }

    /// Whether the images of a Module are there; of the unsigned one that counts only where it would be signed.
    fn existence(&self, candidate: &Candidate) -> Facts {
        let mut facts = Facts {
            image: Existence::NotAsked,
            unsigned: Existence::NotAsked,
            fit: Fit::NotChecked,
        };
        let Ok(resolved) = &candidate.outcome else {
            return facts;
        };
        if resolved.container_image.is_empty() {
            return facts;
        }
        facts.image = self.exists(&resolved.container_image, &resolved.registry_tls);
        if let Some(sign) = self.to_sign(resolved) {
            facts.unsigned = self.exists(&sign.unsigned_image, &sign.unsigned_image_registry_tls);
        }
        facts
    }

    /// What would be signed, where the image is not there and nothing else makes it.
    fn to_sign<'r>(&self, resolved: &'r Resolved) -> Option<&'r Sign> {
        let sign = resolved.sign.as_ref()?;
        let counts = resolved.build.is_none() && !sign.unsigned_image.is_empty();
        let absent = || {
            !resolved.container_image.is_empty()
                && self.exists(&resolved.container_image, &resolved.registry_tls) == Existence::Absent
        };
        (counts && absent()).then_some(sign)
    }

    /// Asks for all of these, several at once; [`exists`](Self::exists) has the answers then.
    pub fn ask_all<'i>(&self, images: impl Iterator<Item = (&'i str, &'i TlsOptions)>) {
        let mut wanted: Vec<(&str, &TlsOptions)> = Vec::new();
        for (image, tls) in images {
            if !image.is_empty() && !wanted.contains(&(image, tls)) {
                wanted.push((image, tls));
            }
        }
        kmm_files::on_threads(
            &wanted,
            QUESTIONS,
            || (),
            |(image, tls), ()| {
                self.exists(image, tls);
            },
        );
    }

    /// Whether an image is there.
    pub fn exists(&self, image: &str, tls: &TlsOptions) -> Existence {
        if self.offline {
            return Existence::NotAsked;
        }
        let asked = || self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let known = asked()
            .iter()
            .find(|(name, allowed, _)| name == image && allowed == tls)
            .map(|(_, _, found)| found.clone());
        if let Some(known) = known {
            return known;
        }
        let found = self.ask(image, tls);
        asked().push((image.to_owned(), tls.clone(), found.clone()));
        found
    }

    fn ask(&self, image: &str, tls: &TlsOptions) -> Existence {
        let name: ImageName = match image.parse() {
            Ok(name) => name,
            Err(error) => return Existence::Unknown(format!("{error}")),
        };
        match self.images.store(&name, tls) {
            Err(error) => Existence::Unknown(format!("{error:#}")),
            Ok(store) => match store.exists() {
                Ok(registry::Existence::Exists { .. }) => Existence::Present,
                Ok(registry::Existence::Missing) => Existence::Absent,
                Err(error) => Existence::Unknown(format!("{error} ({})", error.help())),
            },
        }
    }

    fn scan(&self, resolved: &Resolved) -> Result<ScannedImage, ScanError> {
        let name = resolved.container_image.parse().map(Reference::Registry);
        let name =
            name.map_err(
                |error: kmm_oci::reference::ImageNameError| kmm_oci::SourceError::Refused {
                    place: resolved.container_image.clone(),
                    reason: error.to_string(),
                },
            )?;
        let architecture = architecture(&resolved.selector);
        self.images
            .scan(&name, &resolved.registry_tls, architecture, &self.options)
    }

    fn fit(&self, scanned: &Result<ScannedImage, ScanError>, resolved: &Resolved) -> Fit {
        let scanned = match scanned {
            Ok(scanned) => scanned,
            Err(error) if error.is_answer() => return Fit::DoesNotFit(vec![chain(error)]),
            Err(error) => return Fit::Unknown(chain(error)),
        };
        let report = image::check(
            &scanned.tree,
            &scanned.facts(),
            &Subject {
                kernel: &resolved.kernel,
                modprobe: &resolved.modprobe,
                in_tree_to_remove: resolved.in_tree_modules_to_remove.as_deref().unwrap_or_default(),
                abi: self.known.abi.as_ref(),
                in_tree: self.known.in_tree.as_ref(),
                wants_signature: self.options.verifier.is_some(),
            },
        );
        let line = |found: &Finding| format!("{} {}: {}", found.code, found.path, found.message);
        let lines = |wanted: fn(&Finding) -> bool| -> Vec<String> {
            report
                .findings
                .iter()
                .filter(|found| wanted(found))
                .map(line)
                .collect()
        };
        match report.fit {
            image::Fit::Fits => Fit::Fits,
            image::Fit::DoesNotFit => {
                Fit::DoesNotFit(lines(|found| found.severity == kmm_core::diag::Severity::Error))
            }
            image::Fit::Unknown => Fit::Unknown(lines(|found| found.in_doubt).join("; ")),
        }
    }
}

/// Whether what is read of one image is what is read of the other.
fn same_image(one: &Resolved, other: &Resolved) -> bool {
    one.container_image == other.container_image
        && one.registry_tls == other.registry_tls
        && architecture(&one.selector) == architecture(&other.selector)
}
