//! The `PreflightValidation` resource: does every Module have its image for a kernel to come?

use serde::Deserialize;
use serde::Serialize;

use super::ObjectMeta;
use super::null;

/// What to check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec {
    /// The kernel to come.
    #[serde(deserialize_with = "null::or_default")]
    pub kernel_version: String,
    /// Whether images built for the check are pushed.
    #[serde(deserialize_with = "null::or_default")]
    pub push_built_image: bool,
}

/// How a check stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VerificationStatus {
    /// The image is there.
    Success,
    /// The image is not there.
    Failure,
    /// Not yet known.
    InProgress,
}

/// How far a check has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VerificationStage {
    /// The image is being looked for.
    Image,
    /// Finished.
    Done,
}

/// The state of the check of one Module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModuleStatus {
    /// How it stands.
    pub verification_status: VerificationStatus,
    /// Why, in words.
    #[serde(
        default,
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub status_reason: String,
    /// How far it has come.
    pub verification_stage: VerificationStage,
    /// When it last changed (RFC 3339); written as `null` where it is not known.
    #[serde(
        default,
        serialize_with = "null::when_blank",
        deserialize_with = "null::or_default"
    )]
    pub last_transition_time: String,
}

/// `kmm.sigs.x-k8s.io/v1beta1`: deprecated, one map of states.
pub mod v1beta1 {
    use std::collections::BTreeMap;

    use super::Deserialize;
    use super::ObjectMeta;
    use super::Serialize;
    use super::null;

    pub use super::ModuleStatus;
    pub use super::Spec;
    pub use super::VerificationStage;
    pub use super::VerificationStatus;

    /// Does every Module have its image for a kernel to come? Cluster-scoped.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    pub struct PreflightValidation {
        /// `kmm.sigs.x-k8s.io/v1beta1`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub api_version: String,
        /// `PreflightValidation`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub kind: String,
        /// Name.
        pub metadata: ObjectMeta,
        /// What to check.
        #[serde(deserialize_with = "null::or_default")]
        pub spec: Spec,
        /// What was found.
        #[serde(deserialize_with = "null::or_default")]
        pub status: Status,
    }

    /// What was found.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    pub struct Status {
        /// State of each Module, by `namespace/name` and, for old readers, by `name`.
        #[serde(
            skip_serializing_if = "BTreeMap::is_empty",
            deserialize_with = "null::without_nulls"
        )]
        pub cr_statuses: BTreeMap<String, ModuleStatus>,
    }
}

/// `kmm.sigs.x-k8s.io/v1beta2`: a list of states.
pub mod v1beta2 {
    use super::Deserialize;
    use super::ObjectMeta;
    use super::Serialize;
    use super::null;

    pub use super::ModuleStatus;
    pub use super::Spec;
    pub use super::VerificationStage;
    pub use super::VerificationStatus;

    /// Does every Module have its image for a kernel to come? Cluster-scoped.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    pub struct PreflightValidation {
        /// `kmm.sigs.x-k8s.io/v1beta2`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub api_version: String,
        /// `PreflightValidation`.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub kind: String,
        /// Name.
        pub metadata: ObjectMeta,
        /// What to check.
        #[serde(deserialize_with = "null::or_default")]
        pub spec: Spec,
        /// What was found.
        #[serde(deserialize_with = "null::or_default")]
        pub status: Status,
    }

    /// What was found.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(default)]
    pub struct Status {
        /// State of each Module.
        #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
        pub modules: Vec<NamedModuleStatus>,
    }

    /// The state of the check of one Module, with its name.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct NamedModuleStatus {
        /// Name of the Module.
        pub name: String,
        /// Namespace of the Module.
        pub namespace: String,
        /// Its state.
        #[serde(flatten)]
        pub status: ModuleStatus,
    }
}
