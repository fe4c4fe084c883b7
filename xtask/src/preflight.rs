//! `kmm preflight` from the built binary, on images of real modules in a registry that wants TLS and a password.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use serde_json::Value;

use crate::generate::target_folder;
use crate::kmods;
use crate::layers;
use crate::registry;
use crate::registry::Kind;
use crate::registry::Registry;
use crate::steps;

/// Modules, by name: state and reason that are expected of each.
const EXPECTED: [(&str, &str, &str); 9] = [
    ("fits", "ready", "fits"),
    ("other-flavour", "willNotLoad", "doesNotFit"),
    ("built", "mustBeBuilt", "build"),
    ("signed", "mustBeBuilt", "sign"),
    ("nothing-to-sign", "willNotLoad", "noUnsignedImage"),
    ("nobody", "willNotLoad", "noSuchImage"),
    ("unmapped", "willNotLoad", "noMapping"),
    ("away", "unknown", "noAnswer"),
    ("plugin-only", "ready", "nothingToLoad"),
];

/// Every state, each exit code, with and without credentials.
pub(crate) fn compare(headers: &[PathBuf]) -> Result<()> {
    steps::run(&steps::cargo(), &["build", "--quiet", "--package", "kmm-cli"])?;
    registry::set_up()?;
    let [own, .., other] = headers else {
        bail!("two flavours of headers are needed");
    };
    let kernel = kmods::release(own)?;
    let folder = steps::cache()?.join(format!("preflight-{}", std::process::id()));
    let result = all(&folder, &kernel, own, other);
    let _ = fs::remove_dir_all(&folder);
    result
}

fn all(folder: &Path, kernel: &str, own: &Path, other: &Path) -> Result<()> {
    let registry = Registry::start(Kind::TlsBasic)?;
    for (name, headers) in [("fits", own), ("other", other)] {
        image(&folder.join(name), kernel, &kmods::build(headers)?)?;
        let from = format!("oci:{}:v1", folder.join(name).join("layout").display());
        for tag in match name {
            "fits" => &["fits", "raw", "base"][..],
            _ => &["other"],
        } {
            registry.push(&from, &format!("team/{tag}:{kernel}"))?;
        }
    }
    let (manifests, auth) = (folder.join("modules.yaml"), folder.join("auth.json"));
    fs::write(&manifests, modules(&registry.addr))?;
    fs::write(&auth, registry.auth_json().to_string())?;
    let ca = registry.ca_file.as_ref().context("the registry has no CA")?;
    let (manifests, auth, ca) = (text(&manifests)?, text(&auth)?, text(ca)?);
    let symvers = own.join("Module.symvers");
    let facts = ["--symvers", text(&symvers)?];
    let access = ["--auth-file", auth, "--ca-file", ca];
    let ask = |more: &[&str]| preflight(&[&["-f", manifests, "-k", kernel, "-o", "json"], more].concat());

    let out = ask(&[&facts[..], &access].concat())?;
    let answer = answer(&out, 1)?;
    let found = states(&answer);
    for (name, state, reason) in EXPECTED {
        let one = found
            .get(name)
            .map(|(state, reason)| (state.as_str(), reason.as_str()));
        ensure!(
            one == Some((state, reason)),
            "{name}: {one:?}, expected {state} ({reason})"
        );
    }
    ensure!(found.len() == EXPECTED.len(), "{found:?}");
    let build = answer
        .pointer("/toBuild")
        .and_then(Value::as_array)
        .context("no toBuild")?;
    let images: Vec<&str> = build.iter().filter_map(|image| image["image"].as_str()).collect();
    let image = |tag: &str| format!("{}/team/{tag}:{kernel}", registry.addr);
    ensure!(
        images == [image("built"), image("signed")],
        "to build: {images:?}"
    );
    let bases: Vec<(&str, &str)> = build
        .iter()
        .flat_map(|image| image["from"].as_array().into_iter().flatten())
        .filter_map(|base| Some((base["image"].as_str()?, base["existence"].as_str()?)))
        .collect();
    let (there, gone, raw) = (
        image("base"),
        format!("{}/team/gone:1", registry.addr),
        image("raw"),
    );
    ensure!(
        bases == [(there.as_str(), "present"), (&gone, "absent"), (&raw, "present")],
        "bases: {bases:?}"
    );

    let one = |name: &str, more: &[&str], code: i32| -> Result<String> {
        let out = ask(&[&["-m", name], &facts[..], more].concat())?;
        let answer = self::answer(&out, code).with_context(|| format!("{name} {more:?}"))?;
        Ok(states(&answer).remove(name).context("no such Module")?.1)
    };
    for (name, more, code, reason) in [
        ("fits", &access[..], 0, "fits"),
        ("plugin-only", &access[..], 0, "nothingToLoad"),
        ("built", &access[..], 1, "build"),
        ("away", &access[..], 2, "noAnswer"),
        // No password; no CA; nobody asked.
        ("fits", &["--ca-file", ca], 2, "noAnswer"),
        ("fits", &["--auth-file", auth], 2, "noAnswer"),
        ("fits", &["--auth-file", auth, "--skip-tls-verify"], 0, "fits"),
        ("fits", &["--offline"], 2, "notAsked"),
    ] {
        let found = one(name, more, code)?;
        ensure!(found == reason, "{name} {more:?}: {found}, expected {reason}");
    }
    println!(
        "{} Modules on {kernel}: every state and every exit code",
        EXPECTED.len()
    );
    Ok(())
}

