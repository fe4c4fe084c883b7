//! How a worker ended, as JSON that fits a termination log.

use serde::Serialize;
use serde_json::Value;

use super::Kind;
use super::Reason;

/// The most bytes of a report: what Kubernetes keeps of a termination log.
pub const LARGEST_REPORT: usize = 4096;

/// How a worker ended.
///
/// # Example: what an operator reads
///
/// ```
/// use kmm_core::worker::{Reason, Report};
///
/// let mut report = Report::new("load", "nic");
/// report.fail(Reason::WrongKernel, "modprobe", "version magic `6.1.0-1 SMP `, it should be `6.1.0-2 SMP `");
/// let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
/// assert_eq!(json["version"], 1);
/// assert_eq!((&json["outcome"], &json["reason"]), (&"failed".into(), &"WrongKernel".into()));
/// assert!(report.to_json().len() < kmm_core::worker::LARGEST_REPORT);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    version: u32,
    /// `load`, `unload` or `copy`.
    pub action: String,
    outcome: &'static str,
    reason: Reason,
    /// The step at which it ended.
    pub step: String,
    /// The module that was asked for.
    pub module: String,
    /// The running kernel.
    pub kernel: String,
    /// The boot that runs, as `status.nodeInfo.bootID` of the node has it; empty where it is not known.
    #[serde(rename = "bootId", skip_serializing_if = "String::is_empty")]
    pub boot_id: String,
    /// What happened.
    cause: &'static str,
    /// What shows it.
    pub proof: String,
    /// What mends it.
    pub mend: String,
    /// The modules that were looked at after it.
    pub modules: Vec<LoadedModule>,
    /// What is not as it should be, but kept nothing from being done.
    pub warnings: Vec<Warning>,
    /// Whether something was left out for want of room.
    truncated: bool,
}

/// A module as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoadedModule {
    /// Its name.
    pub name: String,
    /// `live`, `coming`, `going`, `builtIn` or `absent`.
    pub state: &'static str,
    /// The `srcversion` in `/sys/module`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srcversion: Option<String>,
    /// Whether it is the one of the image; absent where that cannot be told.
    #[serde(rename = "sameAsImage", skip_serializing_if = "Option::is_none")]
    pub same_as_image: Option<bool>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Which kind.
    pub reason: Reason,
    /// What shows it.
    pub proof: String,
}

impl Report {
    /// A report of a run that did not end yet.
    pub fn new(action: &str, module: &str) -> Self {
        Self {
            version: 1,
            action: action.to_owned(),
            outcome: "interrupted",
            reason: Reason::Interrupted,
            step: String::new(),
            module: module.to_owned(),
            kernel: String::new(),
            boot_id: String::new(),
            cause: Reason::Interrupted.cause(),
            proof: String::new(),
            mend: String::new(),
            modules: Vec::new(),
            warnings: Vec::new(),
            truncated: false,
        }
    }

    /// Ends it.
    pub fn end(&mut self, reason: Reason, step: &str, proof: impl Into<String>) {
        self.reason = reason;
        self.cause = reason.cause();
        self.mend = reason.mend().to_owned();
        self.outcome = match reason.kind() {
            Kind::Done => "succeeded",
            Kind::Failed => "failed",
            Kind::Stopped => "interrupted",
        };
        step.clone_into(&mut self.step);
        self.proof = proof.into();
    }

    /// Ends it with a failure; the same as [`end`](Self::end).
    pub fn fail(&mut self, reason: Reason, step: &str, proof: impl Into<String>) {
        self.end(reason, step, proof);
    }

