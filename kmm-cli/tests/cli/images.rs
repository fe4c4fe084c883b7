//! `kmm image` on images in every form, made here of the folders of the examples, and on broken ones.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use kmm_core::image;
use kmm_oci::Digest;
use serde_json::Value;
use serde_json::json;
use snapbox::cmd::Command;
use tempfile::TempDir;

use super::builder::Object;
use super::command;
use super::kmm;
use super::kmm_with_input;
use super::stderr;
use super::stdout;
use super::workspace;

const KERNEL: &str = "6.1.0-56-cloud-amd64";
const FOR_KERNEL: [&str; 6] = [
    "-m",
    "kmm_base",
    "-k",
    KERNEL,
    "--symvers",
    "examples/images/Module.symvers",
];

type Files = Vec<(String, Vec<u8>)>;

/// The files of an example.
fn rootfs(name: &str) -> Files {
    let root = workspace().join("examples/images").join(name);
    let folder = format!("opt/lib/modules/{KERNEL}");
    ["kmm_base.ko", "modules.dep", "modules.dep.bin"]
        .map(|file| format!("{folder}/{file}"))
        .map(|path| (path.clone(), fs::read(root.join(&path)).unwrap()))
        .into()
}

fn tar(files: &Files) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, bytes) in files {
        let mut header = [0_u8; 512];
        let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, path);
        put(100, "0000644");
        put(124, &format!("{:011o}", bytes.len()));
        put(136, "00000000000");
        put(148, "        ");
        put(156, "0");
        put(257, "ustar");
        put(263, "00");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        out.extend(header);
        out.extend(bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// An OCI layout with one image of one layer, tagged `v1`.
fn layout(rootfs: &Files) -> Files {
    let mut files = Files::new();
    let mut manifest = image(&mut files, rootfs, "amd64");
    manifest["annotations"] = json!({"org.opencontainers.image.ref.name": "v1"});
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    files.push(("index.json".to_owned(), index.to_string().into_bytes()));
    files.push((
        "oci-layout".to_owned(),
        br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
    ));
    files
}

/// The blobs of an index with one image for each architecture; the index is the last one.
fn several(rootfs: &Files, architectures: &[&str]) -> Files {
    let mut files = Files::new();
    let manifests: Vec<Value> = architectures
        .iter()
        .map(|architecture| {
            let mut manifest = image(&mut files, rootfs, architecture);
            manifest["platform"] = json!({"os": "linux", "architecture": architecture});
            manifest
        })
        .collect();
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests,
    });
    let index = index.to_string().into_bytes();
    let path = format!("blobs/{}", Digest::sha256(&index).to_string().replace(':', "/"));
    files.push((path, index));
    files
}

/// Adds the blobs of an image of one layer, and gives what names it.
fn image(files: &mut Files, rootfs: &Files, architecture: &str) -> Value {
    let mut blob = |kind: &str, bytes: Vec<u8>| {
        let (digest, size) = (Digest::sha256(&bytes), bytes.len());
        let path = format!("blobs/{}", digest.to_string().replace(':', "/"));
        files.push((path, bytes));
        json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest.to_string(), "size": size})
    };
    let layer = tar(rootfs);
    let config = json!({
        "os": "linux", "architecture": architecture, "created": "2026-11-21T00:00:00Z",
        "rootfs": {"type": "layers", "diff_ids": [Digest::sha256(&layer).to_string()]},
    });
    let layer = blob("layer.v1.tar", layer);
    let config = blob("config.v1+json", config.to_string().into_bytes());
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
    blob("manifest.v1+json", manifest.to_string().into_bytes())
}

/// Writes a layout and an archive of it.
fn written(files: &Files) -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (layout, archive) = (folder.path().join("layout"), folder.path().join("image.tar"));
    for (path, bytes) in files {
        let path = layout.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fs::write(&archive, tar(files)).unwrap();
    (folder, layout, archive)
}

fn check(image: &str, more: &[&str]) -> Output {
    kmm(&[&["image", "check", image, "-o", "json"], more].concat())
}

