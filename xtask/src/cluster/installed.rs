//! The manifests and the chart on a real API server: the commands of the guides, run in their order.
//!
//! There is no kubelet: what pods would do is played. The operator's pod is the built program, which runs with the account
//! that the manifests made.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use kube::Client;
use kube::api::DynamicObject;
use kube::api::PostParams;
use serde_json::Value;
use serde_json::json;

use super::access;
use super::control_plane::ControlPlane;
use super::kubelet::Kubelets;
use super::life;
use super::objects::PATIENCE;
use super::objects::api_of;
use super::objects::apply;
use super::objects::change;
use super::objects::create;
use super::objects::get;
use super::objects::list;
use super::objects::until;
use super::running::Operator;
use super::takeover;
use crate::deploy::NAMESPACE;
use crate::deploy::Tools;
use crate::steps;

const BETA: &str = "kmm.sigs.x-k8s.io/v1beta1";

/// Installs, uses and removes everything as the guide says.
pub(super) async fn check(tools: &Tools, kmm: &Path) -> Result<()> {
    let mut plane = ControlPlane::start().await?;
    let client = plane.client().await?;
    plane.start_controllers().await?;
    let mut node = life::node("w1", "acme");
    node["metadata"]["labels"]["node-role.kubernetes.io/worker"] = json!("");
    create(&client, &node).await?;
    let _kubelets = Kubelets::start(&client);
    let shell = Shell::new(&plane, tools, kmm)?;
    let mut pod = Pod {
        running: None,
        count: 0,
    };
    let blocks = blocks("docs/guide/install.md")?;
    ensure!(
        blocks.len() > 10,
        "the guide has {} blocks of commands",
        blocks.len()
    );
    for block in &blocks {
        pod.follow(&plane, &client, kmm).await?;
        if block.text.contains("webhook.enabled=true") {
            // One that is there before, and has to go when nobody answers.
            let [nic, _] = life::modules();
            apply(&client, &nic).await?;
            seen(&client, &nic).await?;
        }
        if let Err(error) = shell.run(block).await {
            let terminating = terminating(&client)
                .await
                .unwrap_or_else(|error| format!("{error:#}"));
            let (operator, plane) = (pod.last_lines(), plane.logs());
            return Err(error.context(format!(
                "the operator's log ends with\n{operator}\nCRDs that do not go:\n{terminating}\nthe control plane:\n{plane}"
            )));
        }
        if block.text.contains("kmm explain --cluster drivers/") {
            explained(&plane, &client, kmm).await?;
        }
        if block.text.contains("webhook.enabled=true") {
            refused_without_webhook(&client).await?;
        }
        if block.text.contains("delete modules") {
            let left = list(&client, BETA, "Module").await?;
            ensure!(left.is_empty(), "Modules were left: {left:?}");
        }
    }
    println!(
        "{} blocks of commands of docs/guide/install.md were run",
        blocks.len()
    );
    Ok(())
}

/// Takes a cluster over from the Go operator as the guide says, and sees that nothing changes.
pub(super) async fn migrate(tools: &Tools, kmm: &Path) -> Result<()> {
    let mut plane = ControlPlane::start().await?;
    let client = plane.client().await?;
    super::objects::install_crds(&client).await?;
    takeover::put_back_recording(&client, "settled.json").await?;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    apply(&client, &namespace).await?;
    for object in go_operator() {
        apply(&client, &object).await?;
    }
    plane.start_controllers().await?;
    takeover::wait_until_counted(&client).await?;
    let shell = Shell::new(&plane, tools, kmm)?;
    // The folder `kmm` of the other guide, without the installation.
    let install = blocks("docs/guide/install.md")?;
    let first = install.first().context("the guide has no commands")?;
    let folder = first.text.split("kubectl apply").next().unwrap_or_default();
    let folder = Block {
        text: folder.to_owned(),
        eventually: false,
    };
    shell.run(&folder).await?;
    let before = life::settled(&client).await?;
    let mut pod = Pod {
        running: None,
        count: 0,
    };
    let blocks = blocks("docs/guide/migration.md")?;
    ensure!(
        blocks.len() >= 7,
        "the guide has {} blocks of commands",
        blocks.len()
    );
    for block in &blocks {
        pod.follow(&plane, &client, kmm).await?;
        shell.run(block).await?;
    }
    let Some((_, operator)) = &pod.running else {
        bail!("the guide installed no operator");
    };
    let after = life::settled(&client).await?;
    for (key, object) in before.as_object().into_iter().flatten() {
        // Stand-ins and the namespace of the operators change, as they should.
        if !key.contains(NAMESPACE) {
            ensure!(after[key] == *object, "{key} was {object}\nand is {}", after[key]);
        }
    }
    ensure!(
        operator.writes().is_empty(),
        "the operator wrote: {:#?}",
        operator.writes()
    );
    println!(
        "{} blocks of commands of docs/guide/migration.md were run: nothing changed",
        blocks.len()
    );
    Ok(())
}

