//! `kmm crds`.

use anyhow::Result;
use kmm_kube::crd;
use kmm_kube::crd::Conversion;
use kmm_kube::crd::Install;
use kmm_kube::crd::WebhookService;
use serde_json::json;

use crate::cli::Crds;
use crate::cli::ObjectsFormat;
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::printer::Structured;

pub fn run(arguments: &Crds, printer: &Printer) -> Result<ExitStatus> {
    let install = if arguments.hub {
        Install::Hub
    } else {
        Install::Cluster
    };
    let conversion = match &arguments.webhook {
        None => Conversion::ApiVersionOnly,
        Some((namespace, name)) => Conversion::Webhook(WebhookService {
            namespace: namespace.clone(),
            name: name.clone(),
        }),
    };
    let definitions = crd::definitions(install, &conversion);
    match arguments.output {
        ObjectsFormat::Yaml => {
            for definition in &definitions {
                printer.bytes(b"---\n")?;
                printer.document(Structured::Yaml, definition)?;
            }
        }
        ObjectsFormat::Json => {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": definitions});
            printer.document(Structured::Json, &list)?;
        }
    }
    Ok(ExitStatus::Yes)
}
