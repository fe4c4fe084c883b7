//! Go itself, asked by line-wise JSON: the judge of the differential tests.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use serde::Deserialize;
use serde::Serialize;

use crate::steps;

/// A question to Go; `xtask/go-oracle/main.go` says what each `op` takes.
#[derive(Debug, Serialize)]
pub(crate) struct Question<'a> {
    pub(crate) op: &'a str,
    pub(crate) text: &'a str,
    pub(crate) args: Vec<&'a str>,
}

/// What Go makes of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    pub(crate) error: Option<String>,
    pub(crate) value: serde_json::Value,
}

/// Builds the program that answers for Go.
///
/// # Errors
///
/// When there is no Go toolchain, or the build fails.
pub(crate) fn build() -> Result<PathBuf> {
    let version = Command::new("go").arg("version").output();
    let Ok(version) = version else {
        bail!(
            "there is no Go toolchain: install Go 1.26 or newer and put `go` on the PATH; the tests compare with it"
        );
    };
    println!("{}", String::from_utf8_lossy(&version.stdout).trim());
    let binary = steps::cache()?.join("go-oracle");
    let out = binary.to_str().context("the cache folder is not UTF-8")?;
    steps::run_in(
        &steps::root().join("xtask/go-oracle"),
        "go",
        &["build", "-trimpath", "-o", out, "."],
    )?;
    Ok(binary)
}

/// A running Go.
#[derive(Debug)]
pub(crate) struct Oracle {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts the program that [`build`] made.
    pub(crate) fn start(binary: &Path) -> Result<Self> {
        let mut child = Command::new(binary)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start `{}`", binary.display()))?;
        let questions = child.stdin.take();
        let answers = child.stdout.take().context("the oracle has no standard output")?;
        Ok(Self {
            child,
            questions,
            answers: BufReader::new(answers),
        })
    }

    /// Asks one question.
    pub(crate) fn ask(&mut self, question: &Question<'_>) -> Result<Answer> {
        let mut line = serde_json::to_vec(question)?;
        line.push(b'\n');
        let questions = self.questions.as_mut().context("the oracle has ended")?;
        questions
            .write_all(&line)
            .and_then(|()| questions.flush())
            .context("the oracle takes no questions")?;
        let mut answer = String::new();
        if self.answers.read_line(&mut answer)? == 0 {
            bail!("the oracle gave no answer to {}", String::from_utf8_lossy(&line));
        }
        Ok(serde_json::from_str(&answer)?)
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It ends at the end of its input.
        self.questions = None;
        let _ = self.child.wait();
    }
}
