//! How to talk to the registry of the image.

use crate::api::TlsOptions;

use super::origin::Origins;
use super::origin::Source;

/// The mapping's as a whole where it has any, else the container's.
pub(super) fn merge(
    container: &TlsOptions,
    mapping: Option<&TlsOptions>,
    origins: &mut Origins,
) -> TlsOptions {
    match mapping {
        Some(_) if *container != TlsOptions::default() => origins.add_noted(
            "registryTLS",
            Source::Mapping,
            "replaces the container's as a whole",
        ),
        Some(_) => origins.add("registryTLS", Source::Mapping),
        None if *container == TlsOptions::default() => origins.add("registryTLS", Source::Unset),
        None => origins.add("registryTLS", Source::Container),
    }
    mapping.unwrap_or(container).clone()
}
