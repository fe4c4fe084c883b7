//! A control plane on the loopback: etcd, kube-apiserver, and when they are wanted the controllers and the scheduler.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kube::Client;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use serde_json::json;

use super::access;
use super::binaries::Binaries;
use super::certificates;
use super::ports;
use super::process;
use super::process::Process;
use crate::steps;

/// How long a part may take until it answers; a loaded machine takes its time.
const START: Duration = Duration::from_secs(300);
/// What the API server writes down.
const AUDIT_POLICY: &str = "audit-policy.yaml";

/// A running control plane. What it started is stopped, and its files are removed, when this is dropped.
///
/// The order matters: the controllers are started after the CRDs are installed, because the garbage collector learns the
/// kinds when it starts.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    // Dropped in this order: those that need the API server first.
    scheduler: Option<Process>,
    controller_manager: Option<Process>,
    apiserver: Process,
    etcd: Process,
    ports: Ports,
    binaries: Binaries,
    folder: Folder,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    etcd: u16,
    peer: u16,
    api: u16,
    controller_manager: u16,
    scheduler: u16,
}

impl ControlPlane {
    /// Starts etcd and the API server, and waits until it is ready.
    pub(crate) async fn start() -> Result<Self> {
        let binaries = Binaries::set_up()?;
        let folder = Folder::make()?;
        let started = Instant::now();
        certificates::make(&folder.0)?;
        let ports = Ports::free()?;
        for (client, _) in CLIENTS {
            write_kubeconfig(&folder.0, client, ports.api)?;
        }
        let policy = folder.0.join(AUDIT_POLICY);
        std::fs::write(&policy, access::audit_policy().to_string())
            .with_context(|| format!("could not write `{}`", policy.display()))?;
        let etcd = start_etcd(&binaries, &folder.0, ports)?;
        let apiserver = start_apiserver(&binaries, &folder.0, ports)?;
        let mut plane = Self {
            scheduler: None,
            controller_manager: None,
            apiserver,
            etcd,
            ports,
            binaries,
            folder,
        };
        plane.wait_until_ready().await?;
        println!(
            "etcd and kube-apiserver are ready on 127.0.0.1:{} after {:.1} s",
            ports.api,
            started.elapsed().as_secs_f64()
        );
        Ok(plane)
    }

    /// Starts the controller-manager and the scheduler, and waits until they are healthy.
    pub(crate) async fn start_controllers(&mut self) -> Result<()> {
        let started = Instant::now();
        let folder = self.folder.0.clone();
        let common = |client: &str, port: u16| {
            let kubeconfig = kubeconfig(&folder, client).display().to_string();
            vec![
                format!("--kubeconfig={kubeconfig}"),
                format!("--authentication-kubeconfig={kubeconfig}"),
                format!("--authorization-kubeconfig={kubeconfig}"),
                "--bind-address=127.0.0.1".to_owned(),
                format!("--secure-port={port}"),
                format!("--cert-dir={}", folder.join(client).display()),
                "--leader-elect=false".to_owned(),
                "--kube-api-qps=500".to_owned(),
                "--kube-api-burst=1000".to_owned(),
            ]
        };
        let mut arguments = common("controller-manager", self.ports.controller_manager);
        arguments.extend([
            "--use-service-account-credentials=true".to_owned(),
            format!(
                "--service-account-private-key-file={}",
                folder.join("sa.key").display()
            ),
            format!("--root-ca-file={}", folder.join("ca.crt").display()),
            "--concurrent-gc-syncs=20".to_owned(),
            // Nodes without a kubelet stay ready; new ones still lose their taint quickly.
            "--node-monitor-grace-period=8760h".to_owned(),
            "--node-monitor-period=1s".to_owned(),
        ]);
        let program = self.binaries.controller_manager.clone();
        self.controller_manager = Some(Process::start(
            "controller-manager",
            &program,
            &arguments,
            &[],
            &folder,
        )?);
        let arguments = common("scheduler", self.ports.scheduler);
        let program = self.binaries.scheduler.clone();
        self.scheduler = Some(Process::start("scheduler", &program, &arguments, &[], &folder)?);
        for port in [self.ports.controller_manager, self.ports.scheduler] {
            self.wait_until_listening(port).await?;
        }
        println!(
            "controller-manager and scheduler listen after {:.1} s",
            started.elapsed().as_secs_f64()
        );
        Ok(())
    }

    /// A client that may do everything.
    pub(crate) async fn client(&self) -> Result<Client> {
        let config = Kubeconfig::read_from(self.kubeconfig())?;
        let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }

    /// The kubeconfig of that client.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        kubeconfig(&self.folder.0, "admin")
    }

    /// Writes the kubeconfig of someone who has a token.
    pub(super) fn write_kubeconfig(&self, path: &Path, token: &str) -> Result<()> {
        let user = json!({"token": token});
        std::fs::write(path, config_of(&self.folder.0, self.ports.api, &user).to_string())
            .with_context(|| format!("could not write `{}`", path.display()))
    }

    /// The port of the API server, on the loopback.
    pub(crate) fn port(&self) -> u16 {
        self.ports.api
    }

    /// Where files of this run belong.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Ends the API server without notice and starts it again; etcd lives on.
    pub(crate) async fn restart_apiserver(&mut self) -> Result<()> {
        self.apiserver.kill();
        self.apiserver = start_apiserver(&self.binaries, &self.folder.0, self.ports)?;
        self.wait_until_ready().await
    }

    /// Names and process ids of all parts.
    pub(super) fn processes(&self) -> Vec<(String, u32)> {
        let parts = [
            ("etcd", Some(&self.etcd)),
            ("kube-apiserver", Some(&self.apiserver)),
            ("kube-controller-manager", self.controller_manager.as_ref()),
            ("kube-scheduler", self.scheduler.as_ref()),
        ];
        let parts = parts.into_iter();
        parts
            .filter_map(|(name, process)| Some((name.to_owned(), process?.id())))
            .collect()
    }

    /// The ends of the logs of all parts.
    pub(crate) fn logs(&self) -> String {
        let parts = [
            Some(&self.apiserver),
            self.controller_manager.as_ref(),
            self.scheduler.as_ref(),
        ];
        let parts = parts.into_iter().flatten();
        parts.map(|part| part.last_lines() + "\n").collect()
    }

    /// Fails when a part has ended.
    fn check(&mut self) -> Result<()> {
        self.etcd.check()?;
        self.apiserver.check()?;
        for process in self.controller_manager.iter_mut().chain(&mut self.scheduler) {
            process.check()?;
        }
        Ok(())
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let client = self.client().await?;
        let started = Instant::now();
        loop {
            self.check()?;
            let request = http::Request::get("/readyz").body(Vec::new())?;
            if client.request_text(request).await.is_ok() {
                return Ok(());
            }
            if started.elapsed() > START {
                bail!(
                    "kube-apiserver is not ready after {} s:\n{}",
                    START.as_secs(),
                    self.apiserver.last_lines()
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn wait_until_listening(&mut self, port: u16) -> Result<()> {
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            self.check()?;
            if started.elapsed() > START {
                bail!("nothing listens on 127.0.0.1:{port} after {} s", START.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

impl Ports {
    /// Ports that nobody listens on now.
    fn free() -> Result<Self> {
        Ok(Self {
            etcd: ports::free()?,
            peer: ports::free()?,
            api: ports::free()?,
            controller_manager: ports::free()?,
            scheduler: ports::free()?,
        })
    }
}

/// Names of the kubeconfigs, and the users in them.
const CLIENTS: [(&str, &str); 3] = [
    ("admin", "admin"),
    ("controller-manager", "system:kube-controller-manager"),
    ("scheduler", "system:kube-scheduler"),
];

fn kubeconfig(folder: &Path, client: &str) -> PathBuf {
    folder.join(format!("{client}.kubeconfig"))
}

fn write_kubeconfig(folder: &Path, client: &str, port: u16) -> Result<()> {
    let file = |name: &str| folder.join(name).display().to_string();
    let user = json!({
        "client-certificate": file(&format!("{client}.crt")), "client-key": file(&format!("{client}.key")),
    });
    let path = kubeconfig(folder, client);
    std::fs::write(&path, config_of(folder, port, &user).to_string())
        .with_context(|| format!("could not write `{}`", path.display()))
}

fn config_of(folder: &Path, port: u16, user: &serde_json::Value) -> serde_json::Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": folder.join("ca.crt").display().to_string(),
        }}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "users": [{"name": "test", "user": user}],
    })
}

fn start_etcd(binaries: &Binaries, folder: &Path, ports: Ports) -> Result<Process> {
    let client = format!("http://127.0.0.1:{}", ports.etcd);
    let peer = format!("http://127.0.0.1:{}", ports.peer);
    let arguments = [
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        "--unsafe-no-fsync".to_owned(),
        // The most that etcd's guide advises: thousands of nodes write more in five minutes than the usual two GiB hold.
        format!("--quota-backend-bytes={}", 8_u64 << 30),
    ];
    Process::start("etcd", &binaries.etcd, &arguments, &[], folder)
}

fn start_apiserver(binaries: &Binaries, folder: &Path, ports: Ports) -> Result<Process> {
    let file = |name: &str| folder.join(name).display().to_string();
    let arguments = [
        format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", ports.api),
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--cert-dir={}", folder.display()),
        format!("--tls-cert-file={}", file("apiserver.crt")),
        format!("--tls-private-key-file={}", file("apiserver.key")),
        format!("--client-ca-file={}", file("ca.crt")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        "--api-audiences=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", file("sa.pub")),
        format!("--service-account-signing-key-file={}", file("sa.key")),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--allow-privileged=true".to_owned(),
        // Who names an owner whose end something blocks needs the right to do so. Some distributions ask for it.
        "--enable-admission-plugins=OwnerReferencesPermissionEnforcement".to_owned(),
        format!("--kubelet-client-certificate={}", file("admin.crt")),
        format!("--kubelet-client-key={}", file("admin.key")),
        format!("--audit-policy-file={}", file(AUDIT_POLICY)),
        format!("--audit-log-path={}", access::audit_log(folder).display()),
    ];
    Process::start("apiserver", &binaries.apiserver, &arguments, &[], folder)
}

/// A folder of one run, removed with it.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    /// Makes one, after clearing away what killed runs left behind.
    fn make() -> Result<Self> {
        let runs = steps::cache()?.join("clusters");
        std::fs::create_dir_all(&runs)?;
        for entry in std::fs::read_dir(&runs)? {
            let path = entry?.path();
            let owner = path.file_name().and_then(|name| name.to_str()?.split('-').next());
            if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
                process::end_left_over(&path);
                let _ = std::fs::remove_dir_all(&path);
            }
        }
        let folder = runs.join(format!("{}-{:08x}", std::process::id(), fastrand::u32(..)));
        std::fs::create_dir(&folder).with_context(|| format!("could not make `{}`", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is cleared away by the next run.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