/// Exit code and verdict, and the codes of errors and doubts.
fn answer(output: &Output) -> (i32, String, Vec<String>) {
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", stdout(output), stderr(output)));
    let result = &answer["results"][0];
    let found = result["diagnostics"].as_array().unwrap().iter();
    let codes = found
        .filter(|found| found["severity"] == "error" || found["inDoubt"] == true)
        .map(|found| found["code"].as_str().unwrap().to_owned());
    let verdict = result["verdict"].as_str().unwrap().to_owned();
    (output.status.code().unwrap(), verdict, codes.collect())
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn every_form_of_an_image_gives_the_same_answer() {
    for (name, expected) in [
        ("right", (0, "fits".to_owned(), vec![])),
        (
            "wrong",
            (1, "does-not-fit".to_owned(), vec!["KMM3013".to_owned()]),
        ),
    ] {
        let files = layout(&rootfs(name));
        let (_keep, folder, archive) = written(&files);
        let bytes = fs::read(&archive).unwrap();
        for image in [
            format!("dir:examples/images/{name}"),
            format!("oci:{}", shown(&folder)),
            format!("oci:{}:v1", shown(&folder)),
            format!("oci-archive:{}", shown(&archive)),
            format!("oci-archive:{}:v1", shown(&archive)),
        ] {
            assert_eq!(answer(&check(&image, &FOR_KERNEL)), expected, "{image}");
        }
        let args = [&["image", "check", "-", "-o", "json"], &FOR_KERNEL[..]].concat();
        assert_eq!(answer(&kmm_with_input(&args, &bytes)), expected, "standard input");
    }
}

#[test]
fn digest_and_platform_are_those_of_the_manifest() {
    let files = layout(&rootfs("right"));
    let (_keep, folder, _) = written(&files);
    let output = kmm(&[
        "image",
        "inspect",
        &format!("oci:{}", shown(&folder)),
        "-o",
        "json",
    ]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let image = &answer["images"][0];
    let manifest = files
        .iter()
        .rfind(|(path, _)| path.starts_with("blobs/"))
        .unwrap();
    assert_eq!(image["digest"], Digest::sha256(&manifest.1).to_string());
    assert_eq!(image["platform"], "linux/amd64");
    assert_eq!(image["folders"][0]["kernel"], KERNEL);
    assert_eq!(image["folders"][0]["modules"][0]["version"], "1.0.0");
}

/// A blob that is not what its digest says, or is not there, tells nothing; what is certainly not there is a "no".
#[test]
fn what_cannot_be_told_is_neither_yes_nor_no() {
    let unread = (2, "unknown".to_owned(), vec!["KMM3091".to_owned()]);
    for number in 0..3 {
        let mut files = layout(&rootfs("wrong"));
        let middle = files[number].1.len() / 2;
        files[number].1[middle] ^= 1;
        let (_keep, folder, archive) = written(&files);
        for image in [
            format!("oci:{}", shown(&folder)),
            format!("oci-archive:{}", shown(&archive)),
        ] {
            assert_eq!(
                answer(&check(&image, &FOR_KERNEL)),
                unread,
                "blob {number} of {image}"
            );
        }
        let cut: Files = files
            .into_iter()
            .enumerate()
            .filter(|(at, _)| *at != number)
            .map(|(_, file)| file)
            .collect();
        let (_keep, folder, _) = written(&cut);
        assert_eq!(
            answer(&check(&format!("oci:{}", shown(&folder)), &FOR_KERNEL)),
            unread
        );
    }
    let (_keep, folder, _) = written(&layout(&rootfs("right")));
    let missing = (1, "does-not-fit".to_owned(), vec!["KMM3090".to_owned()]);
    let image = format!("oci:{}", shown(&folder));
    assert_eq!(answer(&check(&format!("{image}:v2"), &FOR_KERNEL)), missing);
    let foreign = [&FOR_KERNEL[..], &["--platform", "linux/arm64"]].concat();
    assert_eq!(answer(&check(&image, &foreign)), missing);
}

/// "No" is certain as soon as one image does not fit.
/// The name of a file could be that of an image, too: who means which one says so.
#[test]
fn a_file_is_not_taken_for_an_image_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("nic.tar"), "").unwrap();
    let run = |arguments: &[&str]| command(arguments).current_dir(folder.path()).output().unwrap();
    for arguments in [["image", "check", "nic.tar"], ["image", "inspect", "nic.tar"]] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(
            stderr(&output),
            "kmm: `nic.tar` is a file here: say `oci-archive:nic.tar` or `docker-archive:nic.tar` for it, or `docker://nic.tar` \
             for an image of this name in a registry\n"
        );
    }
    // What says what it is, and what is no archive, is as ever.
    for image in [
        "docker://127.0.0.1:1/nic.tar",
        "127.0.0.1:1/nic.tar",
        "127.0.0.1:1/nic",
    ] {
        let output = run(&["image", "inspect", image]);
        assert!(!stderr(&output).contains("is a file here"), "{}", stderr(&output));
        assert!(stderr(&output).contains("127.0.0.1:1"), "{}", stderr(&output));
    }
    let output = run(&["image", "inspect", "oci-archive:nic.tar"]);
    assert!(!stderr(&output).contains("is a file here"), "{}", stderr(&output));
}

