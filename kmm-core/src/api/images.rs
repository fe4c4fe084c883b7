//! The `ModuleImagesConfig` resource: the images that a Module needs, and whether they exist.

use serde::Deserialize;
use serde::Serialize;

use super::Build;
use super::LocalObjectReference;
use super::ObjectMeta;
use super::Sign;
use super::TlsOptions;
use super::Toleration;
use super::null;

/// The images that a Module needs, and whether they exist; namespaced, named as the Module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModuleImagesConfig {
    /// `kmm.sigs.x-k8s.io/v1beta1`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `ModuleImagesConfig`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Name, namespace.
    pub metadata: ObjectMeta,
    /// The images to look for.
    #[serde(deserialize_with = "null::or_default")]
    pub spec: ModuleImagesConfigSpec,
    /// What was found.
    #[serde(deserialize_with = "null::or_default")]
    pub status: ModuleImagesConfigStatus,
}

/// The images to look for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModuleImagesConfigSpec {
    /// One entry for each image name.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub images: Vec<ModuleImageSpec>,
    /// Secret with the registry credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_repo_secret: Option<LocalObjectReference>,
    /// When to pull.
    #[serde(deserialize_with = "null::or_default")]
    pub image_pull_policy: String,
    /// Whether a built image is pushed.
    #[serde(deserialize_with = "null::or_default")]
    pub push_built_image: bool,
    /// The rebuild counter of the Module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_rebuild_trigger_generation: Option<i64>,
    /// Tolerations of the pods that pull, build and sign.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub tolerations: Vec<Toleration>,
}

/// An image to look for, and how to make it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModuleImageSpec {
    /// The image.
    #[serde(deserialize_with = "null::or_default")]
    pub image: String,
    /// The kernel it is for.
    #[serde(deserialize_with = "null::or_default")]
    pub kernel_version: String,
    /// How to build it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// How to sign its modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign: Option<Sign>,
    /// Whether a missing image is a final answer, even where nothing can make it.
    #[serde(skip_serializing_if = "null::is_false", deserialize_with = "null::or_default")]
    pub skip_wait_missing_image: bool,
    /// How to talk to the registry.
    #[serde(rename = "registryTLS", skip_serializing_if = "Option::is_none")]
    pub registry_tls: Option<TlsOptions>,
    /// Folder in the image that holds `lib/modules/<kernel>`.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub dir_name: String,
}

/// What was found of the images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModuleImagesConfigStatus {
    /// One entry for each image that something is known of; entries with a state that nobody knows are not read.
    #[serde(serialize_with = "null::when_empty", deserialize_with = "null::known_items")]
    pub images_states: Vec<ModuleImageState>,
    /// The value of the rebuild counter that was applied last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_rebuild_trigger_generation: Option<i64>,
}

/// What is known of one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleImageState {
    /// The image.
    pub image: String,
    /// What is known.
    pub status: ImageState,
}

/// What is known of an image; no entry means that it is being looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ImageState {
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
    /// It has to be built.
    NeedsBuilding,
    /// It has to be signed.
    NeedsSigning,
}
