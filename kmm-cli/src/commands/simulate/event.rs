//! What may happen in a simulation.

use std::path::PathBuf;

use anyhow::Result;
use anyhow::anyhow;
use anyhow::bail;
use kmm_core::naming;
use kmm_core::resolve::ModuleName;

/// The events, and how each is written.
const FORMS: [(&str, &str); 11] = [
    ("start", "start"),
    ("reboot", "reboot NODE [kernel=KERNEL]"),
    ("cordon", "cordon NODE"),
    ("uncordon", "uncordon NODE"),
    ("label", "label NODE KEY=VALUE or label NODE KEY-"),
    ("apply", "apply FILE"),
    ("delete", "delete [NAMESPACE/]MODULE"),
    ("pull-fails", "pull-fails IMAGE"),
    ("pull-works", "pull-works IMAGE"),
    ("load-fails", "load-fails NODE [NAMESPACE/]MODULE [REASON...]"),
    ("load-works", "load-works NODE [NAMESPACE/]MODULE"),
];

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The operator starts.
    Start,
    Reboot {
        node: String,
        kernel: Option<String>,
    },
    Cordon {
        node: String,
        cordoned: bool,
    },
    Label {
        node: String,
        key: String,
        /// `None`: it is taken off.
        value: Option<String>,
    },
    Apply {
        file: PathBuf,
    },
    Delete {
        module: ModuleName,
    },
    Pull {
        image: String,
        works: bool,
    },
    Load {
        node: String,
        module: ModuleName,
        /// What the worker says; `None`: it works.
        reason: Option<String>,
    },
}

impl Event {
    /// Reads an event as the command line has it.
    ///
    /// # Errors
    ///
    /// When the words are no event, with the form that they should have.
    pub fn parse(text: &str) -> Result<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let node = |name: &str| name.to_owned();
        let no_event = || {
            let verb = words.first().unwrap_or(&"");
            match FORMS.iter().find(|(known, _)| known == verb) {
                Some((_, form)) => anyhow!("event `{text}`: {form} is the form"),
                None => anyhow!("`{text}` is no event: `kmm simulate --help` lists them"),
            }
        };
        Ok(match words.as_slice() {
            ["start"] => Self::Start,
            ["reboot", name] => Self::Reboot {
                node: node(name),
                kernel: None,
            },
            ["reboot", name, kernel] => {
                let kernel = kernel.strip_prefix("kernel=").filter(|kernel| !kernel.is_empty());
                Self::Reboot {
                    node: node(name),
                    kernel: Some(kernel.ok_or_else(no_event)?.to_owned()),
                }
            }
            [verb @ ("cordon" | "uncordon"), name] => Self::Cordon {
                node: node(name),
                cordoned: *verb == "cordon",
            },
            ["label", name, label] => {
                let (key, value) = match (label.split_once('='), label.strip_suffix('-')) {
                    (Some((key, value)), _) => (key, Some(value.to_owned())),
                    (None, Some(key)) => (key, None),
                    (None, None) => return Err(no_event()),
                };
                // As the API server would refuse them.
                let of_value = value.as_deref().map(naming::label_value);
                if let Some(reason) = naming::qualified_name(key).first() {
                    bail!("event `{text}`: `{key}` is no key of a label: {reason}");
                }
                if let Some(reason) = of_value.iter().flatten().next() {
                    bail!("event `{text}`: a label cannot have this value: {reason}");
                }
                Self::Label {
                    node: node(name),
                    key: key.to_owned(),
                    value,
                }
            }
            // A path may have spaces.
            ["apply", _, ..] => Self::Apply {
                file: PathBuf::from(after(text, 1)),
            },
            ["delete", module] => Self::Delete {
                module: module_of(module),
            },
            [verb @ ("pull-fails" | "pull-works"), image] => Self::Pull {
                image: (*image).to_owned(),
                works: *verb == "pull-works",
            },
            ["load-works", name, module] => Self::Load {
                node: node(name),
                module: module_of(module),
                reason: None,
            },
            ["load-fails", name, module, ..] => {
                let reason = after(text, 3);
                let reason = if reason.is_empty() {
                    "the kernel does not take the module"
                } else {
                    reason
                };
                Self::Load {
                    node: node(name),
                    module: module_of(module),
                    reason: Some(reason.to_owned()),
                }
            }
            _ => return Err(no_event()),
        })
    }
}

/// The text after so many words.
fn after(text: &str, words: usize) -> &str {
    let mut rest = text.trim();
    for _ in 0..words {
        rest = match rest.split_once(char::is_whitespace) {
            Some((_, rest)) => rest.trim_start(),
            None => "",
        };
    }
    rest
}

/// A Module by name, or namespace and name; an empty namespace stands for any.
fn module_of(text: &str) -> ModuleName {
    let (namespace, name) = text.split_once('/').unwrap_or(("", text));
    ModuleName {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(namespace: &str, name: &str) -> ModuleName {
        ModuleName {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    #[test]
    fn events_are_read() {
        let rows = [
            ("start", Event::Start),
            (
                "reboot n1",
                Event::Reboot {
                    node: "n1".to_owned(),
                    kernel: None,
                },
            ),
            (
                " reboot  n1 kernel=6.1.0-38-amd64",
                Event::Reboot {
                    node: "n1".to_owned(),
                    kernel: Some("6.1.0-38-amd64".to_owned()),
                },
            ),
            (
                "uncordon n1",
                Event::Cordon {
                    node: "n1".to_owned(),
                    cordoned: false,
                },
            ),
            (
                "label n1 a/b=c.d",
                Event::Label {
                    node: "n1".to_owned(),
                    key: "a/b".to_owned(),
                    value: Some("c.d".to_owned()),
                },
            ),
            (
                "label n1 a-b-",
                Event::Label {
                    node: "n1".to_owned(),
                    key: "a-b".to_owned(),
                    value: None,
                },
            ),
            (
                "apply my files/a.yaml",
                Event::Apply {
                    file: PathBuf::from("my files/a.yaml"),
                },
            ),
            (
                "delete drivers/nic",
                Event::Delete {
                    module: module("drivers", "nic"),
                },
            ),
            (
                "pull-fails r.example/a:1",
                Event::Pull {
                    image: "r.example/a:1".to_owned(),
                    works: false,
                },
            ),
            (
                "load-fails n1 nic Unknown symbol  foo",
                Event::Load {
                    node: "n1".to_owned(),
                    module: module("", "nic"),
                    reason: Some("Unknown symbol  foo".to_owned()),
                },
            ),
            (
                "load-works n1 nic",
                Event::Load {
                    node: "n1".to_owned(),
                    module: module("", "nic"),
                    reason: None,
                },
            ),
        ];
        for (text, event) in rows {
            assert_eq!(Event::parse(text).unwrap(), event, "{text}");
        }
    }

    #[test]
    fn what_is_no_event_is_told() {
        for text in [
            "",
            "dance",
            "reboot",
            "reboot n1 6.1",
            "reboot n1 kernel=",
            "label n1 a",
            "label n1 =x",
            "label n1 -",
            "label n1 a/b/c=d",
            "label n1 a=b=c",
            "cordon",
            "cordon a b",
            "apply",
            "delete",
            "pull-fails",
            "load-fails n1",
            "start now",
        ] {
            assert!(Event::parse(text).is_err(), "{text}");
        }
    }
}
