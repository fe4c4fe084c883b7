//! What the programs of a node read.

use serde_json::Value;
use serde_json::json;

/// How the kubelet reaches the API server, with the certificates of a folder.
pub(super) fn kubeconfig(server: &str, folder: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "node",
        "clusters": [{"name": "node", "cluster": {
            "server": server, "certificate-authority": format!("{folder}/ca.crt"),
        }}],
        "contexts": [{"name": "node", "context": {"cluster": "node", "user": "node"}}],
        "users": [{"name": "node", "user": {
            "client-certificate": format!("{folder}/kubelet.crt"), "client-key": format!("{folder}/kubelet.key"),
        }}],
    })
}

/// The configuration of the kubelet, with the certificates of a folder.
///
/// The format: <https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/>.
pub(super) fn kubelet(address: &str, port: u16, folder: &str) -> Value {
    let file = |name: &str| format!("{folder}/{name}");
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "address": address, "port": port, "readOnlyPort": 0, "healthzPort": 10248,
        "authentication": {
            "anonymous": {"enabled": false}, "webhook": {"enabled": true},
            "x509": {"clientCAFile": file("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": file("kubelet-server.crt"), "tlsPrivateKeyFile": file("kubelet-server.key"),
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs", "failSwapOn": false, "clusterDNS": ["127.0.0.1"],
        "resolvConf": "/etc/resolv.conf", "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "syncFrequency": "1s", "nodeStatusUpdateFrequency": "1s", "nodeStatusReportFrequency": "10s",
        "imageGCHighThresholdPercent": 100, "evictionHard": {"memory.available": "50Mi"},
    })
}

/// What differs between the configurations of containerd.
#[derive(Debug)]
pub(super) struct Containerd<'s> {
    /// Where it keeps images and containers.
    pub(super) root: &'s str,
    /// The folders of network plugins, and of their configuration.
    pub(super) network: [&'s str; 2],
    /// The program `runc`.
    pub(super) runc: &'s str,
    /// The image of the container that holds a pod together.
    pub(super) pause: &'s str,
    /// More lines about images, and about the runtime.
    pub(super) images: &'s str,
    pub(super) runtime: &'s str,
}

/// The configuration of containerd.
pub(super) fn containerd(settings: &Containerd<'_>) -> String {
    let Containerd {
        root,
        network: [programs, networks],
        runc,
        pause,
        images,
        runtime,
    } = settings;
    format!(
        "version = 3
root = '{root}'
state = '/run/containerd'
disabled_plugins = [
  'io.containerd.nri.v1.nri',
  'io.containerd.image-verifier.v1.bindir',
  'io.containerd.snapshotter.v1.erofs',
  'io.containerd.snapshotter.v1.blockfile',
  'io.containerd.differ.v1.erofs',
  'io.containerd.internal.v1.opt',
]
[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  pinned_images = {{sandbox = '{pause}'}}
  {images}
[plugins.'io.containerd.cri.v1.runtime']
  {runtime}
  cni = {{bin_dirs = ['{programs}'], conf_dir = '{networks}', use_internal_loopback = true}}
  containerd.runtimes.runc = {{runtime_type = 'io.containerd.runc.v2', options = {{BinaryName = '{runc}', \
         SystemdCgroup = false}}}}
"
    )
}