#[test]
fn the_worst_of_several_images_decides() {
    let gone = "dir:examples/images/nothing";
    let (right, wrong) = ("dir:examples/images/right", "dir:examples/images/wrong");
    for (images, code) in [
        (&[right, right][..], 0),
        (&[right, wrong], 1),
        (&[right, gone], 2),
        (&[gone, wrong], 1),
    ] {
        let output = kmm(&[&["image", "check"], images, &FOR_KERNEL[..]].concat());
        assert_eq!(
            output.status.code(),
            Some(code),
            "{images:?}: {}",
            stdout(&output)
        );
    }
}

#[test]
fn the_modules_of_a_kernel_tell_what_it_takes() {
    let tree = tempfile::tempdir().unwrap();
    let magic = format!("vermagic={KERNEL} SMP preempt mod_unload modversions ");
    let mut known = Object::module(&["name=known", "license=GPL", "intree=Y", &magic]);
    let symbols = [
        ("module_layout", 0xa351_f379),
        ("__fentry__", 0xbdfb_6dbb),
        ("param_ops_int", 0xecbf_b15f),
        ("_printk", 0x9299_7ed8),
        ("__x86_return_thunk", 0x5b82_39ca),
    ];
    known.imports(&symbols.map(|(name, _)| name)[1..]);
    known.versions(&symbols);
    fs::create_dir(tree.path().join("kernel")).unwrap();
    fs::write(tree.path().join("kernel/known.ko"), known.build()).unwrap();
    let mut later = Object::module(&["name=later", "license=GPL", "vermagic=5.0 "]);
    later.imports(&["_printk"]);
    later.versions(&[("_printk", 7)]);
    fs::write(tree.path().join("added.ko"), later.build()).unwrap();
    let tree = ["-m", "kmm_base", "--kernel-tree", shown(tree.path())];
    // Without -k the modules name the kernel.
    let output = check("dir:examples/images/right", &tree);
    assert_eq!(
        answer(&output),
        (0, "fits".to_owned(), vec![]),
        "{}",
        stdout(&output)
    );
    let output = check("dir:examples/images/wrong", &tree);
    assert_eq!(answer(&output).2, ["KMM3013"], "{}", stdout(&output));
    let other = check(
        "dir:examples/images/right",
        &[&tree[..], &["-k", "6.8.0"]].concat(),
    );
    assert_eq!(other.status.code(), Some(2));
    assert!(stderr(&other).contains("are of kernel"), "{}", stderr(&other));
}

