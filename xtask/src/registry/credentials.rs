//! Passwords for a registry from every place that keeps them, right ones and wrong ones.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use kmm_oci::credentials::ConfigFile;
use kmm_oci::credentials::Credential;
use kmm_oci::credentials::Keychain;
use kmm_oci::credentials::PullSecrets;
use kmm_oci::credentials::Secret;
use kmm_oci::registry::ErrorKind;
use kmm_oci::registry::Existence;
use serde_json::Value;
use serde_json::json;

use super::Registry;
use super::check::ASK;
use super::check::REPOSITORY;
use super::check::image;
use super::check::is;
use super::check::options;
use super::check::store;

const JSON: (&str, &str) = ("kubernetes.io/dockerconfigjson", ".dockerconfigjson");
const CFG: (&str, &str) = ("kubernetes.io/dockercfg", ".dockercfg");

/// A password that no registry here has.
const WRONG: &str = "not-the-password";

/// The registry's own password, or another one, as given on a command line; nothing where it wants none.
pub(super) fn given(registry: &Registry, password: Option<&str>) -> Keychain {
    if registry.user.is_empty() && password.is_none() {
        return Keychain::anonymous();
    }
    let credential = Credential::Basic {
        user: registry.user.clone(),
        password: Secret::new(password.unwrap_or(&registry.password)),
    };
    Keychain::anonymous().with_credential("the command line", credential)
}

/// Every place with the right password opens the registry; gives the number of places.
pub(super) fn accepted(registry: &Registry, folder: &Path) -> Result<usize> {
    let mut places = 0;
    let entry = entry(registry, &registry.password);
    let auth = auth_entry(registry, &registry.password);
    let addr = registry.addr.as_str();
    let json = |key: &str, entry: &Value| json!({ "auths": { key: entry } });
    let other = json!({ "auths": { "other.test": entry, format!("{addr}/other"): entry } });
    let wrong = json!({ "auths": { addr: auth_entry(registry, WRONG) } });
    for (name, keychain) in [
        ("docker's config.json", file(&registry.auth_json())?),
        (
            "an entry of a repository",
            file(&json(&format!("{addr}/{REPOSITORY}"), &auth))?,
        ),
        (
            "an entry of a folder",
            file(&json(&format!("{addr}/team"), &auth))?,
        ),
        (
            "an old entry",
            file(&json(&format!("https://{addr}/v1/"), &auth))?,
        ),
        (
            "the second file",
            file(&other)?.with_file(ConfigFile::parse(
                "auth.json",
                registry.auth_json().to_string().as_bytes(),
            )?),
        ),
        ("dockerconfigjson", secrets(&[(JSON, &json(addr, &entry))])?),
        (
            "dockerconfigjson with `auth`",
            secrets(&[(JSON, &json(addr, &auth))])?,
        ),
        (
            "dockerconfigjson of the API",
            secrets(&[(JSON, &json(&format!("https://{addr}/v2/"), &auth))])?,
        ),
        ("dockercfg", secrets(&[(CFG, &json!({ addr: auth }))])?),
        (
            "a glob",
            secrets(&[(JSON, &json(&addr.replacen("127", "*", 1), &auth))])?,
        ),
        (
            "the second secret",
            secrets(&[(JSON, &wrong), (CFG, &json!({ addr: auth }))])?,
        ),
        (
            "a secret before a file",
            secrets(&[(JSON, &json(addr, &auth))])?
                .with_file(ConfigFile::parse("auth.json", wrong.to_string().as_bytes())?),
        ),
    ] {
        let store = store(registry, options(registry, keychain)?, &image(registry, "gzip"))?;
        match store.exists() {
            Ok(Existence::Exists { .. }) => places += 1,
            other => bail!("{name}: {other:?}"),
        }
    }
    if !registry.user.is_empty() {
        places += helpers(registry, folder)?;
    }
    Ok(places)
}

