//! `kmm operator`, and what it shares with `kmm webhook`.

use std::hash::BuildHasher;
use std::hash::RandomState;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::diag::Part;
use kmm_core::document;
use kmm_core::document::Limits;
use kmm_core::reconcile::ConfigError;
use kmm_core::reconcile::OperatorConfig;
use kmm_kube::operator;
use kmm_kube::operator::Settings;
use kmm_oci::registry::CertsD;
use kmm_oci::registry::Options;
use kmm_oci::registry::Proxy;
use kmm_oci::registry::RegistriesConf;
use kmm_oci::registry::registries_files;
use tokio::runtime::Runtime;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::LogFormat;
use crate::cli::LogLevel;
use crate::cli::Operator;
use crate::cli::Server;
use crate::exit::ExitStatus;
use crate::input;
use crate::printer::Printer;

/// Most bytes that a configuration may have: what a ConfigMap holds.
const CONFIG_BYTES: u64 = 1 << 20;

/// The variable that names the image of the worker, as with the Go operator.
const WORKER_IMAGE: &str = "RELATED_IMAGE_WORKER";
/// The variable that names the namespace of the operator, as with the Go operator.
const NAMESPACE: &str = "OPERATOR_NAMESPACE";

pub fn run(arguments: &Operator, printer: &Printer) -> Result<ExitStatus> {
    let config = config(&arguments.server)?;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let worker_image = arguments.worker_image.clone();
    let worker_image = worker_image.or_else(|| variable(WORKER_IMAGE));
    let Some(worker_image) = worker_image.filter(|image| !image.is_empty()) else {
        bail!("no image of the worker: give --worker-image, or set {WORKER_IMAGE}");
    };
    let settings = Settings {
        config,
        worker_image,
        namespace: variable(NAMESPACE),
        identity: identity(),
        registries: registries()?,
    };
    log(&arguments.server);
    runtime()?.block_on(async {
        let stop = stop()?;
        let connection = operator::connect(
            arguments.server.kubeconfig.as_deref(),
            arguments.server.context.as_deref(),
        )
        .await?;
        operator::run(connection, settings, stop).await?;
        anyhow::Ok(())
    })?;
    printer.notice("kmm operator: stopped");
    Ok(ExitStatus::Yes)
}

/// The configuration; without a file all is as by default.
pub(super) fn config(arguments: &Server) -> Result<OperatorConfig> {
    match &arguments.config {
        Some(path) => read_config(path),
        None => Ok(OperatorConfig::default()),
    }
}

/// Reads a configuration; every fault is told, with its key.
fn read_config(path: &Path) -> Result<OperatorConfig> {
    let source = input::read(path, CONFIG_BYTES)?;
    parse_config(&source.name, &source.text)
}

/// The same, from text of some place.
pub(super) fn parse_config(name: &str, text: &str) -> Result<OperatorConfig> {
    let stream = document::read(text, &Limits::default());
    if let Some(found) = stream.findings.first() {
        bail!(
            "`{name}`{}: {}",
            place(text, &found.diagnostic.part),
            found.diagnostic
        );
    }
    let document = match stream.documents.as_slice() {
        [document] => document,
        [] => bail!("`{name}` is empty: write `{{}}` to have all as by default"),
        several => bail!("`{name}` has {} documents and has to have one", several.len()),
    };
    match OperatorConfig::read(&document.root.to_json()) {
        Ok(config) => Ok(config),
        Err(errors) => bail!("`{name}` is no configuration: {}", list(&errors)),
    }
}

/// Where broken YAML is broken; a fault of a field names the field.
fn place(text: &str, part: &Part) -> String {
    let Part::Source(bytes) = part else {
        return String::new();
    };
    let before = text.get(..bytes.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    format!(", line {line}, column {column}")
}

fn list(errors: &[ConfigError]) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.join("; ")
}

/// The way to registries: what the container has been given for it.
fn registries() -> Result<Options> {
    let variable = |name: &str| std::env::var_os(name);
    let mut registries = RegistriesConf::default();
    for file in registries_files(&variable).context("could not list registries.conf.d")? {
        registries.read(&file)?;
    }
    Ok(Options {
        certs_d: CertsD::from_variables(&variable),
        registries,
        proxy: Proxy::from_variables(&variable),
        ..Options::default()
    })
}

/// The name of the machine, which in a pod is that of the pod, and a number that no other process has.
fn identity() -> String {
    let system = rustix::system::uname();
    let number = RandomState::new().hash_one(std::process::id());
    format!("{}_{number:016x}", system.nodename().to_string_lossy())
}

pub(super) fn runtime() -> Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    // It waits for the API server most of the time. Each thread more has memory of its own.
    builder
        .worker_threads(2)
        .enable_all()
        .build()
        .context("could not start the runtime")
}

/// Ready when the process is asked to end.
pub(super) fn stop() -> Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

pub(super) fn log(arguments: &Server) {
    let level = match arguments.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // What the libraries below have to say is of use only where something goes wrong.
    let targets = Targets::new()
        .with_default(LevelFilter::WARN)
        // It says that a request failed, and not why; that is told where the request is made.
        .with_target("kube_client::client::builder", LevelFilter::OFF)
        .with_target("kmm_kube", level);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let registry = tracing_subscriber::registry().with(targets);
    match arguments.log_format {
        LogFormat::Text => registry.with(layer).init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).init(),
    }
}