/// A registry on the loopback that speaks plain HTTP, and has one image; for everybody, or for who sends this.
struct Registry {
    address: std::net::SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Registry {
    fn start(files: Files) -> Self {
        Self::start_for(files, None)
    }

    fn start_for(files: Files, allowed: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let serve = move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                // Whoever goes away, or speaks TLS, is no concern of the others.
                let _ = answer_request(stream, &files, allowed);
            }
        };
        Self {
            address,
            stop,
            thread: Some(std::thread::spawn(serve)),
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn answer_request(mut stream: TcpStream, files: &Files, allowed: Option<&str>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut request: Vec<u8> = Vec::new();
    let mut piece = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut piece)?;
        request.extend(&piece[..read]);
        // What starts TLS is no request.
        if read == 0 || !request[0].is_ascii_uppercase() {
            return Ok(());
        }
    }
    let line = String::from_utf8_lossy(&request);
    let wanted = |header: &str| line.to_ascii_lowercase().contains(&header.to_ascii_lowercase());
    if allowed.is_some_and(|allowed| !wanted(&format!("\r\nauthorization: basic {allowed}\r\n"))) {
        let refused = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"here\"\r\nContent-Length: 0\r\n\
                       Connection: close\r\n\r\n";
        return stream.write_all(refused.as_bytes());
    }
    let path = line.split(' ').nth(1).unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    // The last blob of the layout is the manifest.
    let manifest = files.iter().rfind(|(path, _)| path.starts_with("blobs/"));
    let wanted = format!("blobs/{}", last.replace(':', "/"));
    let found = match last {
        "v1" => manifest,
        _ => files.iter().find(|(path, _)| *path == wanted),
    };
    let (status, body) = match found {
        Some((_, bytes)) => ("200 OK", bytes.as_slice()),
        None if path == "/v2/" => ("200 OK", &b"{}"[..]),
        None => ("404 Not Found", &b"{}"[..]),
    };
    let kind = if body.windows(11).any(|part| part == b"\"manifests\"") {
        "application/vnd.oci.image.index.v1+json"
    } else if path.contains("/manifests/") {
        "application/vnd.oci.image.manifest.v1+json"
    } else {
        "application/octet-stream"
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    if !line.starts_with("HEAD ") {
        stream.write_all(body)?;
    }
    Ok(())
}

/// `kmm` on a machine that has no credentials, mirrors or proxy of its own; `folder` is empty.
fn without_settings(args: &[&str], folder: &Path) -> Command {
    let mirrors = folder.join("registries.conf");
    fs::write(&mirrors, "").unwrap();
    command(args)
        .env("NO_PROXY", "127.0.0.1")
        .env("REGISTRY_AUTH_FILE", folder.join("none"))
        .env("CONTAINERS_REGISTRIES_CONF", mirrors)
}

/// With `-f` alone the mapping names the image, and the Module says how its registry is reached.
#[test]
fn images_of_a_mapping_are_had_from_their_registry() {
    let registry = Registry::start(layout(&rootfs("right")));
    let folder = tempfile::tempdir().unwrap();
    let check = |tls: bool, tag: &str, more: &[&str]| {
        let module = json!({
            "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module",
            "metadata": {"name": "base", "namespace": "drivers"},
            "spec": {"selector": {"a": "b"}, "moduleLoader": {"container": {
                "modprobe": {"moduleName": "kmm_base"},
                "registryTLS": {"insecure": tls},
                "kernelMappings": [{"regexp": "cloud", "containerImage": format!("{}/acme/base:{tag}", registry.address)}],
            }}},
        });
        let args = ["image", "check", "-f", "-", "-o", "json", "-k", KERNEL];
        let symvers = ["--symvers", "examples/images/Module.symvers"];
        let output = without_settings(&[&args, &symvers[..], more].concat(), folder.path())
            .stdin(module.to_string())
            .output()
            .unwrap();
        answer(&output)
    };
    let fits = (0, "fits".to_owned(), vec![]);
    assert_eq!(check(true, "v1", &[]), fits);
    assert_eq!(check(false, "v1", &["--plain-http"]), fits);
    assert_eq!(
        check(false, "v1", &[]),
        (2, "unknown".to_owned(), vec!["KMM3091".to_owned()])
    );
    assert_eq!(
        check(true, "v2", &[]),
        (1, "does-not-fit".to_owned(), vec!["KMM3090".to_owned()])
    );
}

/// Whoever asks looks at the image that nodes of the Module pull.
#[test]
fn of_several_architectures_that_of_the_nodes_is_read() {
    let registry = Registry::start(several(&rootfs("right"), &["amd64", "arm64"]));
    let folder = tempfile::tempdir().unwrap();
    let image = format!("{}/acme/base:v1", registry.address);
    let run = |selector: &Value, args: &[&str]| -> Value {
        let module = json!({
            "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module",
            "metadata": {"name": "base", "namespace": "drivers"},
            "spec": {"selector": selector, "moduleLoader": {"container": {
                "modprobe": {"moduleName": "kmm_base"},
                "registryTLS": {"insecure": true},
                "kernelMappings": [{"regexp": "cloud", "containerImage": image}],
            }}},
        });
        let symvers = ["--symvers", "examples/images/Module.symvers"];
        let always = ["-f", "-", "-o", "json", "-k", KERNEL, "--plain-http"];
        let output = without_settings(&[args, &always[..], &symvers[..]].concat(), folder.path())
            .stdin(module.to_string())
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)))
    };
    // The modules in both are for amd64.
    for (selector, more, platform, fits) in [
        (json!({"a": "b"}), None, "linux/amd64", true),
        (json!({"kubernetes.io/arch": "amd64"}), None, "linux/amd64", true),
        (json!({"kubernetes.io/arch": "arm64"}), None, "linux/arm64", false),
        (
            json!({"kubernetes.io/arch": "arm64"}),
            Some("linux/amd64"),
            "linux/amd64",
            true,
        ),
    ] {
        let more: Vec<&str> = more
            .iter()
            .flat_map(|platform| ["--platform", platform])
            .collect();
        let verdict = if fits { "fits" } else { "does-not-fit" };
        for given in [None, Some(image.as_str())] {
            let args: Vec<&str> = ["image", "check"].into_iter().chain(given).collect();
            let checked = run(&selector, &[&args, &more[..]].concat());
            let result = &checked["results"][0];
            assert_eq!(
                (&result["platform"], &result["verdict"]),
                (&json!(platform), &json!(verdict)),
                "{selector} {given:?}"
            );
        }
        let judged = run(&selector, &[&["preflight"], &more[..]].concat());
        let state = if fits { "ready" } else { "willNotLoad" };
        assert_eq!(judged["modules"][0]["state"], state, "{selector}: {judged}");
    }
}

