//! `kmm preflight`.

mod answer;
mod facts;
mod text;

use anyhow::Result;
use kmm_core::kernel::KernelVersion;
use kmm_core::preflight;
use kmm_core::preflight::Purpose;
use kmm_core::preflight::Reason;
use kmm_core::preflight::State;
use kmm_core::resolve::ModuleName;

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
    let kernel = KernelVersion::new(&arguments.kernel);
    known.fits(std::slice::from_ref(&kernel))?;
    let loaded = manifests::load(&arguments.manifests, printer)?;
    let candidates: Vec<Candidate> = loaded
        .modules
        .iter()
        .map(|compiled| Candidate {
            module: ModuleName {
                name: compiled.name().to_owned(),
                namespace: compiled.namespace().to_owned(),
            },
            outcome: compiled.resolve(&kernel),
        })
        .collect();
    let registries = Registries::new(arguments, &known)?;
    let facts = registries.facts(&candidates);
    let mut answer = Answer::new(kernel.raw());
    for (candidate, facts) in candidates.iter().zip(facts) {
        let verdict = preflight::decide(candidate.outcome.as_ref(), &facts);
        if verdict.state == State::MustBeBuilt {
            answer.add_build(build(candidate, &verdict.reason, &registries, &loaded));
        }
        answer.modules.push(Judged::new(candidate, &verdict));
    }
    let status = status(&answer);
    match arguments.output.structured() {
        Some(format) => printer.document(format, &answer)?,
        None => {
            printer.data(&text::answer(&answer))?;
            printer.notice(&text::summary(&answer));
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

/// What the operator makes, and what it starts from.
fn build(candidate: &Candidate, reason: &Reason, registries: &Registries<'_>, loaded: &Loaded) -> Build {
    let how = match reason {
        Reason::Sign => How::Sign,
        _ => How::Build,
    };
    let mut build = Build {
        needed_by: vec![candidate.module.clone()],
        ..Build::new(how)
    };
    let Ok(resolved) = &candidate.outcome else {
        return build;
    };
    build.image.clone_from(&resolved.container_image);
    let config_map = resolved
        .build
        .as_ref()
        .and_then(|build| build.dockerfile_config_map.as_ref());
    let dockerfile = config_map.and_then(|named| loaded.dockerfile(&candidate.module.namespace, &named.name));
    let needs = preflight::needs(resolved, dockerfile);
    build.gaps = needs.gaps.iter().map(ToString::to_string).collect();
    for need in needs.images {
        let tls = match need.purpose {
            Purpose::Unsigned => resolved
                .sign
                .as_ref()
                .map(|sign| &sign.unsigned_image_registry_tls),
            _ => resolved
                .build
                .as_ref()
                .map(|build| &build.base_image_registry_tls),
        };
        if need.purpose != Purpose::Kmod {
            let found = registries.exists(&need.image, &tls.cloned().unwrap_or_default());
            build.from.push(Base::new(need.image, need.purpose, &found));
        }
    }
    build
}