fn preflight(arguments: &[&str]) -> Result<Output> {
    let kmm = target_folder().join("debug/kmm");
    let mut command = Command::new(&kmm);
    command.arg("preflight").args(arguments);
    // What this machine keeps for its own user is not asked.
    command
        .env_remove("REGISTRY_AUTH_FILE")
        .env("HOME", "/nonexistent");
    command
        .output()
        .with_context(|| format!("could not start `{}`", kmm.display()))
}

fn answer(out: &Output, code: i32) -> Result<Value> {
    let said = String::from_utf8_lossy(&out.stderr);
    let printed = String::from_utf8_lossy(&out.stdout);
    ensure!(
        out.status.code() == Some(code),
        "ended with {}, expected {code}: {said}\n{printed}",
        out.status
    );
    Ok(serde_json::from_slice(&out.stdout)?)
}

/// State and reason of each Module.
fn states(answer: &Value) -> BTreeMap<String, (String, String)> {
    let modules = answer["modules"].as_array().into_iter().flatten();
    modules
        .filter_map(|judged| {
            let word = |key: &str| judged[key].as_str().map(str::to_owned);
            let name = judged["module"]["name"].as_str()?;
            Some((name.to_owned(), (word("state")?, word("reason")?)))
        })
        .collect()
}

/// A layout with one image: a module, indexed, below `/opt`.
fn image(folder: &Path, kernel: &str, built: &Path) -> Result<()> {
    let modules = folder.join("root/opt/lib/modules").join(kernel);
    fs::create_dir_all(&modules)?;
    fs::copy(built.join("kmm_base.ko"), modules.join("kmm_base.ko"))?;
    layers::shell(
        folder,
        &format!(
            "
            depmod -b root/opt {kernel} 2> /dev/null
            tar -C root --sort=name -cf layer.tar .
            umoci init --layout layout
            umoci new --image layout:v1
            umoci raw add-layer --image layout:v1 layer.tar
            "
        ),
    )
}

fn modules(addr: &str) -> String {
    let module = |name: &str, host: &str, tag: &str, more: &str| {
        format!(
            "apiVersion: kmm.sigs.x-k8s.io/v1beta1\nkind: Module\nmetadata: {{name: {name}, namespace: drivers}}\nspec:\n  \
             selector: {{kubernetes.io/arch: amd64}}\n  moduleLoader:\n    container:\n      modprobe: {{moduleName: kmm_base}}\n      \
             kernelMappings:\n      - regexp: '^[0-9]'\n        containerImage: '{host}/team/{tag}:${{KERNEL_FULL_VERSION}}'\n{more}---\n"
        )
    };
    let sign = |unsigned: &str| {
        format!(
            "        sign: {{unsignedImage: '{addr}/team/{unsigned}:${{KERNEL_FULL_VERSION}}', keySecret: {{name: k}}, \
             certSecret: {{name: c}}, filesToSign: [/opt/a.ko]}}\n"
        )
    };
    [
        module("fits", addr, "fits", ""),
        module("other-flavour", addr, "other", ""),
        module(
            "built",
            addr,
            "built",
            "        build: {dockerfileConfigMap: {name: dockerfile}}\n",
        ),
        module("signed", addr, "signed", &sign("raw")),
        module("nothing-to-sign", addr, "signed-too", &sign("gone")),
        module("nobody", addr, "gone", ""),
        module("unmapped", addr, "fits", "").replace("^[0-9]", "^none$"),
        module("away", "127.0.0.1:1", "fits", ""),
        "apiVersion: kmm.sigs.x-k8s.io/v1beta1\nkind: Module\nmetadata: {name: plugin-only, namespace: drivers}\nspec:\n  \
         selector: {a: b}\n  devicePlugin: {container: {image: 'x.example/plugin:1'}}\n---\n"
            .to_owned(),
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: dockerfile, namespace: drivers}}\ndata:\n  dockerfile: |\n    \
             ARG KERNEL_FULL_VERSION\n    FROM {addr}/team/base:${{KERNEL_FULL_VERSION}} AS builder\n    FROM {addr}/team/gone:1\n    \
             COPY --from=builder /a /a\n"
        ),
    ]
    .concat()
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path is not UTF-8")
}
