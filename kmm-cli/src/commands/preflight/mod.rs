//! `kmm preflight`.

mod answer;
mod facts;
mod text;

use anyhow::Result;
use kmm_core::api::TlsOptions;
use kmm_core::kernel::KernelVersion;
use kmm_core::preflight;
use kmm_core::preflight::Needs;
use kmm_core::preflight::Purpose;
use kmm_core::preflight::Reason;
use kmm_core::preflight::State;
use kmm_core::preflight::Verdict;
use kmm_core::resolve::ModuleName;
use kmm_core::resolve::Resolved;

use crate::cli::Preflight;
use crate::exit::ExitStatus;
use crate::kernel_facts;
use crate::manifests;
use crate::manifests::Loaded;
use crate::printer::Printer;

use answer::Answer;
use answer::Base;
use answer::Build;
use answer::How;
use answer::Judged;
use facts::Candidate;
use facts::Registries;

pub fn run(arguments: &Preflight, printer: &Printer) -> Result<ExitStatus> {
    let known = kernel_facts::read(&arguments.facts, printer)?;
    let mut kernels: Vec<KernelVersion> = Vec::new();
    for kernel in arguments.kernels.iter().map(KernelVersion::new) {
        if !kernels.contains(&kernel) {
            kernels.push(kernel);
        }
    }
    known.fits(&kernels)?;
    let loaded = manifests::load(&arguments.manifests, printer)?;
    let candidates: Vec<Candidate> = kernels
        .iter()
        .flat_map(|kernel| loaded.modules.iter().map(move |compiled| (kernel, compiled)))
        .map(|(kernel, compiled)| Candidate {
            module: ModuleName {
                name: compiled.name().to_owned(),
                namespace: compiled.namespace().to_owned(),
            },
            kernel: kernel.raw().to_owned(),
            outcome: compiled.resolve(kernel),
        })
        .collect();
    let registries = Registries::new(arguments, &known)?;
    let line = registries.show_progress(printer);
    let facts = registries.facts(&candidates);
    drop(line);
    let mut answer = Answer::new(&kernels);
    let verdicts: Vec<Verdict> = candidates
        .iter()
        .zip(facts)
        .map(|(candidate, facts)| preflight::decide(candidate.outcome.as_ref(), &facts))
        .collect();
    let to_build: Vec<Option<ToBuild<'_>>> = candidates
        .iter()
        .zip(&verdicts)
        .map(|(candidate, verdict)| to_build(candidate, verdict, &loaded))
        .collect();
    registries.ask_all(to_build.iter().flatten().flat_map(ToBuild::bases));
    for ((candidate, verdict), made) in candidates.iter().zip(&verdicts).zip(to_build) {
        if let Some(made) = made {
            answer.add_build(build(candidate, &made, &registries));
        }
        answer.modules.push(Judged::new(candidate, verdict));
    }
    let status = status(&answer);
    match arguments.output.structured() {
        Some(format) => printer.document(format, &answer)?,
        None => {
            printer.data(&text::answer(&answer))?;
            for kernel in &answer.kernels {
                printer.notice(&text::summary(&answer, kernel));
            }
        }
    }
    Ok(status)
}

/// "No" is certain, whatever else could not be told.
fn status(answer: &Answer) -> ExitStatus {
    let any = |state: State| answer.modules.iter().any(|judged| judged.state == state);
    if any(State::WillNotLoad) || any(State::MustBeBuilt) {
        ExitStatus::No
    } else if any(State::Unknown) {
        ExitStatus::Unanswered
    } else {
        ExitStatus::Yes
    }
}

/// An image that the operator makes.
struct ToBuild<'a> {
    resolved: &'a Resolved,
    how: How,
    needs: Needs,
}

fn to_build<'a>(candidate: &'a Candidate, verdict: &Verdict, loaded: &Loaded) -> Option<ToBuild<'a>> {
    let resolved = candidate.outcome.as_ref().ok()?;
    if verdict.state != State::MustBeBuilt {
        return None;
    }
    let config_map = resolved
        .build
        .as_ref()
        .and_then(|build| build.dockerfile_config_map.as_ref());
    let dockerfile = config_map.and_then(|named| loaded.dockerfile(&candidate.module.namespace, &named.name));
    Some(ToBuild {
        resolved,
        how: match verdict.reason {
            Reason::Sign => How::Sign,
            _ => How::Build,
        },
        needs: preflight::needs(resolved, dockerfile),
    })
}

impl ToBuild<'_> {
    /// What it starts from, and how that is reached.
    fn bases(&self) -> impl Iterator<Item = (&str, &TlsOptions)> {
        let needs = self.needs.images.iter();
        needs
            .filter(|need| need.purpose != Purpose::Kmod)
            .map(|need| (need.image.as_str(), self.tls(need.purpose)))
    }

    fn tls(&self, purpose: Purpose) -> &TlsOptions {
        const STRICT: &TlsOptions = &TlsOptions {
            insecure: false,
            insecure_skip_tls_verify: false,
        };
        let (sign, build) = (&self.resolved.sign, &self.resolved.build);
        let allowed = match purpose {
            Purpose::Unsigned => sign.as_ref().map(|sign| &sign.unsigned_image_registry_tls),
            _ => build.as_ref().map(|build| &build.base_image_registry_tls),
        };
        allowed.unwrap_or(STRICT)
    }
}

/// What the operator makes, and what it starts from.
fn build(candidate: &Candidate, made: &ToBuild<'_>, registries: &Registries<'_>) -> Build {
    let mut build = Build {
        image: made.resolved.container_image.clone(),
        gaps: made.needs.gaps.iter().map(ToString::to_string).collect(),
        needed_by: vec![candidate.module.clone()],
        ..Build::new(made.how, &candidate.kernel)
    };
    for need in &made.needs.images {
        if need.purpose != Purpose::Kmod {
            let found = registries.exists(&need.image, made.tls(need.purpose));
            build
                .from
                .push(Base::new(need.image.clone(), need.purpose, &found));
        }
    }
    build
}
