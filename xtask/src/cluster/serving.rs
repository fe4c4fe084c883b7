//! The built `kmm` as an operator or a webhook server with a configuration of its own, and what it says.

use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use serde_json::Value;

use super::control_plane::ControlPlane;
use super::objects::until;
use super::process::Process;

/// A running `kmm`; it is stopped when this is dropped.
pub(super) struct Serving {
    process: Process,
    name: String,
}

impl Serving {
    /// Starts `kmm COMMAND` with a configuration.
    pub(super) fn start(
        plane: &ControlPlane,
        kmm: &Path,
        command: &str,
        name: &str,
        config: &Value,
    ) -> Result<Self> {
        let path = plane.folder().join(format!("{name}.yaml"));
        std::fs::write(&path, config.to_string()).context("could not write the configuration")?;
        let arguments = [
            command.to_owned(),
            format!("--config={}", path.display()),
            format!("--kubeconfig={}", plane.kubeconfig().display()),
            "--log-level=debug".to_owned(),
            "--log-format=json".to_owned(),
        ];
        let environment = [
            ("RELATED_IMAGE_WORKER", "registry.example.com/kmm-worker:1"),
            ("OPERATOR_NAMESPACE", "drivers"),
        ];
        let process = Process::start(name, kmm, &arguments, &environment, plane.folder())?;
        Ok(Self {
            process,
            name: name.to_owned(),
        })
    }

    /// The messages that it logged, from the first one.
    fn messages(&self) -> Vec<Value> {
        let printed = self.process.printed();
        printed
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// How often it logged a message.
    pub(super) fn count(&self, message: &str) -> usize {
        self.messages()
            .iter()
            .filter(|found| found["message"] == message)
            .count()
    }

    /// What registries said to the questions of a Module.
    pub(super) fn asked(&self, module: &str) -> Vec<String> {
        let asker = format!("ModuleImagesConfig drivers/{module}");
        let messages = self.messages();
        let asked = messages
            .iter()
            .filter(|found| found["message"] == "a registry was asked" && found["asker"] == asker);
        asked.map(|found| found["outcome"].to_string()).collect()
    }

    /// How often it wrote.
    pub(super) fn writes(&self) -> usize {
        self.count("written")
    }

    /// Waits for a message, and gives its fields.
    pub(super) async fn says(&mut self, message: &str) -> Result<Value> {
        let mut said = Value::Null;
        let what = format!("{} says `{message}`", self.name);
        until(&what, async || {
            self.process.check()?;
            let messages = self.messages();
            let found = messages.iter().rev().find(|found| found["message"] == message);
            said = found.cloned().unwrap_or_default();
            Ok(found.is_some())
        })
        .await
        .with_context(|| self.last_lines())?;
        Ok(said)
    }

    /// Where it serves something.
    pub(super) async fn address(&mut self, what: &str) -> Result<String> {
        let said = self.says(&format!("serving {what}")).await?;
        let address = said["address"].as_str().context("no address")?;
        ensure!(
            address.starts_with("127.0.0.1:"),
            "{address} is not on the loopback"
        );
        Ok(address.to_owned())
    }

    /// What it logged about a key, the last of it.
    pub(super) fn about(&self, key: &str) -> String {
        let messages = self.messages();
        let about: Vec<String> = messages
            .iter()
            .filter(|found| found["key"] == key)
            .map(ToString::to_string)
            .collect();
        about[about.len().saturating_sub(40)..].join("\n")
    }

    /// The end of its log.
    pub(super) fn last_lines(&self) -> String {
        self.process.last_lines()
    }

    /// Stops it in the middle of what it does.
    pub(super) fn pause(&self) {
        self.process.pause();
    }

    /// Has it go on.
    pub(super) fn resume(&self) {
        self.process.resume();
    }

    /// Waits until it ends by itself; its exit code.
    pub(super) async fn end(&mut self) -> Result<Option<i32>> {
        let mut code = None;
        until(&format!("{} ends", self.name), async || {
            let ended = self.process.ended()?;
            code = ended.flatten();
            Ok(ended.is_some())
        })
        .await?;
        Ok(code)
    }

    /// Ends it without notice.
    pub(super) fn kill(mut self) {
        self.process.kill();
    }

    /// Asks it to end, which it has to do well.
    pub(super) fn stop(mut self) -> Result<()> {
        match self.process.stop() {
            Some(0) => Ok(()),
            code => bail!("{} ended with {code:?}:\n{}", self.name, self.last_lines()),
        }
    }
}