/// What is left of a Go operator when it is stopped: objects with its names.
fn go_operator() -> Vec<Value> {
    let mut objects: Vec<Value> = ["kmm-operator-controller", "kmm-operator-webhook"]
        .map(|name| {
            let labels = json!({"app": name});
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {
                    "replicas": 1, "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {"containers": [{"name": "manager", "image": "registry.example.com/go-operator:1"}]},
                    },
                },
            })
        })
        .into();
    objects.push(json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "kmm-operator-validating-webhook-configuration"},
        "webhooks": [{
            "name": "vmodule.kb.io", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
            "clientConfig": {"service": {"name": "kmm-operator-webhook-service", "namespace": NAMESPACE}},
            "rules": [{
                "apiGroups": ["kmm.sigs.x-k8s.io"], "apiVersions": ["v1beta1"], "operations": ["CREATE", "UPDATE"],
                "resources": ["modules"],
            }],
        }],
    }));
    objects
}

/// The operator's pod.
struct Pod {
    /// The account that it runs with, by its uid.
    running: Option<(Value, Operator)>,
    count: usize,
}

impl Pod {
    /// Runs as long as its account is there, as the pod of the Deployment would.
    async fn follow(&mut self, plane: &ControlPlane, client: &Client, kmm: &Path) -> Result<()> {
        let account = get(client, "v1", "ServiceAccount", NAMESPACE, "kmm-operator").await?;
        let uid = account["metadata"]["uid"].clone();
        if self.running.as_ref().is_some_and(|(running, _)| *running == uid) {
            return Ok(());
        }
        if let Some((_, operator)) = self.running.take() {
            operator.kill();
        }
        if uid.is_null() {
            return Ok(());
        }
        access::log_in(plane, client).await?;
        self.count += 1;
        let mut operator = Operator::start(plane, kmm, &format!("operator-{}", self.count))?;
        operator.wait_until_listed().await?;
        self.running = Some((uid, operator));
        Ok(())
    }

    fn last_lines(&self) -> String {
        let running = self.running.as_ref();
        running.map_or_else(String::new, |(_, operator)| operator.last_lines())
    }
}

/// A block of commands of a guide.
struct Block {
    text: String,
    /// Whether it is to succeed at some time, and not at once.
    eventually: bool,
}

/// The blocks of a guide that are marked as commands.
fn blocks(guide: &str) -> Result<Vec<Block>> {
    let path = steps::root().join(guide);
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("could not read `{}`", path.display()))?;
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if info == "sh" || info == "sh eventually" {
            blocks.push(Block {
                text: inside.join("\n"),
                eventually: info != "sh",
            });
        }
    }
    Ok(blocks)
}

/// A shell as an administrator has it.
struct Shell {
    folder: PathBuf,
    path: String,
    kubeconfig: PathBuf,
}

impl Shell {
    fn new(plane: &ControlPlane, tools: &Tools, kmm: &Path) -> Result<Self> {
        let folder = plane.folder().join("guide");
        std::fs::create_dir(&folder)?;
        for name in ["kmm-kube", "examples"] {
            std::os::unix::fs::symlink(steps::root().join(name), folder.join(name))?;
        }
        // A certificate of this CA; what is in it matters only to a webhook that is asked.
        for (from, to) in [
            ("apiserver.crt", "tls.crt"),
            ("apiserver.key", "tls.key"),
            ("ca.crt", "ca.crt"),
        ] {
            std::fs::copy(plane.folder().join(from), folder.join(to))?;
        }
        let own = kmm.parent().context("the program lies in no folder")?;
        let path = std::env::var("PATH").unwrap_or_default();
        Ok(Self {
            folder,
            path: format!("{}:{}:{path}", tools.folder().display(), own.display()),
            kubeconfig: plane.kubeconfig(),
        })
    }

