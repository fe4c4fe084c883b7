//! `kmm webhook`.

use anyhow::Result;
use kmm_kube::operator;
use kmm_kube::webhook;

use crate::cli::Webhook;
use crate::exit::ExitStatus;
use crate::printer::Printer;

use super::operator::config;
use super::operator::log;
use super::operator::runtime;
use super::operator::stop;

pub fn run(arguments: &Webhook, printer: &Printer) -> Result<ExitStatus> {
    let mut config = config(&arguments.server)?;
    if let Some(folder) = &arguments.cert_dir {
        config.webhooks.cert_dir.clone_from(folder);
    }
    log(&arguments.server);
    runtime()?.block_on(async {
        let stop = stop()?;
        let server = &arguments.server;
        let connection = operator::connect(server.kubeconfig.as_deref(), server.context.as_deref()).await?;
        webhook::run(connection.client, &config, stop).await?;
        anyhow::Ok(())
    })?;
    printer.notice("kmm webhook: stopped");
    Ok(ExitStatus::Yes)
}
