//! One thing that stands between a Module and a node.

use std::fmt;

use serde::Serialize;

/// One thing that stands between a Module and a node, and whether it is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// Which one.
    pub gate: GateKind,
    /// Whether it is open.
    pub status: Status,
    /// Why, in one line.
    pub reason: String,
    /// Changes each of which opens it, the likeliest first; empty where it is open, or where no single change does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
}

/// What a gate is about. The order is that in which they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum GateKind {
    /// The labels that `spec.selector` asks for.
    Selector,
    /// Taints and tolerations.
    Taints,
    /// Whether the node can run pods.
    Readiness,
    /// The mapping that takes the node's kernel.
    Mapping,
    /// The templates of that mapping.
    Template,
    /// The name of the image that comes out.
    Image,
    /// The version labels of ordered upgrade.
    Version,
    /// The processor architecture of the node.
    Architecture,
}

/// Whether a gate is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Open.
    Pass,
    /// Shut.
    Fail,
    /// Neither: worth knowing, or not to be told.
    Note,
}

/// A change that opens a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// What it does, in one line.
    pub summary: String,
    /// What `text` is.
    pub medium: Medium,
    /// The change itself, to be taken as it is.
    pub text: String,
}

/// What the text of a [`Remedy`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Medium {
    /// A command for a shell.
    Command,
    /// YAML for the manifest of the Module.
    Manifest,
}

impl Gate {
    pub(super) fn new(gate: GateKind, status: Status, reason: impl Into<String>) -> Self {
        Self {
            gate,
            status,
            reason: reason.into(),
            remedies: Vec::new(),
        }
    }

    pub(super) fn or(mut self, summary: impl Into<String>, medium: Medium, text: impl Into<String>) -> Self {
        self.remedies.push(Remedy {
            summary: summary.into(),
            medium,
            text: text.into(),
        });
        self
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.gate, self.reason)?;
        for remedy in &self.remedies {
            write!(f, "\n     help: {}", remedy.summary)?;
            for line in remedy.text.lines() {
                write!(f, "\n       {line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for GateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Selector => "selector",
            Self::Taints => "taints",
            Self::Readiness => "readiness",
            Self::Mapping => "mapping",
            Self::Template => "template",
            Self::Image => "image",
            Self::Version => "version",
            Self::Architecture => "architecture",
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::Note => "note",
        })
    }
}
