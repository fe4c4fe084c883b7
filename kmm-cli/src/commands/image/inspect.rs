//! `kmm image inspect`.

use std::fmt::Write;

use anyhow::Result;
use kmm_core::api::TlsOptions;
use kmm_core::image;
use kmm_core::image::ModuleFile;
use kmm_core::image::ModuleFolder;
use kmm_core::image::Unread;
use kmm_core::modprobe::module_of_file;
use kmm_oci::Reference;
use kmm_oci::ScannedImage;
use serde::Serialize;

use crate::cli::ImageInspect;
use crate::exit::ExitStatus;
use crate::image_source;
use crate::image_source::ImageSource;
use crate::printer::Printer;
use crate::render::chain;
use crate::render::printable;

use super::answer::Signature;
use super::scan_options;

#[derive(Serialize)]
struct Answer {
    version: u32,
    images: Vec<Image>,
}

#[derive(Serialize)]
struct Image {
    image: String,
    digest: Option<String>,
    platform: Option<String>,
    created: Option<String>,
    layers: Vec<Layer>,
    folders: Vec<Folder>,
}

#[derive(Serialize)]
struct Layer {
    digest: Option<String>,
    size: Option<u64>,
    entries: usize,
    bytes: u64,
}

#[derive(Serialize)]
struct Folder {
    path: String,
    kernel: Option<String>,
    modules: Vec<Module>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Module {
    path: String,
    name: String,
    version: Option<String>,
    vermagic: Option<String>,
    architecture: Option<String>,
    license: Option<String>,
    depends: Vec<String>,
    firmware: Vec<String>,
    compression: Option<String>,
    signature: Option<Signature>,
    error: Option<String>,
}

pub fn run(arguments: &ImageInspect, printer: &Printer) -> Result<ExitStatus> {
    let options = scan_options(arguments.platform.as_deref(), &arguments.certificates)?;
    let references: Vec<Reference> = arguments
        .images
        .iter()
        .map(|image| image_source::reference(image))
        .collect::<Result<_>>()?;
    let source = ImageSource::new(&arguments.registry);
    let (mut images, mut status) = (Vec::new(), ExitStatus::Yes);
    for (name, reference) in arguments.images.iter().zip(&references) {
        let line = source.show_progress(printer);
        let scanned = source.scan(reference, &TlsOptions::default(), None, &options);
        drop(line);
        match scanned {
            Ok(scanned) => images.push(describe(name, &scanned)),
            // That there is no such image is an answer, and the others can still be shown.
            Err(error) if error.is_answer() => {
                printer.notice(&printable(&format!("kmm: {}", chain(&error))));
                status = ExitStatus::No;
            }
            Err(error) => return Err(error.into()),
        }
    }
    match arguments.output.structured() {
        Some(format) => printer.document(format, &Answer { version: 1, images })?,
        None => printer.data(&images.iter().map(text).collect::<String>())?,
    }
    Ok(status)
}

fn describe(name: &str, scanned: &ScannedImage) -> Image {
    let sizes = scanned.tree.layers().iter().enumerate().map(|(number, size)| {
        let layer = scanned.layers.get(number);
        Layer {
            digest: layer.map(|layer| layer.digest.to_string()),
            size: layer.map(|layer| layer.size),
            entries: size.entries,
            bytes: size.bytes,
        }
    });
    Image {
        image: name.to_owned(),
        digest: scanned.digest.as_ref().map(ToString::to_string),
        platform: scanned.platform.as_ref().map(ToString::to_string),
        created: scanned.config.as_ref().and_then(|config| config.created.clone()),
        layers: sizes.collect(),
        folders: image::module_folders(&scanned.tree)
            .into_iter()
            .map(folder)
            .collect(),
    }
}

fn folder(folder: ModuleFolder<'_>) -> Folder {
    let modules = folder.modules.into_iter();
    Folder {
        path: folder.path,
        kernel: folder.kernel,
        modules: modules.map(|(path, file)| module(path, file)).collect(),
    }
}

fn module(path: String, file: Result<&ModuleFile, Unread>) -> Module {
    let name = module_of_file(&path).unwrap_or_default();
    let (object, error) = match file.map(ModuleFile::object) {
        Ok(Ok(object)) => (Some(object), None),
        Ok(Err(error)) => (None, Some(error.to_string())),
        Err(unread) => (None, Some(unread.to_string())),
    };
    let info = object.as_ref().map(|object| &object.info);
    let signature = object.as_ref().and_then(|object| object.signature.as_ref());
    let verification = file.ok().and_then(ModuleFile::verification);
    Module {
        name,
        version: info.and_then(|info| info.value("version")).map(Into::into),
        vermagic: info
            .and_then(|info| info.value("vermagic"))
            .map(|magic| magic.trim_end().to_owned()),
        architecture: object.as_ref().map(|object| object.machine.to_string()),
        license: info.and_then(|info| info.value("license")).map(Into::into),
        depends: info.map(kmm_core::kmod::ModuleInfo::depends).unwrap_or_default(),
        firmware: info
            .map(|info| info.values("firmware").map(Into::into).collect())
            .unwrap_or_default(),
        compression: file.ok().map(|file| file.compression().to_string()),
        signature: signature.map(|signature| {
            let signer = String::from_utf8_lossy(&signature.signer).into_owned();
            Signature::new(signer, signature.shown_key_id(), verification)
        }),
        error,
        path,
    }
}

fn text(image: &Image) -> String {
    let mut out = printable(&image.image);
    for part in [&image.platform, &image.digest].into_iter().flatten() {
        let _ = write!(out, " {}", printable(part));
    }
    let bytes: u64 = image.layers.iter().map(|layer| layer.bytes).sum();
    let layers = image.layers.len();
    let _ = writeln!(
        out,
        "\n{layers} layer{}, {} KiB of files",
        if layers == 1 { "" } else { "s" },
        bytes.div_ceil(1024)
    );
    if image.folders.is_empty() {
        out.push_str("no modules\n");
    }
    for folder in &image.folders {
        let kernel = folder.kernel.as_ref().map(|kernel| format!(" (kernel {kernel})"));
        let line = format!("\n{}{}", folder.path, kernel.unwrap_or_default());
        let _ = writeln!(out, "\n{}", printable(line.trim_start()));
        for module in &folder.modules {
            let _ = writeln!(out, "  {}", printable(&line_of(module)));
        }
    }
    out.push('\n');
    out
}

fn line_of(module: &Module) -> String {
    let mut line = module.name.clone();
    if let Some(error) = &module.error {
        let _ = write!(line, ": {error}");
        return line;
    }
    for part in [&module.version, &module.architecture].into_iter().flatten() {
        let _ = write!(line, " {part}");
    }
    if let Some(magic) = &module.vermagic {
        let _ = write!(line, ", for `{magic}`");
    }
    match &module.signature {
        None => line.push_str(", not signed"),
        Some(signature) => {
            let _ = write!(
                line,
                ", signed by `{}` with key {}",
                signature.signer, signature.key_id
            );
            if let Some(detail) = &signature.detail {
                let _ = write!(line, " ({detail})");
            }
        }
    }
    line
}