/// A program that knows the password, asked as docker and podman ask it; and such that fail.
fn helpers(registry: &Registry, folder: &Path) -> Result<usize> {
    let addr = &registry.addr;
    let answer = json!({ "ServerURL": addr, "Username": registry.user, "Secret": registry.password });
    let knows = format!(
        "#!/bin/sh\nread server\n[ \"$1\" = get ] && [ \"$server\" = {addr} ] && echo '{answer}' && exit\n\
         echo 'credentials not found in native keychain'; exit 1\n"
    );
    let programs = folder.join("programs");
    fs::create_dir_all(&programs)?;
    for (name, script) in [
        ("knows", knows.as_str()),
        (
            "empty",
            "#!/bin/sh\necho 'credentials not found in native keychain'; exit 1\n",
        ),
        ("fails", "#!/bin/sh\necho 'no keyring' >&2; exit 3\n"),
    ] {
        let path = programs.join(format!("docker-credential-{name}"));
        fs::write(&path, script)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    let auth = auth_entry(registry, &registry.password);
    let wrong = auth_entry(registry, WRONG);
    for (config, expected) in [
        (json!({ "credHelpers": { addr.as_str(): "knows" } }), Ok(())),
        (
            json!({ "credsStore": "knows", "auths": { addr.as_str(): {} } }),
            Ok(()),
        ),
        (
            json!({ "credHelpers": { addr.as_str(): "knows" }, "auths": { addr.as_str(): wrong } }),
            Ok(()),
        ),
        (
            json!({ "credHelpers": { "other.test": "fails" }, "auths": { addr.as_str(): auth } }),
            Ok(()),
        ),
        (json!({ "credsStore": "empty" }), Err("no credentials match")),
        (json!({ "credsStore": "fails" }), Err("no keyring")),
        (json!({ "credsStore": "absent" }), Err("docker-credential-absent")),
    ] {
        let file = folder.join("config.json");
        fs::write(&file, config.to_string())?;
        let path = std::env::var("PATH").unwrap_or_default();
        let out = Command::new(std::env::current_exe()?)
            .arg(ASK)
            .arg(&file)
            .arg(registry.ca_file.as_deref().unwrap_or(Path::new("-")))
            .arg(image(registry, "gzip"))
            .env("PATH", format!("{}:{path}", programs.display()))
            .output()?;
        let said = String::from_utf8_lossy(&out.stderr);
        match expected {
            Ok(()) => ensure!(out.status.success(), "{config}: {said}"),
            Err(words) => ensure!(
                !out.status.success() && said.contains(words),
                "{config}: expected `{words}`: {said}"
            ),
        }
        ensure!(
            !said.contains(&registry.password),
            "a password was printed: {said}"
        );
    }
    Ok(4)
}

/// No password, and wrong ones: refused by a registry that wants one, in words that say where it came from and not what
/// it is.
pub(super) fn refused(registry: &Registry) -> Result<usize> {
    let wrong = auth_entry(registry, WRONG);
    let addr = registry.addr.as_str();
    let cases = [
        (Keychain::anonymous(), "no credentials match"),
        (given(registry, Some(WRONG)), "the command line"),
        (file(&json!({ "auths": { addr: wrong } }))?, "`auth.json`, entry"),
        (
            secrets(&[
                (JSON, &json!({ "auths": { addr: wrong } })),
                (
                    CFG,
                    &json!({ format!("{addr}/team"): auth_entry(registry, "other") }),
                ),
            ])?,
            "secret `ns/second`",
        ),
        // A right password for somewhere else stays there.
        (
            secrets(&[(
                CFG,
                &json!({ format!("{addr}/other"): auth_entry(registry, &registry.password), "other.test": auth_entry(registry, &registry.password) }),
            )])?,
            "no credentials match",
        ),
    ];
    let count = cases.len();
    for (keychain, words) in cases {
        let store = store(registry, options(registry, keychain)?, &image(registry, "gzip"))?;
        let found = store.exists();
        if registry.user.is_empty() {
            // Who asks for no password does not look at one.
            ensure!(matches!(found, Ok(Existence::Exists { .. })), "{found:?}");
            continue;
        }
        if let Err(error) = &found {
            let said = format!("{error} {}", error.help());
            ensure!(
                ![WRONG, registry.password.as_str()]
                    .iter()
                    .any(|password| said.contains(password)),
                "a password was printed: {said}"
            );
        }
        is(ErrorKind::Unauthorised, words, found)?;
        // What nobody may see is not said to be missing.
        match kmm_oci::scan(&store, &kmm_oci::ScanOptions::new(&kmm_files::Decompressors)) {
            Err(error) if !error.is_answer() => {}
            other => bail!("without a right password: {:?}", other.map(|image| image.digest)),
        }
    }
    Ok(if registry.user.is_empty() { 0 } else { count })
}

fn file(content: &Value) -> Result<Keychain> {
    Ok(Keychain::anonymous().with_file(ConfigFile::parse("auth.json", content.to_string().as_bytes())?))
}

/// Secrets `ns/first`, `ns/second`.
fn secrets(all: &[((&str, &str), &Value)]) -> Result<Keychain> {
    let mut secrets = PullSecrets::default();
    for (name, ((kind, key), content)) in ["ns/first", "ns/second"].iter().zip(all) {
        secrets
            .add(name, kind, key, content.to_string().as_bytes())
            .with_context(|| content.to_string())?;
    }
    Ok(Keychain::anonymous().with_pull_secrets(secrets))
}

/// Name and password in plain.
fn entry(registry: &Registry, password: &str) -> Value {
    json!({ "username": registry.user, "password": password })
}

/// Name and password as one `auth`.
fn auth_entry(registry: &Registry, password: &str) -> Value {
    json!({ "auth": super::token::base64(format!("{}:{password}", registry.user).as_bytes()) })
}
