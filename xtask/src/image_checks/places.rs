//! The built `kmm` on one image of real modules, wherever it lies and however it is reached.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use kmm_core::image::Fit;
use serde_json::Value;
use serde_json::json;

use super::built::Binary;
use crate::registry;
use crate::registry::Kind;
use crate::registry::Registry;
use crate::registry::base64;
use crate::steps;

const MODULE: [&str; 2] = ["-m", "kmm_user"];

/// A password that no registry here has.
const WRONG: &str = "not-the-password";

/// How a registry is asked, and what comes of it.
struct Access {
    name: &'static str,
    arguments: Vec<String>,
    /// Files of credentials that the environment names.
    environment: Option<PathBuf>,
    /// Words of the refusal; none where the image is read, and fits.
    refused: Option<&'static str>,
}

/// Archives, and registries of several kinds: the same image gives the same answer, and what is not allowed is refused.
pub(super) fn compare(binary: &Binary, tree: &Path) -> Result<()> {
    registry::set_up()?;
    let image = binary.layout(tree)?;
    let folder = steps::cache()?.join(format!("image-places-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = archives(binary, &image, &folder).and_then(|()| registries(binary, &image, &folder));
    let _ = fs::remove_dir_all(&folder);
    result
}

fn archives(binary: &Binary, image: &str, folder: &Path) -> Result<()> {
    for (transport, tag) in [
        ("docker-archive", ":registry.test/case:v1"),
        ("oci-archive", ":v1"),
    ] {
        let file = folder.join(transport);
        let name = format!("{transport}:{}{tag}", file.display());
        let arguments = ["--insecure-policy", "copy", "--quiet", image, &name];
        let output = Command::new("skopeo")
            .args(arguments)
            .output()
            .context("skopeo")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "skopeo copy to {name}: {said}");
        let told = binary.told(&binary.command(&name, &MODULE).output()?)?;
        binary.expect(transport, &told, Fit::Fits, &[])?;
        let without_tag = format!("{transport}:{}", file.display());
        let told = binary.told(&binary.command(&without_tag, &MODULE).output()?)?;
        binary.expect(&format!("{transport}, no tag"), &told, Fit::Fits, &[])?;
        let told = binary.told(&binary.command("-", &MODULE).stdin(File::open(&file)?).output()?)?;
        binary.expect(&format!("{transport}, standard input"), &told, Fit::Fits, &[])?;
        let modules = binary.inspect(&name, &[])?;
        ensure!(modules == ["kmm_base", "kmm_user"], "{name}: {modules:?}");
        let other = name.replace(":v1", ":v2");
        let told = binary.told(&binary.command(&other, &MODULE).output()?)?;
        binary.expect(
            &format!("{transport}, another tag"),
            &told,
            Fit::DoesNotFit,
            &["KMM3090"],
        )?;
    }
    Ok(())
}

fn registries(binary: &Binary, image: &str, folder: &Path) -> Result<()> {
    for kind in [Kind::Plain, Kind::PlainToken, Kind::TlsBasic] {
        let registry = Registry::start(kind)?;
        registry.push(image, "team/case:v1")?;
        let name = format!("{}/team/case:v1", registry.addr);
        let files = Files::write(&registry, folder)?;
        let accesses = match kind {
            Kind::Plain => files.plain(),
            Kind::PlainToken => files.token(),
            _ => files.tls()?,
        };
        for access in &accesses {
            access
                .check(binary, &registry, &name)
                .with_context(|| format!("{kind:?}: {}", access.name))?;
        }
        if let Some(access) = accesses.iter().find(|access| access.refused.is_none()) {
            let modules = binary.inspect(&name, &access.arguments)?;
            ensure!(modules == ["kmm_base", "kmm_user"], "{name}: {modules:?}");
        }
        let refused = accesses.iter().filter(|access| access.refused.is_some()).count();
        println!(
            "  {kind:?}: {} ways to the image, {refused} refusals, each in words that say why",
            accesses.len() - refused
        );
    }
    Ok(())
}

impl Access {
    fn check(&self, binary: &Binary, registry: &Registry, image: &str) -> Result<()> {
        let arguments: Vec<&str> = MODULE
            .into_iter()
            .chain(self.arguments.iter().map(String::as_str))
            .collect();
        let mut command = binary.command(image, &arguments);
        if let Some(file) = &self.environment {
            command.env("REGISTRY_AUTH_FILE", file);
        }
        let output = command.output()?;
        let (fit, codes) = binary.told(&output)?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let said = format!("{printed}{}", String::from_utf8_lossy(&output.stderr));
        ensure!(
            registry.password.is_empty() || !said.contains(&registry.password),
            "a password was printed"
        );
        match self.refused {
            None => ensure!(fit == Fit::Fits, "{}: {said}", fit.name()),
            Some(words) => {
                let answer: Value = serde_json::from_slice(&output.stdout)?;
                let message = answer.pointer("/results/0/diagnostics/0/message");
                let message = message.and_then(Value::as_str).unwrap_or_default();
                ensure!(
                    fit == Fit::Unknown && codes.contains("KMM3091") && message.contains(words),
                    "expected a refusal with `{words}`: {} {codes:?} {message}",
                    fit.name()
                );
            }
        }
        Ok(())
    }
}

/// Files of credentials and certificates for a registry.
struct Files {
    ca: Option<String>,
    auth: String,
    wrong: String,
    /// A pull secret of the newer type, and one of the older; one with another password, and a file without any.
    config_json: String,
    cfg: String,
    wrong_secret: String,
    no_secret: String,
    folder: PathBuf,
}

impl Files {
    fn write(registry: &Registry, folder: &Path) -> Result<Self> {
        let put = |name: &str, content: &Value| -> Result<String> {
            let path = folder.join(name);
            fs::write(&path, content.to_string())?;
            Ok(path.display().to_string())
        };
        let addr = registry.addr.as_str();
        let entry = |password: &str| {
            let auth = base64(format!("{}:{password}", registry.user).as_bytes());
            json!({ addr: { "auth": auth } })
        };
        let secret = |kind: &str, field: &str, key: &str, value: String| {
            json!({
                "apiVersion": "v1", "kind": "Secret", "type": format!("kubernetes.io/{kind}"),
                "metadata": {"name": "pull", "namespace": "drivers"}, field: {key: value},
            })
        };
        let config = |password: &str| json!({ "auths": entry(password) });
        let encoded = |value: &Value| base64(value.to_string().as_bytes());
        Ok(Self {
            ca: registry.ca_file.as_ref().map(|path| path.display().to_string()),
            auth: put("auth.json", &registry.auth_json())?,
            wrong: put("wrong.json", &config(WRONG))?,
            config_json: put(
                "secret.json",
                &secret(
                    "dockerconfigjson",
                    "data",
                    ".dockerconfigjson",
                    encoded(&config(&registry.password)),
                ),
            )?,
            cfg: put(
                "old-secret.json",
                &secret(
                    "dockercfg",
                    "stringData",
                    ".dockercfg",
                    entry(&registry.password).to_string(),
                ),
            )?,
            wrong_secret: put(
                "wrong-secret.json",
                &secret(
                    "dockerconfigjson",
                    "data",
                    ".dockerconfigjson",
                    encoded(&config(WRONG)),
                ),
            )?,
            no_secret: put(
                "no-secret.json",
                &secret("opaque", "data", "a", encoded(&json!({}))),
            )?,
            folder: folder.to_owned(),
        })
    }

    /// Nobody asks for a password; plain HTTP has to be allowed.
    fn plain(&self) -> Vec<Access> {
        vec![
            access("nothing allowed", &[], Some("plain HTTP")),
            access(
                "any certificate allowed",
                &["--skip-tls-verify"],
                Some("plain HTTP"),
            ),
            access("plain HTTP allowed", &["--plain-http"], None),
        ]
    }

    /// Tokens of a server that asks for a password.
    fn token(&self) -> Vec<Access> {
        vec![
            access("no password", &["--plain-http"], Some("no credentials match")),
            access(
                "a wrong password",
                &["--plain-http", "--auth-file", &self.wrong],
                Some("wrong.json`, entry"),
            ),
            access("auth.json", &["--plain-http", "--auth-file", &self.auth], None),
            access(
                "a pull secret",
                &["--plain-http", "--pull-secret", &self.config_json],
                None,
            ),
        ]
    }

    /// A certificate of a CA of its own, and a password.
    fn tls(&self) -> Result<Vec<Access>> {
        let ca = self.ca.as_deref().context("the registry has no CA")?;
        let other = registry::other_ca(&self.folder)?.display().to_string();
        let with = |more| trusting(ca, more);
        let environment = Access {
            environment: Some(PathBuf::from(&self.auth)),
            ..access("auth.json of the environment", &["--ca-file", ca], None)
        };
        Ok(vec![
            access("no CA", &["--auth-file", &self.auth], Some("the CA")),
            access(
                "plain HTTP allowed",
                &["--plain-http", "--auth-file", &self.auth],
                Some("the CA"),
            ),
            access(
                "another CA",
                &["--ca-file", &other, "--auth-file", &self.auth],
                Some("the CA"),
            ),
            access("no password", &with(&[]), Some("no credentials match")),
            access(
                "a wrong password",
                &with(&["--auth-file", &self.wrong]),
                Some("wrong.json`, entry"),
            ),
            access(
                "a wrong pull secret",
                &with(&["--pull-secret", &self.wrong_secret, "--auth-file", &self.auth]),
                Some("secret `drivers/pull`"),
            ),
            access(
                "no pull secret",
                &with(&["--pull-secret", &self.no_secret]),
                Some("holds no pull secret"),
            ),
            access("auth.json", &with(&["--auth-file", &self.auth]), None),
            environment,
            access(
                "any certificate allowed",
                &["--skip-tls-verify", "--auth-file", &self.auth],
                None,
            ),
            access(
                "dockerconfigjson",
                &with(&["--pull-secret", &self.config_json]),
                None,
            ),
            access("dockercfg", &with(&["--pull-secret", &self.cfg]), None),
            access(
                "two pull secrets",
                &with(&["--pull-secret", &self.wrong_secret, "--pull-secret", &self.cfg]),
                None,
            ),
        ])
    }
}

/// The arguments, and those that trust a CA.
fn trusting<'a>(ca: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--ca-file", ca], more].concat()
}

fn access(name: &'static str, arguments: &[&str], refused: Option<&'static str>) -> Access {
    Access {
        name,
        arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        environment: None,
        refused,
    }
}
