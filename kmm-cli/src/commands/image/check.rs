//! `kmm image check`.

use anyhow::Result;
use kmm_core::image;
use kmm_core::image::Fit;
use kmm_core::image::Report;
use kmm_core::image::Subject;
use kmm_core::kernel::KernelVersion;
use kmm_oci::ScanError;
use kmm_oci::ScanOptions;
use kmm_oci::ScannedImage;

use crate::cli::FindingsFormat;
use crate::cli::ImageCheck;
use crate::commands::validate;
use crate::exit::ExitStatus;
use crate::image_source::ImageSource;
use crate::kernel_facts;
use crate::kernel_facts::Known;
use crate::printer::Printer;
use crate::printer::Structured;
use crate::render::chain;

use super::answer::Answer;
use super::answer::Checked;
use super::plan;
use super::plan::Job;
use super::plan::Purpose;
use super::sarif;
use super::scan_options;
use super::text;

pub fn run(arguments: &ImageCheck, printer: &Printer) -> Result<ExitStatus> {
    if let Some(code) = &arguments.explain {
        return validate::explain(code, printer);
    }
    let known = kernel_facts::read(&arguments.facts, printer)?;
    let mut kernels: Vec<KernelVersion> = arguments.kernels.iter().map(KernelVersion::new).collect();
    if let (Some(release), true) = (&known.release, kernels.is_empty()) {
        kernels.push(KernelVersion::new(release));
    }
    known.fits(&kernels)?;
    let options = scan_options(arguments.platform.as_deref(), &arguments.certificates)?;
    let plan = plan::plan(arguments, &kernels, printer)?;
    let images = ImageSource::new(&arguments.registry);
    let mut results: Vec<Checked> = Vec::new();
    let line = images.show_progress(printer);
    for job in &plan.jobs {
        results.extend(check(job, &images, &options, &known));
    }
    drop(line);
    for unresolved in plan.unresolved {
        results.push(Checked {
            module: Some(unresolved.module),
            kernel: Some(unresolved.kernel.raw().to_owned()),
            ..Checked::new(Report::unresolved(unresolved.reason))
        });
    }
    let worst = results.iter().map(|result| result.fit).max();
    let answer = Answer { version: 1, results };
    match arguments.output {
        FindingsFormat::Json => printer.document(Structured::Json, &answer)?,
        FindingsFormat::Sarif => printer.document(Structured::Json, &sarif::log(&answer))?,
        FindingsFormat::Text => {
            printer.data(&text::results(&answer))?;
            printer.notice(&text::summary(&answer));
        }
    }
    Ok(match worst {
        Some(Fit::DoesNotFit) => ExitStatus::No,
        Some(Fit::Fits) => ExitStatus::Yes,
        Some(Fit::Unknown) | None => ExitStatus::Unanswered,
    })
}

/// Reads an image once, and checks it for all that it is to do.
fn check(job: &Job, images: &ImageSource<'_>, options: &ScanOptions<'_>, known: &Known) -> Vec<Checked> {
    let scanned = images.scan(&job.reference, &job.tls, job.architecture.as_deref(), options);
    let mut results = Vec::new();
    for purpose in &job.purposes {
        let reports = match &scanned {
            Ok(scanned) => reports(scanned, purpose, options, known),
            Err(error) => vec![(purpose.kernel.clone(), not_seen(error))],
        };
        for (kernel, report) in reports {
            let scanned = scanned.as_ref().ok();
            results.push(Checked {
                image: Some(job.image.clone()),
                digest: scanned.and_then(|image| Some(image.digest.as_ref()?.to_string())),
                platform: scanned.and_then(|image| Some(image.platform.as_ref()?.to_string())),
                module: purpose.module.clone(),
                kernel: kernel.map(|kernel| kernel.raw().to_owned()),
                ..Checked::new(report)
            });
        }
    }
    results
}

fn reports(
    scanned: &ScannedImage,
    purpose: &Purpose,
    options: &ScanOptions<'_>,
    known: &Known,
) -> Vec<(Option<KernelVersion>, Report)> {
    let kernels = match &purpose.kernel {
        Some(kernel) => vec![kernel.clone()],
        None => image::kernels(&scanned.tree, &purpose.modprobe.dir_name)
            .into_iter()
            .map(KernelVersion::new)
            .collect(),
    };
    if kernels.is_empty() {
        return vec![(
            None,
            image::without_kernel(&scanned.tree, &purpose.modprobe.dir_name),
        )];
    }
    let reports = kernels.into_iter().map(|kernel| {
        let subject = Subject {
            kernel: &kernel,
            modprobe: &purpose.modprobe,
            in_tree_to_remove: &purpose.in_tree_to_remove,
            abi: known.abi.as_ref(),
            in_tree: known.in_tree.as_ref(),
            wants_signature: options.verifier.is_some(),
        };
        let report = image::check(&scanned.tree, &scanned.facts(), &subject);
        (Some(kernel), report)
    });
    reports.collect()
}

fn not_seen(error: &ScanError) -> Report {
    let reason = chain(error);
    if error.is_answer() {
        Report::missing(reason)
    } else {
        Report::unread(reason)
    }
}
