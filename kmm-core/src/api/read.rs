//! Strict reading: what a person wrote, as Kubernetes would store it, and what is odd about it.

use serde::de::DeserializeOwned;
use thiserror::Error;

use super::ManagedClusterModule;
use super::Module;
use super::ModuleBuildSignConfig;
use super::ModuleImagesConfig;
use super::NodeModulesConfig;
use super::v1beta1;
use super::v1beta2;
use crate::diag::Diagnostic;
use crate::document::Node;
use crate::schema;
use crate::schema::Report;
use crate::schema::Resource;

/// A type for the objects of one resource.
pub trait Object: DeserializeOwned {
    /// The resource.
    const RESOURCE: Resource;
}

impl Object for Module {
    const RESOURCE: Resource = Resource::Module;
}

impl Object for NodeModulesConfig {
    const RESOURCE: Resource = Resource::NodeModulesConfig;
}

impl Object for ModuleImagesConfig {
    const RESOURCE: Resource = Resource::ModuleImagesConfig;
}

impl Object for ModuleBuildSignConfig {
    const RESOURCE: Resource = Resource::ModuleBuildSignConfig;
}

impl Object for v1beta1::PreflightValidation {
    const RESOURCE: Resource = Resource::PreflightValidationV1beta1;
}

impl Object for v1beta2::PreflightValidation {
    const RESOURCE: Resource = Resource::PreflightValidation;
}

impl Object for ManagedClusterModule {
    const RESOURCE: Resource = Resource::ManagedClusterModule;
}

/// An object that was read, and what the schema says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Read<T> {
    /// The object as it is stored: unknown fields dropped, defaults filled in.
    pub object: T,
    /// Faults, unknown and duplicate fields, each with its path.
    pub report: Report,
}

/// An object of one of the resources.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AnyObject {
    /// `Module`.
    Module(Box<Module>),
    /// `NodeModulesConfig`.
    NodeModulesConfig(Box<NodeModulesConfig>),
    /// `ModuleImagesConfig`.
    ModuleImagesConfig(Box<ModuleImagesConfig>),
    /// `ModuleBuildSignConfig`.
    ModuleBuildSignConfig(Box<ModuleBuildSignConfig>),
    /// `PreflightValidation` of `v1beta1`.
    PreflightValidationV1beta1(Box<v1beta1::PreflightValidation>),
    /// `PreflightValidation` of `v1beta2`.
    PreflightValidation(Box<v1beta2::PreflightValidation>),
    /// `ManagedClusterModule`.
    ManagedClusterModule(Box<ManagedClusterModule>),
}

/// An object could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is of none of the kinds that are known.
    #[error("{}", .0.message)]
    Kind(Box<Diagnostic>),
    /// A value is of another type than the field, so that there is no such object.
    #[error("cannot be read as {}", .resource.kind())]
    Type {
        /// What it was read as.
        resource: Resource,
        /// What is wrong, each with its path.
        report: Box<Report>,
        /// The value that could not be read, where the report does not say: one that the schema lets pass, such as a
        /// number beyond 32 bits.
        source: Option<serde_json::Error>,
    },
}

/// Reads `node` as an object of one type.
///
/// A null in a list is read as the zero value, as Go does. Faults that leave the object readable (a required field missing, a name not allowed) are in the report.
///
/// # Errors
///
/// [`ReadError::Type`] where a value is of another type than its field, or is none of those that the type knows.
///
/// # Example: a field that nobody knows
///
/// ```
/// use kmm_core::api;
/// use kmm_core::document::Node;
///
/// let node: Node = serde_json::from_str(r#"{
///     "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module", "metadata": {"name": "nic"},
///     "spec": {"selector": {}, "moduleLoadr": {}}
/// }"#).unwrap();
/// let read = api::read::<api::Module>(&node).unwrap();
/// assert_eq!(read.object.metadata.name, "nic");
/// assert_eq!(read.report.unknown[0].to_string(), "spec.moduleLoadr");
/// ```
pub fn read<T: Object>(node: &Node) -> Result<Read<T>, ReadError> {
    let report = schema::check(T::RESOURCE, node);
    // The types would take a list for an object, so what the schema says of types comes first.
    let read = schema::decodable(T::RESOURCE, &report).map(serde_json::from_value);
    match read {
        Some(Ok(object)) => Ok(Read { object, report }),
        failed => Err(ReadError::Type {
            resource: T::RESOURCE,
            report: Box::new(report),
            source: failed.and_then(Result::err),
        }),
    }
}

/// Reads `node` as what its `apiVersion` and `kind` say.
///
/// # Errors
///
/// [`ReadError::Kind`] where they name no resource of the operator, else as [`read`].
pub fn read_any(node: &Node) -> Result<Read<AnyObject>, ReadError> {
    match schema::identify(node).map_err(ReadError::Kind)? {
        Resource::Module => boxed(node, AnyObject::Module),
        Resource::NodeModulesConfig => boxed(node, AnyObject::NodeModulesConfig),
        Resource::ModuleImagesConfig => boxed(node, AnyObject::ModuleImagesConfig),
        Resource::ModuleBuildSignConfig => boxed(node, AnyObject::ModuleBuildSignConfig),
        Resource::PreflightValidationV1beta1 => boxed(node, AnyObject::PreflightValidationV1beta1),
        Resource::PreflightValidation => boxed(node, AnyObject::PreflightValidation),
        Resource::ManagedClusterModule => boxed(node, AnyObject::ManagedClusterModule),
    }
}

fn boxed<T: Object>(node: &Node, wrap: fn(Box<T>) -> AnyObject) -> Result<Read<AnyObject>, ReadError> {
    let Read { object, report } = read::<T>(node)?;
    Ok(Read {
        object: wrap(Box::new(object)),
        report,
    })
}
