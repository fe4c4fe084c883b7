//! What decides, and for which object.

use std::fmt;

use serde::Serialize;

use crate::resolve::ModuleName;

/// One controller and one object of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Key {
    /// [`assign`](crate::reconcile::assign) for a node.
    Assign(String),
    /// [`node_modules`](crate::reconcile::node_modules) for a node.
    NodeModules(String),
    /// [`plugin_labels`](crate::reconcile::plugin_labels) for a node.
    PluginLabels(String),
    /// [`module`](crate::reconcile::module) for a Module.
    Module(ModuleName),
    /// [`images`](crate::reconcile::images) for a Module.
    Images(ModuleName),
    /// [`device_plugin`](crate::reconcile::device_plugin) for a Module.
    DevicePlugin(ModuleName),
    /// [`namespace`](crate::reconcile::namespace) for a namespace.
    Namespace(String),
}

impl Key {
    /// The controller.
    pub fn controller(&self) -> &'static str {
        match self {
            Self::Assign(_) => "assign",
            Self::NodeModules(_) => "node-modules",
            Self::PluginLabels(_) => "plugin-labels",
            Self::Module(_) => "module",
            Self::Images(_) => "images",
            Self::DevicePlugin(_) => "device-plugin",
            Self::Namespace(_) => "namespace",
        }
    }

    /// The Module; `None` where it is about a node or a namespace.
    pub fn module(&self) -> Option<&ModuleName> {
        match self {
            Self::Module(name) | Self::Images(name) | Self::DevicePlugin(name) => Some(name),
            Self::Assign(_) | Self::NodeModules(_) | Self::PluginLabels(_) | Self::Namespace(_) => None,
        }
    }

    /// The node; `None` where it is about a Module or a namespace.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Assign(node) | Self::NodeModules(node) | Self::PluginLabels(node) => Some(node),
            Self::Module(_) | Self::Images(_) | Self::DevicePlugin(_) | Self::Namespace(_) => None,
        }
    }
}

impl fmt::Display for Key {
    /// `assign node-1`, `images drivers/acme-nic`, `namespace drivers`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.controller())?;
        match self {
            Self::Assign(name)
            | Self::NodeModules(name)
            | Self::PluginLabels(name)
            | Self::Namespace(name) => write!(f, " {name}"),
            Self::Module(name) | Self::Images(name) | Self::DevicePlugin(name) => {
                write!(f, " {}/{}", name.namespace, name.name)
            }
        }
    }
}