/// It may be a pipe, which has nothing the second time, whatever Modules allow.
#[test]
fn a_pull_secret_is_read_once() {
    let registry = Registry::start_for(layout(&rootfs("right")), Some(SENT));
    let folder = tempfile::tempdir().unwrap();
    let module = |skip: bool| {
        json!({
            "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module",
            "metadata": {"name": format!("base-{skip}"), "namespace": "drivers"},
            "spec": {"selector": {"a": "b"}, "moduleLoader": {"container": {
                "modprobe": {"moduleName": "kmm_base"},
                "registryTLS": {"insecure": true, "insecureSkipTLSVerify": skip},
                "kernelMappings": [{"regexp": "cloud", "containerImage": format!("{}/acme/base:v1", registry.address)}],
            }}},
        })
    };
    let modules = folder.path().join("modules.yaml");
    fs::write(&modules, format!("{}\n---\n{}\n", module(false), module(true))).unwrap();
    let auths = format!(r#"{{"auths":{{"{}":{{"auth":"{SENT}"}}}}}}"#, registry.address);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull"},
        "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": auths},
    });
    let args = [
        "image",
        "check",
        "-f",
        shown(&modules),
        "-o",
        "json",
        "-k",
        KERNEL,
        "--pull-secret",
        "-",
    ];
    let symvers = ["--symvers", "examples/images/Module.symvers"];
    let output = without_settings(&[&args, &symvers[..]].concat(), folder.path())
        .stdin(secret.to_string())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let checked: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(checked["results"].as_array().unwrap().len(), 2);
}

/// `puller:password`, as it is sent.
const SENT: &str = "cHVsbGVyOnBhc3N3b3Jk";

