//! Wire types of every custom resource, with exactly the JSON that the Go operator reads and writes.
//!
//! Surprises:
//! - Go writes nil slices and pointers of fields declared without `omitempty` as `null`; so do these types, and they
//!   read `null` as absent.
//! - `inTreeModulesToRemove` tells absent from empty: an empty list on a mapping replaces the list of the container.
//! - An empty `imagePullPolicy` is stored as `""`; the CRD default `IfNotPresent` never applies to what the operator
//!   wrote.
//! - Go writes structs whatever is in them, so `registryTLS`, `resources` and the parts of a status are `{}` at least.
//! - Go leaves out empty lists declared with `omitempty`, so an empty `modulesLoadingOrder` does not survive writing.
//! - Parts that the engine never reads (volumes, environment, resources, device selectors) stay JSON values.
//!
//! These types accept unknown fields, as a Go client does. For what a person wrote, use
//! [`read`]: it reports unknown and duplicate fields with their path.

mod build_sign;
mod convert;
mod hub;
mod images;
mod meta;
mod module;
mod nodemodules;
mod null;
mod preflight;
mod read;

pub use build_sign::BuildSignAction;
pub use build_sign::BuildSignImageSpec;
pub use build_sign::BuildSignImageState;
pub use build_sign::BuildSignStatus;
pub use build_sign::ModuleBuildSignConfig;
pub use build_sign::ModuleBuildSignConfigSpec;
pub use build_sign::ModuleBuildSignConfigStatus;
pub use hub::ManagedClusterModule;
pub use hub::ManagedClusterModuleSpec;
pub use hub::ManagedClusterModuleStatus;
pub use images::ImageState;
pub use images::ModuleImageSpec;
pub use images::ModuleImageState;
pub use images::ModuleImagesConfig;
pub use images::ModuleImagesConfigSpec;
pub use images::ModuleImagesConfigStatus;
pub use meta::LocalObjectReference;
pub use meta::ObjectMeta;
pub use meta::OwnerReference;
pub use meta::Toleration;
pub use module::Build;
pub use module::BuildArg;
pub use module::CommonContainerSpec;
pub use module::DaemonSetStatus;
pub use module::DeviceClassSpec;
pub use module::DevicePluginSpec;
pub use module::DraSpec;
pub use module::KanikoParams;
pub use module::KernelMapping;
pub use module::ModprobeArgs;
pub use module::ModprobeSpec;
pub use module::Module;
pub use module::ModuleLoaderContainerSpec;
pub use module::ModuleLoaderSpec;
pub use module::ModuleSpec;
pub use module::ModuleStatus;
pub use module::Sign;
pub use module::TlsOptions;
pub use nodemodules::ModuleConfig;
pub use nodemodules::NodeModuleSpec;
pub use nodemodules::NodeModuleStatus;
pub use nodemodules::NodeModulesConfig;
pub use nodemodules::NodeModulesConfigSpec;
pub use nodemodules::NodeModulesConfigStatus;
pub use preflight::v1beta1;
pub use preflight::v1beta2;
pub use read::AnyObject;
pub use read::Object;
pub use read::Read;
pub use read::ReadError;
pub use read::read;
pub use read::read_any;

/// API group of every kind but the hub's.
pub const GROUP: &str = "kmm.sigs.x-k8s.io";

/// API group of [`ManagedClusterModule`].
pub const HUB_GROUP: &str = "hub.kmm.sigs.x-k8s.io";

/// `apiVersion` of [`Module`] and of the other kinds of [`GROUP`], but [`v1beta2`].
pub const V1BETA1: &str = "kmm.sigs.x-k8s.io/v1beta1";

/// `apiVersion` of [`v1beta2::PreflightValidation`].
pub const V1BETA2: &str = "kmm.sigs.x-k8s.io/v1beta2";

/// `apiVersion` of [`ManagedClusterModule`].
pub const HUB_V1BETA1: &str = "hub.kmm.sigs.x-k8s.io/v1beta1";
