//! The CustomResourceDefinitions, made from the schemas of [`kmm_core::schema`].
//!
//! The schemas by which manifests are checked offline are those that a cluster gets: there is no second source.

use kmm_core::schema;
use kmm_core::schema::Resource;
use serde_json::Value;
use serde_json::json;

/// What is installed where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Install {
    /// A cluster whose nodes get modules.
    Cluster,
    /// A hub, which hands Modules out to other clusters.
    Hub,
}

/// How the API server turns a PreflightValidation of one version into the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Conversion {
    /// It changes `apiVersion` and leaves the rest. The specifications are the same; a status is seen only through the
    /// version in which it is stored, `v1beta2`.
    #[default]
    ApiVersionOnly,
    /// It asks a webhook.
    Webhook(WebhookService),
}

/// The Service of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookService {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// One kind, with its versions; the last one is stored.
struct Definition {
    versions: &'static [Resource],
    short_name: Option<&'static str>,
}

const MODULE: Definition = Definition {
    versions: &[Resource::Module],
    short_name: None,
};
const NODE_MODULES_CONFIG: Definition = Definition {
    versions: &[Resource::NodeModulesConfig],
    short_name: Some("nmc"),
};
const MODULE_IMAGES_CONFIG: Definition = Definition {
    versions: &[Resource::ModuleImagesConfig],
    short_name: Some("mic"),
};
const MODULE_BUILD_SIGN_CONFIG: Definition = Definition {
    versions: &[Resource::ModuleBuildSignConfig],
    short_name: Some("mbsc"),
};
const PREFLIGHT_VALIDATION: Definition = Definition {
    versions: &[
        Resource::PreflightValidationV1beta1,
        Resource::PreflightValidation,
    ],
    short_name: Some("pfv"),
};
const MANAGED_CLUSTER_MODULE: Definition = Definition {
    versions: &[Resource::ManagedClusterModule],
    short_name: None,
};

/// The CustomResourceDefinitions that are installed on a cluster or on a hub.
///
/// # Example: the kinds of a cluster
///
/// ```
/// use kmm_kube::crd::{self, Conversion, Install};
///
/// let crds = crd::definitions(Install::Cluster, &Conversion::default());
/// assert_eq!(crds.len(), 5);
/// assert_eq!(crds[0]["metadata"]["name"], "modules.kmm.sigs.x-k8s.io");
/// ```
pub fn definitions(install: Install, conversion: &Conversion) -> Vec<Value> {
    let kinds: &[&Definition] = match install {
        Install::Cluster => &[
            &MODULE,
            &NODE_MODULES_CONFIG,
            &MODULE_IMAGES_CONFIG,
            &MODULE_BUILD_SIGN_CONFIG,
            &PREFLIGHT_VALIDATION,
        ],
        Install::Hub => &[
            &MANAGED_CLUSTER_MODULE,
            &MODULE_IMAGES_CONFIG,
            &MODULE_BUILD_SIGN_CONFIG,
        ],
    };
    kinds.iter().map(|kind| kind.to_json(conversion)).collect()
}

impl Definition {
    fn to_json(&self, conversion: &Conversion) -> Value {
        // Every kind has a version, and all its versions share the rest.
        let stored = self.versions[self.versions.len() - 1];
        let (group, _) = split(stored);
        let singular = stored.kind().to_lowercase();
        let mut names = json!({
            "kind": stored.kind(),
            "listKind": format!("{}List", stored.kind()),
            "plural": stored.plural(),
            "singular": singular,
        });
        if let Some(short) = self.short_name {
            names["shortNames"] = json!([short]);
        }
        let versions: Vec<Value> = self
            .versions
            .iter()
            .map(|version| served(*version, *version == stored))
            .collect();
        let mut spec = json!({
            "group": group,
            "names": names,
            "scope": if stored.namespaced() { "Namespaced" } else { "Cluster" },
            "versions": versions,
        });
        if self.versions.len() > 1
            && let Conversion::Webhook(service) = conversion
        {
            spec["conversion"] = webhook(service);
        }
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{}.{group}", stored.plural())},
            "spec": spec,
        })
    }
}

fn served(version: Resource, stored: bool) -> Value {
    let mut out = json!({
        "name": split(version).1,
        "schema": {"openAPIV3Schema": schema::openapi(version)},
        "served": true,
        "storage": stored,
        "subresources": {"status": {}},
    });
    if !stored {
        out["deprecated"] = json!(true);
    }
    out
}

fn webhook(service: &WebhookService) -> Value {
    let WebhookService { namespace, name } = service;
    json!({
        "strategy": "Webhook",
        "webhook": {
            "clientConfig": {"service": {"name": name, "namespace": namespace, "path": "/convert"}},
            "conversionReviewVersions": ["v1beta2", "v1beta1"],
        },
    })
}

/// Group and version.
fn split(resource: Resource) -> (&'static str, &'static str) {
    let api_version = resource.api_version();
    api_version.split_once('/').unwrap_or(("", api_version))
}
