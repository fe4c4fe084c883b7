//! Credential helpers: programs `docker-credential-NAME` that docker and podman ask for passwords.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;

use super::Credential;
use super::CredentialError;
use super::Secret;

/// The most that a helper may say; a token of a cloud has a few thousand bytes.
const OUTPUT_LIMIT: u64 = 64 << 10;

/// How long a helper may take; some ask a cloud first.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What helpers say where they have nothing, word for word.
const NOTHING: &str = "credentials not found in native keychain";

/// A credential helper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Helper {
    name: String,
    program: PathBuf,
    time_limit: Duration,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username", default)]
    user: String,
    #[serde(rename = "Secret", default)]
    secret: String,
}

impl Helper {
    /// The helper `docker-credential-NAME`, found on `PATH`.
    ///
    /// # Errors
    ///
    /// Where the name is not made of letters, digits, `.`, `_` and `-`: it becomes the name of a program.
    pub fn new(name: &str) -> Result<Self, CredentialError> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > 100 || !name.bytes().all(letter) {
            let name = name.chars().take(100).collect::<String>();
            return Err(CredentialError::new(
                format!("helper {name}"),
                "the name of a helper has letters, digits, `.`, `_` and `-` only",
            ));
        }
        let program = PathBuf::from(format!("docker-credential-{name}"));
        Ok(Self {
            name: name.to_owned(),
            program,
            time_limit: TIME_LIMIT,
        })
    }

    /// Uses this program instead of the one on `PATH`.
    #[must_use]
    pub fn at(mut self, program: PathBuf) -> Self {
        self.program = program;
        self
    }

    /// Waits no longer than this for an answer.
    #[must_use]
    pub fn within(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks for the credential of a server: `docker-credential-NAME get`, the server on its input.
    ///
    /// # Errors
    ///
    /// Where the program is missing, fails, says too much, takes too long or says something else than JSON.
    pub async fn get(&self, server: &str) -> Result<Option<Credential>, CredentialError> {
        let refuse = |reason: String| CredentialError::new(self.program.display().to_string(), reason);
        let answer = tokio::time::timeout(self.time_limit, self.ask(server)).await;
        let (success, out, said) = answer
            .map_err(|_| {
                refuse(format!(
                    "gave no answer within {} s",
                    self.time_limit.as_secs_f32()
                ))
            })?
            .map_err(|error| refuse(error.to_string()))?;
        let too_long = || refuse(format!("said more than {OUTPUT_LIMIT} bytes"));
        if out.len() as u64 > OUTPUT_LIMIT {
            return Err(too_long());
        }
        if !success {
            let text = String::from_utf8_lossy(&out);
            if text.trim() == NOTHING {
                return Ok(None);
            }
            let text = if text.trim().is_empty() {
                String::from_utf8_lossy(&said)
            } else {
                text
            };
            let text: String = text.trim().chars().take(300).collect();
            return Err(refuse(format!("`get` failed: {}", text.escape_debug())));
        }
        let answer: Answer = serde_json::from_slice(&out)
            .map_err(|_| refuse("`get` did not print JSON with `Username` and `Secret`".to_owned()))?;
        Ok(match answer {
            Answer { user, secret } if user.is_empty() && secret.is_empty() => None,
            Answer { user, secret } if user == "<token>" => {
                Some(Credential::IdentityToken(Secret::new(secret)))
            }
            Answer { user, secret } => Some(Credential::Basic {
                user,
                password: Secret::new(secret),
            }),
        })
    }

    /// Runs the program: whether it succeeded, and its two outputs.
    async fn ask(&self, server: &str) -> std::io::Result<(bool, Vec<u8>, Vec<u8>)> {
        let mut child = tokio::process::Command::new(&self.program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // A helper need not read its input.
            let _ = input.write_all(server.as_bytes()).await;
        }
        let (out, said) = (child.stdout.take(), child.stderr.take());
        let (out, said) = tokio::join!(bounded(out), bounded(said));
        let (out, said) = (out?, said?);
        if out.len().max(said.len()) as u64 > OUTPUT_LIMIT {
            return Ok((false, out, said));
        }
        Ok((child.wait().await?.success(), out, said))
    }
}

/// Reads until the end, or until there is one byte too much.
async fn bounded(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(OUTPUT_LIMIT + 1).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A helper that is a shell script.
    fn helper(name: &str, script: &str) -> Helper {
        let folder = std::env::temp_dir().join(format!("kmm-oci-helper-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        // Moved into place: a program that another thread's child still has open for writing cannot be run.
        let draft = folder.join(format!("{name}.draft"));
        std::fs::write(&draft, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(&draft, &path).unwrap();
        Helper::new(name).unwrap().at(path)
    }

    async fn get(name: &str, script: &str) -> Result<Option<Credential>, String> {
        let helper = helper(name, script);
        loop {
            match helper.get("https://index.docker.io/v1/").await {
                Err(error) if error.to_string().contains("busy") => tokio::task::yield_now().await,
                other => return other.map_err(|error| error.to_string()),
            }
        }
    }

    #[tokio::test]
    async fn answers_are_read() {
        let basic = get(
            "basic",
            r#"read s; echo "{\"ServerURL\":\"$s\",\"Username\":\"$s$1\",\"Secret\":\"p\"}""#,
        )
        .await;
        let expected = Credential::Basic {
            user: "https://index.docker.io/v1/get".into(),
            password: Secret::new("p"),
        };
        assert_eq!(basic, Ok(Some(expected)));
        let token = get("token", r#"echo '{"Username":"<token>","Secret":"t"}'"#).await;
        assert_eq!(token, Ok(Some(Credential::IdentityToken(Secret::new("t")))));
        let nothing = get("nothing", &format!("echo {NOTHING}; exit 1")).await;
        assert_eq!(nothing, Ok(None));
    }

    #[tokio::test]
    async fn failures_are_told() {
        let error = get("fails", "echo no bus >&2; exit 3").await.unwrap_err();
        assert!(error.contains("no bus"), "{error}");
        let error = get("nonsense", "echo hunter2").await.unwrap_err();
        assert!(
            error.contains("did not print JSON") && !error.contains("hunter2"),
            "{error}"
        );
        let error = get(
            "endless",
            "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done",
        )
        .await;
        assert!(error.unwrap_err().contains("said more than"));
        let slow = helper("slow", "exec sleep 60").within(Duration::from_millis(50));
        let error = slow.get("x").await.unwrap_err().to_string();
        assert!(
            error.contains("no answer within") || error.contains("busy"),
            "{error}"
        );
        let missing = Helper::new("is-not-there-at-all").unwrap().get("x").await;
        assert!(
            missing
                .unwrap_err()
                .to_string()
                .contains("docker-credential-is-not-there-at-all")
        );
    }

    #[test]
    fn names_are_no_paths() {
        for name in ["", "../x", "a/b", "a b", "a;b", "$(x)"] {
            assert!(Helper::new(name).is_err(), "{name}");
        }
    }
}
