//! For tests of decisions: plans as short lines.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Action;
use super::Part;
use super::Plan;

/// A plan as lines: what is done, in its order, then why, then when it is asked again.
pub(super) fn lines(plan: &Plan) -> Vec<String> {
    let again = plan
        .requeue_after
        .map(|wait| format!("again in {} s", wait.as_secs()));
    let reasons = plan.reasons.iter().map(|reason| {
        // Every cause can be told.
        assert!(reason.to_string().len() > reason.cause.code().len());
        format!("because {}", reason.cause.code())
    });
    let actions = plan.actions.iter().map(action);
    actions.chain(reasons).chain(again).collect()
}

fn action(action: &Action) -> String {
    match action {
        Action::Create { object } => format!(
            "create {} {}",
            object["kind"].as_str().unwrap_or_default(),
            object["metadata"]["name"].as_str().unwrap_or_default()
        ),
        Action::Patch {
            target, part, patch, ..
        } => match part {
            Part::Object => format!("patch {} {} {patch}", target.kind, target.name),
            Part::Status => format!("status {} {} {}", target.kind, target.name, patch["status"]),
        },
        Action::Delete { target, .. } => format!("delete {} {}", target.kind, target.name),
        Action::Event(event) => format!("event {}", event.reason),
        Action::AskRegistry(question) => format!("ask {}", question.image),
    }
}

/// Reads an object of a test.
pub(super) fn read<T: DeserializeOwned>(object: Value) -> T {
    serde_json::from_value(object).unwrap()
}

/// Compares a plan with what a table says.
pub(super) fn assert_lines(situation: &str, plan: &Plan, wanted: &[&str]) {
    assert_eq!(lines(plan), wanted, "{situation}");
    assert!(!plan.reasons.is_empty(), "{situation}: no reason");
}