/// A pull secret opens a registry, whatever its type and form; what is none is said to be none.
#[test]
fn a_pull_secret_is_shown_to_its_registry() {
    let registry = Registry::start_for(layout(&rootfs("right")), Some(SENT));
    let folder = tempfile::tempdir().unwrap();
    let image = format!("{}/acme/base:v1", registry.address);
    let check = |secret: Option<&str>| {
        let file = folder.path().join("secret.yaml");
        fs::write(&file, secret.unwrap_or_default()).unwrap();
        let given = ["--pull-secret", shown(&file)];
        let given = if secret.is_some() { &given[..] } else { &[] };
        let args = ["image", "check", &image, "-o", "json", "--plain-http"];
        let output = without_settings(&[&args, &FOR_KERNEL[..], given].concat(), folder.path())
            .env("HOME", folder.path())
            .output()
            .unwrap();
        let (code, verdict, _) = answer(&output);
        assert!(!stdout(&output).contains("hunter2") && !stderr(&output).contains("hunter2"));
        (code, verdict, stdout(&output).to_owned())
    };
    let secret = |kind: &str, data: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: pull, namespace: drivers}}\ntype: {kind}\n{data}\n"
        )
    };
    let json = "kubernetes.io/dockerconfigjson";
    let auths = format!(r#"{{"auths":{{"{}":{{"auth":"{SENT}"}}}}}}"#, registry.address);
    let cfg = format!(
        r#"{{"127.0.0.1":{{}},"{}":{{"username":"puller","password":"password"}}}}"#,
        registry.address
    );
    for right in [
        secret(json, &format!("stringData: {{.dockerconfigjson: '{auths}'}}")),
        secret(
            "kubernetes.io/dockercfg",
            &format!("stringData: {{.dockercfg: '{cfg}'}}"),
        ),
        format!(
            "kind: ConfigMap\napiVersion: v1\nmetadata: {{name: x}}\n---\n{}",
            secret(json, &format!("stringData: {{.dockerconfigjson: '{auths}'}}"))
        ),
    ] {
        let (code, verdict, said) = check(Some(&right));
        assert_eq!((code, verdict.as_str()), (0, "fits"), "{right}\n{said}");
    }
    let wrong = auths.replace(SENT, "cHVsbGVyOmh1bnRlcjI=");
    for (given, words) in [
        (None, "no credentials match"),
        (
            Some(secret(
                json,
                &format!("stringData: {{.dockerconfigjson: '{wrong}'}}"),
            )),
            "secret `drivers/pull`",
        ),
        (Some(secret("Opaque", "data: {a: aGk=}")), "holds no pull secret"),
        (
            Some(secret(json, "data: {.dockerconfigjson: '%%'}")),
            "is not base64",
        ),
        (
            Some(secret(json, "data: {other: aGk=}")),
            "has the key `.dockerconfigjson`",
        ),
        (
            Some(secret(json, "data: {.dockerconfigjson: aHVudGVyMg==}")),
            "is not what its type promises",
        ),
        (Some("a: [".to_owned()), "neither YAML nor JSON"),
    ] {
        let (code, verdict, said) = check(given.as_deref());
        assert_eq!((code, verdict.as_str()), (2, "unknown"), "{given:?}");
        assert!(said.contains(words), "{given:?}: expected `{words}`:\n{said}");
    }
    // One without entries.
    let (code, _, said) = check(Some(&secret(json, "data:\n  .dockerconfigjson: e30=")));
    assert!(code == 2 && said.contains("no credentials match"), "{said}");
}

#[test]
fn a_registry_that_is_away_is_no_answer() {
    // The port was free a moment ago, and nobody listens on it.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let image = format!("127.0.0.1:{port}/acme/nic:1");
    let output = check(&image, &[&FOR_KERNEL[..], &["--plain-http"]].concat());
    assert_eq!(
        answer(&output),
        (2, "unknown".to_owned(), vec!["KMM3091".to_owned()])
    );
    // It says once what it is about, and what to do.
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let message = found["results"][0]["diagnostics"][0]["message"].as_str().unwrap();
    assert_eq!(
        message.matches(&format!("127.0.0.1:{port}")).count(),
        1,
        "{message}"
    );
    assert!(message.contains("(check the host name"), "{message}");
    for file in ["--auth-file", "--ca-file"] {
        let output = check(&image, &[&FOR_KERNEL[..], &[file, "nowhere.json"]].concat());
        assert!(stdout(&output).contains("nowhere.json"), "{}", stdout(&output));
        assert_eq!(output.status.code(), Some(2), "{file}");
    }
}

#[test]
fn findings_as_sarif_name_files_of_the_image() {
    let args = ["image", "check", "dir:examples/images/wrong", "-o", "sarif"];
    let output = kmm(&[&args, &FOR_KERNEL[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    let run = &log["runs"][0];
    let found = &run["results"][0];
    let location = &found["locations"][0];
    let path = format!("opt/lib/modules/{KERNEL}/kmm_base.ko");
    assert_eq!(
        (&log["version"], &found["ruleId"], &found["level"]),
        (&json!("2.1.0"), &json!("KMM3013"), &json!("error"))
    );
    assert_eq!(location["physicalLocation"]["artifactLocation"]["uri"], path);
    let full = format!("dir:examples/images/wrong!/{path}");
    assert_eq!(location["logicalLocations"][0]["fullyQualifiedName"], full);
    assert_eq!(found["properties"]["verdict"], "does-not-fit");
    let rule = &run["tool"]["driver"]["rules"][found["ruleIndex"].as_u64().unwrap() as usize];
    assert_eq!(rule["id"], "KMM3013");
}

#[test]
fn every_code_about_images_is_explained() {
    for text in image::texts() {
        let output = kmm(&["image", "check", "--explain", text.code]);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).starts_with(&format!("{} {}", text.code, text.name)));
    }
    assert_eq!(
        kmm(&["image", "check", "--explain", "KMM3999"]).status.code(),
        Some(2)
    );
}
