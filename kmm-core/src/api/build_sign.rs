//! The `ModuleBuildSignConfig` resource: the images to build and sign.

use serde::Deserialize;
use serde::Serialize;

use super::LocalObjectReference;
use super::ModuleImageSpec;
use super::ObjectMeta;
use super::Toleration;
use super::null;

/// The images to build and sign; namespaced, named as the ModuleImagesConfig.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModuleBuildSignConfig {
    /// `kmm.sigs.x-k8s.io/v1beta1`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `ModuleBuildSignConfig`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Name, namespace.
    pub metadata: ObjectMeta,
    /// What to build and sign.
    #[serde(deserialize_with = "null::or_default")]
    pub spec: ModuleBuildSignConfigSpec,
    /// How it went.
    #[serde(deserialize_with = "null::or_default")]
    pub status: ModuleBuildSignConfigStatus,
}

/// What to build and sign.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModuleBuildSignConfigSpec {
    /// One entry for each image name.
    #[serde(serialize_with = "null::when_empty", deserialize_with = "null::or_default")]
    pub images: Vec<BuildSignImageSpec>,
    /// Secret with the registry credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_repo_secret: Option<LocalObjectReference>,
    /// Whether a built image is pushed.
    #[serde(deserialize_with = "null::or_default")]
    pub push_built_image: bool,
    /// Tolerations of the pods.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub tolerations: Vec<Toleration>,
}

/// An image to build or sign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildSignImageSpec {
    /// The image, and how to make it.
    #[serde(flatten)]
    pub image: ModuleImageSpec,
    /// What to do.
    pub action: BuildSignAction,
}

/// What to do with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BuildSignAction {
    /// Build it.
    BuildImage,
    /// Sign its modules.
    SignImage,
}

/// How building and signing went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModuleBuildSignConfigStatus {
    /// One entry for each image that was worked on.
    #[serde(serialize_with = "null::when_empty", deserialize_with = "null::or_default")]
    pub images: Vec<BuildSignImageState>,
}

/// How building or signing of one image went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildSignImageState {
    /// The image.
    pub image: String,
    /// How it went.
    pub status: BuildSignStatus,
    /// What was done.
    pub action: BuildSignAction,
}

/// How building or signing went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BuildSignStatus {
    /// Well.
    Success,
    /// Badly.
    Failure,
}