    async fn run(&self, block: &Block) -> Result<()> {
        println!("{}", block.text);
        let started = Instant::now();
        loop {
            let out = Command::new("bash")
                .args(["-e", "-o", "pipefail", "-c", &block.text])
                .current_dir(&self.folder)
                .env("PATH", &self.path)
                .env("KUBECONFIG", &self.kubeconfig)
                .env("HOME", &self.folder)
                .output()
                .context("could not start `bash`")?;
            let said =
                String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
            if out.status.success() {
                println!("{}", said.trim_end());
                return Ok(());
            }
            if !block.eventually || started.elapsed() > PATIENCE {
                bail!("this ended with {}:\n{}\n{said}", out.status, block.text);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// What `kmm explain --cluster` says of what does not fit, to those who may not see it, and where there is no answer.
async fn explained(plane: &ControlPlane, client: &Client, kmm: &Path) -> Result<()> {
    let ask = |kubeconfig: &Path, arguments: &[&str]| -> Result<(Option<i32>, String, String)> {
        let out = Command::new(kmm)
            .args(["explain", "--cluster", "--kubeconfig"])
            .arg(kubeconfig)
            .args(arguments)
            .output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((out.status.code(), text(&out.stdout), text(&out.stderr)))
    };
    let admin = plane.kubeconfig();
    let [_, lost] = life::modules();
    apply(client, &lost).await?;
    seen(client, &lost).await?;
    let (code, out, _) = ask(&admin, &["drivers/lost", "w1", "-o", "json", "--context", "test"])?;
    let answer: Value = serde_json::from_str(&out)?;
    ensure!(code == Some(1) && answer["version"] == 1, "{code:?} {answer}");
    let module = &answer["modules"][0];
    let gates = module["nodes"][0]["gates"].as_array().context("no gates")?;
    let shut: Vec<&Value> = gates
        .iter()
        .filter(|gate| gate["status"] == "fail")
        .map(|gate| &gate["gate"])
        .collect();
    ensure!(shut == ["mapping"], "{module}");
    let reasons = module["reasons"].as_array().context("no reasons")?;
    let says = |code: &str| {
        reasons
            .iter()
            .any(|said| said["code"] == code && said["progress"] == "stuck")
    };
    ensure!(says("NoMapping") && says("NodesLeftOut"), "{module}");
    for (arguments, named) in [
        (&["drivers/none"][..], "there is no Module `drivers/none`"),
        (&["lost", "w9"], "there is no node `w9`"),
        (&["--context", "other"], "no way to a cluster"),
    ] {
        let (code, _, said) = ask(&admin, arguments)?;
        ensure!(
            code == Some(2) && said.contains(named),
            "{arguments:?}: {code:?} {said}"
        );
    }
    // Somebody without rights, then with the role that is made for it, and nobody at all.
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "curious", "namespace": "drivers"}});
    apply(client, &account).await?;
    let curious = plane.folder().join("curious.kubeconfig");
    plane.write_kubeconfig(&curious, &access::token(client, "drivers", "curious").await?)?;
    let (code, _, said) = ask(&curious, &["lost"])?;
    ensure!(
        code == Some(2) && said.contains("you may not list nodes"),
        "{code:?} {said}"
    );
    apply(client, &json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "curious"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "kmm-explain"},
        "subjects": [{"kind": "ServiceAccount", "name": "curious", "namespace": "drivers"}],
    }))
    .await?;
    until("the role lets it be seen", async || {
        Ok(ask(&curious, &["lost"])?.0 == Some(1))
    })
    .await?;
    plane.write_kubeconfig(&curious, "no token")?;
    let (code, _, said) = ask(&curious, &[])?;
    ensure!(
        code == Some(2) && said.contains("does not know who asks"),
        "{code:?} {said}"
    );
    super::objects::delete_now(client, &lost).await?;
    println!("kmm explain --cluster: gates and reasons agree, and refusals name the verb");
    Ok(())
}

/// Waits until the operator has looked at a Module, so that what is said of it is complete.
async fn seen(client: &Client, module: &Value) -> Result<()> {
    let name = module["metadata"]["name"].as_str().unwrap_or_default();
    until("the operator has seen the Module", async || {
        let module = get(client, BETA, "Module", "drivers", name).await?;
        Ok(module["metadata"]["finalizers"].is_array() && !module["status"].is_null())
    })
    .await
}

/// Why CRDs that are being deleted are still there.
async fn terminating(client: &Client) -> Result<String> {
    let mut text = String::new();
    for crd in list(client, "apiextensions.k8s.io/v1", "CustomResourceDefinition").await? {
        if crd["metadata"]["deletionTimestamp"].is_null() {
            continue;
        }
        let conditions = crd["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let why = conditions.iter().find(|one| one["type"] == "Terminating");
        text += &format!("{} {}\n", crd["metadata"]["name"], why.unwrap_or(&Value::Null));
    }
    Ok(text)
}

/// Where the webhooks do not answer, a Module is not taken unseen, and one that is there is not changed.
async fn refused_without_webhook(client: &Client) -> Result<()> {
    let [nic, _] = life::modules();
    until("a Module is refused while no webhook answers", async || {
        let params = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let mut module: DynamicObject = serde_json::from_value(nic.clone())?;
        module.metadata.name = Some("unseen".to_owned());
        match api_of(client, &nic)?.create(&params, &module).await {
            Ok(_) => Ok(false),
            Err(error) if error.to_string().contains("vmodule.kb.io") => Ok(true),
            Err(error) => Err(error.into()),
        }
    })
    .await?;
    let changed = json!({"spec": {"selector": {"pool": "other"}}});
    let refused = change(client, &nic, &changed).await.err();
    let refused = refused.context("a Module was changed while no webhook answered")?;
    let said = format!("{refused:#}");
    ensure!(said.contains("vmodule.kb.io"), "{said}");
    println!("a Module was refused, and another not changed, while no webhook answered");
    Ok(())
}
