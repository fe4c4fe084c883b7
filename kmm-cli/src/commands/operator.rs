//! `kmm operator`.

use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::document;
use kmm_core::document::Limits;
use kmm_core::reconcile::ConfigError;
use kmm_core::reconcile::OperatorConfig;
use kmm_kube::operator;
use kmm_kube::operator::Settings;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::LogFormat;
use crate::cli::LogLevel;
use crate::cli::Operator;
use crate::exit::ExitStatus;
use crate::input;
use crate::printer::Printer;

/// Most bytes that a configuration may have: what a ConfigMap holds.
const CONFIG_BYTES: u64 = 1 << 20;

/// The variable that names the image of the worker, as with the Go operator.
const WORKER_IMAGE: &str = "RELATED_IMAGE_WORKER";

pub fn run(arguments: &Operator, printer: &Printer) -> Result<ExitStatus> {
    let config = match &arguments.config {
        Some(path) => read_config(path)?,
        None => OperatorConfig::default(),
    };
    let unsupported = operator::unsupported(&config);
    if !unsupported.is_empty() {
        bail!("the configuration cannot be met: {}", list(&unsupported));
    }
    let worker_image = arguments.worker_image.clone();
    let worker_image = worker_image.or_else(|| std::env::var(WORKER_IMAGE).ok());
    let Some(worker_image) = worker_image.filter(|image| !image.is_empty()) else {
        bail!("no image of the worker: give --worker-image, or set {WORKER_IMAGE}");
    };
    log(arguments);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("could not start the runtime")?;
    let settings = Settings { config, worker_image };
    runtime.block_on(async {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stop = async {
            // Either of them; the other is dropped.
            let mut asked = Box::pin(terminate.recv());
            let mut broken = Box::pin(interrupt.recv());
            std::future::poll_fn(|context| {
                if asked.as_mut().poll(context).is_ready() {
                    return std::task::Poll::Ready(());
                }
                broken.as_mut().poll(context).map(drop)
            })
            .await;
        };
        let client = operator::connect(arguments.kubeconfig.as_deref(), arguments.context.as_deref()).await?;
        operator::run(client, settings, stop).await?;
        anyhow::Ok(())
    })?;
    printer.notice("kmm operator: stopped");
    Ok(ExitStatus::Yes)
}

/// Reads a configuration; every fault is told, with its key.
fn read_config(path: &Path) -> Result<OperatorConfig> {
    let source = input::read(path, CONFIG_BYTES)?;
    let stream = document::read(&source.text, &Limits::default());
    if let Some(found) = stream.findings.first() {
        bail!("`{}`: {}", source.name, found.diagnostic);
    }
    let [document] = stream.documents.as_slice() else {
        bail!(
            "`{}` has {} documents and has to have one",
            source.name,
            stream.documents.len()
        );
    };
    match OperatorConfig::read(&document.root.to_json()) {
        Ok(config) => Ok(config),
        Err(errors) => bail!("`{}` is no configuration: {}", source.name, list(&errors)),
    }
}

fn list(errors: &[ConfigError]) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.join("; ")
}

fn log(arguments: &Operator) {
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
