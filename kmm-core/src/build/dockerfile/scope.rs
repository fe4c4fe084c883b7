//! Which names a place sees.

use super::Dockerfile;
use super::Use;
use super::shell;

/// Whether a used name is known where it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// An `ARG` or `ENV` of the stage, or of one it starts from, stands above.
    Declared,
    /// The script sets it itself.
    Shell,
    /// The stage declares it, but further down.
    Later,
    /// The stage does not declare it.
    Undeclared,
}

impl Dockerfile {
    /// Whether the name of `found` is known where it is used.
    pub fn visibility(&self, found: &Use) -> Visibility {
        let Some(instruction) = self.instructions.get(found.instruction) else {
            return Visibility::Undeclared;
        };
        let declared = |later: bool| {
            self.arguments.iter().chain(&self.environment).any(|argument| {
                let reaches = match (instruction.keyword.as_str(), instruction.stage, argument.stage) {
                    ("FROM", _, None) | (_, None, None) => true,
                    ("FROM", _, Some(_)) => false,
                    (_, Some(here), Some(there)) => self.descends(here, there),
                    (_, Some(_), None) | (_, None, Some(_)) => false,
                };
                reaches
                    && argument.name.text == found.name
                    && (later || argument.instruction < found.instruction)
            })
        };
        if declared(false) {
            Visibility::Declared
        } else if matches!(
            instruction.keyword.as_str(),
            "RUN" | "CMD" | "ENTRYPOINT" | "HEALTHCHECK" | "SHELL"
        ) && shell::assigns(&instruction.text, &found.name)
        {
            Visibility::Shell
        } else if declared(true) {
            Visibility::Later
        } else {
            Visibility::Undeclared
        }
    }
}
