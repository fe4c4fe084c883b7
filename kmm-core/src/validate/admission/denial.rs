//! A fault for which a webhook refuses, and its place in the order of the webhook's checks.

use crate::api::ModuleLoaderContainerSpec;
use crate::api::ModuleSpec;
use crate::diag::Diagnostic;
use crate::path::FieldPath;
use crate::validate::Findings;
use crate::validate::Kind;
use crate::validate::Rule;
use crate::validate::Subject;

/// A fault for which a webhook refuses an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Denial {
    /// The finding; its message is that of the check alone.
    pub diagnostic: Diagnostic,
    /// The whole message of the webhook: that of the check behind those of the steps that led to it.
    pub message: String,
}

/// Finds the faults of one rule.
pub(super) type Find = fn(&Subject<'_>, &mut Denials);

/// The steps of the webhooks, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Version,
    Name,
    Tolerations,
    Dra,
    DraVolumes,
    DevicePluginVolumes,
    KernelMappings,
    Modprobe,
    FilesToSign,
    Preflight,
}

impl Step {
    fn prefix(self) -> &'static str {
        match self {
            Self::Version | Self::Name | Self::FilesToSign | Self::Preflight => "",
            Self::Tolerations => "failed to validate Module's tolerations: ",
            Self::Dra => "failed to validate DRA: ",
            Self::DraVolumes => "failed to validate DRA volumes: ",
            Self::DevicePluginVolumes => "failed to validate device plugin volumes: ",
            Self::KernelMappings => "failed to validate kernel mappings: ",
            Self::Modprobe => "failed to validate modprobe: ",
        }
    }
}

/// When a webhook makes a check: its step, then the item of the list that the step goes through, then the check on
/// that item.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    step: Step,
    item: usize,
    check: usize,
}

impl Turn {
    pub(super) fn new(step: Step, item: usize, check: usize) -> Self {
        Self { step, item, check }
    }
}

/// The faults found so far.
#[derive(Default)]
pub(super) struct Denials {
    found: Vec<(Turn, Denial)>,
}

impl Denials {
    /// Adds a fault of `rule` in the field at `path`.
    pub(super) fn deny(
        &mut self,
        rule: &Rule,
        turn: Turn,
        path: FieldPath,
        text: impl Into<String>,
    ) -> &mut Diagnostic {
        let text = text.into();
        let message = format!("{}{text}", turn.step.prefix());
        let diagnostic = rule.finding(path, text).refused();
        self.found.push((turn, Denial { diagnostic, message }));
        let last = self.found.len() - 1;
        &mut self.found[last].1.diagnostic
    }

    /// The faults, in the order of the webhook's checks.
    pub(super) fn in_order(mut self) -> Vec<Denial> {
        self.found.sort_by_key(|(turn, _)| *turn);
        self.found.into_iter().map(|(_, denial)| denial).collect()
    }
}

/// The `check` function of a rule that has `find`.
pub(super) fn check(find: Find, subject: &Subject<'_>, findings: &mut Findings) {
    let mut denials = Denials::default();
    find(subject, &mut denials);
    for denial in denials.in_order() {
        findings.push(denial.diagnostic);
    }
}

/// The module spec, where `subject` has one.
pub(super) fn module_spec<'a>(subject: &Subject<'a>) -> Option<&'a ModuleSpec> {
    match subject.kind {
        Kind::Module | Kind::ManagedClusterModule => Some(&subject.module?.spec),
        Kind::PreflightValidation | Kind::ConfigMap => None,
    }
}

/// The container of the module loader, where `subject` has one.
pub(super) fn container<'a>(subject: &Subject<'a>) -> Option<&'a ModuleLoaderContainerSpec> {
    Some(&module_spec(subject)?.module_loader.as_ref()?.container)
}
