//! Conversion between the two versions of `PreflightValidation`.
//!
//! The old version keeps its states in a map, whose keys were names of Modules once and are `namespace/name` now. To serve
//! readers of both, the old form has every state twice. Where the Go operator, reading that form, stops at the first key
//! without a namespace (in the random order of its maps, so that it loses a random part of the states), all keys with a
//! namespace are taken here, in their order.

use std::collections::BTreeMap;

use super::V1BETA1;
use super::V1BETA2;
use super::v1beta1;
use super::v1beta2;

impl From<v1beta2::PreflightValidation> for v1beta1::PreflightValidation {
    /// Gives each state twice: under `namespace/name`, and under `name`, where the last of the same name wins.
    fn from(new: v1beta2::PreflightValidation) -> Self {
        let mut cr_statuses = BTreeMap::new();
        for v1beta2::NamedModuleStatus {
            name,
            namespace,
            status,
        } in new.status.modules
        {
            cr_statuses.insert(format!("{namespace}/{name}"), status.clone());
            cr_statuses.insert(name, status);
        }
        Self {
            api_version: V1BETA1.to_owned(),
            kind: new.kind,
            metadata: new.metadata,
            spec: new.spec,
            status: v1beta1::Status { cr_statuses },
        }
    }
}

impl From<v1beta1::PreflightValidation> for v1beta2::PreflightValidation {
    /// Takes every state whose key is `namespace/name`; the others say nothing of their namespace.
    fn from(old: v1beta1::PreflightValidation) -> Self {
        let named = |(key, status): (String, v1beta1::ModuleStatus)| {
            let (namespace, name) = key.split_once('/').filter(|(_, name)| !name.contains('/'))?;
            Some(v1beta2::NamedModuleStatus {
                name: name.to_owned(),
                namespace: namespace.to_owned(),
                status,
            })
        };
        let modules = old.status.cr_statuses.into_iter().filter_map(named).collect();
        Self {
            api_version: V1BETA2.to_owned(),
            kind: old.kind,
            metadata: old.metadata,
            spec: old.spec,
            status: v1beta2::Status { modules },
        }
    }
}