    /// Why it ended.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Adds a warning, once.
    pub fn warn(&mut self, reason: Reason, proof: impl Into<String>) {
        let warning = Warning {
            reason,
            proof: proof.into(),
        };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The report as JSON, in one line of fewer than [`LARGEST_REPORT`] bytes: where it is longer, texts are cut and
    /// the last warnings and modules left out, and `truncated` says so.
    pub fn to_json(&self) -> String {
        let mut report = self.clone();
        for most in [1000, 400, 100, 40] {
            let text = report.line();
            if text.len() < LARGEST_REPORT {
                return text;
            }
            report.truncated = true;
            let texts = [
                &mut report.proof,
                &mut report.mend,
                &mut report.module,
                &mut report.kernel,
                &mut report.boot_id,
                &mut report.step,
            ];
            texts.into_iter().for_each(|text| cut(text, most));
            report.warnings.truncate(most / 50);
            report.modules.truncate(most / 50);
            report
                .warnings
                .iter_mut()
                .for_each(|warning| cut(&mut warning.proof, most));
            for module in &mut report.modules {
                cut(&mut module.name, most);
                module.srcversion.iter_mut().for_each(|text| cut(text, most));
            }
        }
        report.line()
    }

    fn line(&self) -> String {
        // Nothing in it can fail to be JSON: texts, numbers, truth values.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// A failure's report in one line for people; `None` where the text is no such report.
///
/// It comes out of a container: nothing in it is believed, and control characters are left out.
///
/// # Example: what an event says
///
/// ```
/// use kmm_core::worker;
/// use kmm_core::worker::Reason;
/// use kmm_core::worker::Report;
///
/// let mut report = Report::new("unload", "nic");
/// report.fail(Reason::InUse, "unload", "held by `nic_user`");
/// assert_eq!(
///     worker::in_words(&report.to_json()).as_deref(),
///     Some(
///         "InUse: held by `nic_user`. Unload the modules that hold it first, and stop what uses its devices."
///     ),
/// );
/// assert_eq!(worker::in_words("killed"), None);
/// ```
pub fn in_words(text: &str) -> Option<String> {
    if text.len() > LARGEST_REPORT {
        return None;
    }
    let report: Value = serde_json::from_str(text).ok()?;
    let field = |name: &str| {
        let lines = report.get(name)?.as_str()?.split(char::is_control);
        let words: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
        (!words.is_empty()).then(|| words.join("; "))
    };
    let mut words = field("reason").filter(|_| report["outcome"] != "succeeded")?;
    if let Some(proof) = field("proof").or_else(|| field("cause")) {
        words += ": ";
        words += proof.trim_end_matches('.');
    }
    if let Some(mend) = field("mend") {
        words += ". ";
        words += &mend;
    }
    Some(words)
}

/// The boot on which a worker says that it ran; `None` where its report does not say it.
///
/// # Example: a result from a termination log
///
/// ```
/// use kmm_core::worker;
/// use kmm_core::worker::Report;
///
/// let mut report = Report::new("load", "nic");
/// report.boot_id = "5f2c1d0e-0b1a-4c3e-8f5d-2a6b7c8d9e0f".to_owned();
/// assert_eq!(worker::boot_id(&report.to_json()), Some(report.boot_id));
/// assert_eq!(worker::boot_id(r#"{"version": 1, "reason": "Loaded"}"#), None);
/// ```
pub fn boot_id(text: &str) -> Option<String> {
    if text.len() > LARGEST_REPORT {
        return None;
    }
    let report: Value = serde_json::from_str(text).ok()?;
    let boot_id = report.get("bootId")?.as_str()?;
    (!boot_id.is_empty()).then(|| boot_id.to_owned())
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reports_of_failures_are_put_in_words() {
        let told = |text: &str| in_words(text);
        let mut report = Report::new("load", "nic");
        assert_eq!(
            told(&report.to_json()).as_deref(),
            Some("Interrupted: The worker was told to stop before it was done")
        );
        report.fail(
            Reason::WrongKernel,
            "precheck",
            "one line\nand\u{1b}[31m another.\n",
        );
        assert_eq!(
            told(&report.to_json()).as_deref(),
            Some(
                "WrongKernel: one line; and; [31m another. Build the module against the headers of exactly this kernel."
            )
        );
        report.end(Reason::Loaded, "load", "");
        for text in [
            report.to_json().as_str(),
            "",
            "null",
            "[]",
            "{}",
            r#"{"reason": 5}"#,
            r#"{"reason": "\n"}"#,
            &format!(r#"{{"reason": "{}"}}"#, "x".repeat(LARGEST_REPORT)),
        ] {
            assert_eq!(told(text), None, "{text}");
        }
        assert_eq!(told(r#"{"reason": "Other"}"#).as_deref(), Some("Other"));
    }

    #[test]
    fn it_fits_whatever_is_in_it() {
        for unit in ["x", "\u{1}", "é", "\""] {
            let long = unit.repeat(20_000);
            let mut report = Report::new("load", &long);
            report.kernel.clone_from(&long);
            report.boot_id.clone_from(&long);
            report.fail(Reason::UnknownSymbol, &long, long.as_str());
            for index in 0..500 {
                report.warn(Reason::ParameterDiffers, format!("{index} {long}"));
                report.modules.push(LoadedModule {
                    name: long.clone(),
                    state: "live",
                    srcversion: Some(long.clone()),
                    same_as_image: None,
                });
            }
            let text = report.to_json();
            assert!(text.len() < LARGEST_REPORT, "{}", text.len());
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(json["reason"], "UnknownSymbol");
            assert_eq!(json["truncated"], true);
        }
    }
}
