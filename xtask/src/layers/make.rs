//! Makes one image in every form, with skopeo, umoci and buildah.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use crate::steps;

const TOOLS: [&str; 5] = ["skopeo", "umoci", "buildah", "zstd", "gzip"];

/// What was made.
#[derive(Debug)]
pub(crate) struct Images {
    /// The image in every form, and others.
    pub(crate) forms: Vec<Form>,
    folder: PathBuf,
}

/// An image to be pushed.
#[derive(Debug)]
pub(crate) struct Source {
    /// A tag for it.
    pub(crate) tag: &'static str,
    /// Where it is, in skopeo's words.
    pub(crate) skopeo: String,
    /// The file of its manifest or index.
    pub(crate) manifest: PathBuf,
    /// What is in it: a platform, and where umoci unpacked that.
    pub(crate) unpacked: Vec<(Option<&'static str>, PathBuf)>,
}

impl Images {
    /// Every kind of manifest and layer that a registry holds: OCI's and docker's, gzip, zstd, two architectures.
    pub(crate) fn sources(&self) -> Result<Vec<Source>> {
        let at = |name: &str| self.folder.join(name);
        let one = || vec![(None, at("unpacked"))];
        let both = vec![
            (Some("linux/amd64"), at("unpacked")),
            (Some("linux/arm64"), at("unpacked-arm64")),
        ];
        let mut sources = vec![Source {
            tag: "schema2",
            skopeo: format!("dir:{}", at("schema2-dir").display()),
            manifest: at("schema2-dir/manifest.json"),
            unpacked: one(),
        }];
        for (tag, name, unpacked) in [
            ("gzip", "v1", one()),
            ("zstd", "v1", one()),
            ("multi", "multi", both),
        ] {
            let index: serde_json::Value = serde_json::from_slice(&fs::read(at(tag).join("index.json"))?)?;
            let digest: kmm_oci::Digest =
                serde_json::from_value(index.pointer("/manifests/0/digest").cloned().unwrap_or_default())
                    .with_context(|| format!("the index of `{tag}`"))?;
            sources.push(Source {
                tag,
                skopeo: format!("oci:{}:{name}", at(tag).display()),
                manifest: at(tag).join("blobs/sha256").join(digest.hex()),
                unpacked,
            });
        }
        Ok(sources)
    }
}

/// An image in one form.
#[derive(Debug)]
pub(crate) struct Form {
    /// As the command line takes it.
    pub(crate) reference: String,
    /// What to ask for.
    pub(crate) platform: Option<&'static str>,
    /// Where umoci unpacked it.
    pub(crate) unpacked: PathBuf,
}

/// The lowest layer: every kind of file, names of every length.
const BASE: &str = r#"
mkdir -p opt/lib/modules/6.1.0/extra opt/replaced-by-file/in opt/opaque/deep usr/bin dev empty
printf old > opt/lib/modules/6.1.0/old.ko
head -c 3000000 /dev/urandom > opt/lib/modules/6.1.0/extra/big.ko
printf 'old.ko:\n' > opt/lib/modules/6.1.0/modules.dep
ln opt/lib/modules/6.1.0/old.ko opt/twin.ko
ln -s opt/lib lib
ln -s /opt/lib/modules absolute
ln -s ../../nowhere usr/bin/dangling
mkfifo dev/pipe
mknod dev/null c 1 3
truncate -s 5000000 opt/holes
long=$(printf 'n%.0s' $(seq 120)); mkdir -p "$long/$long/$long"; printf 1 > "$long/$long/$long/$long"
ln -s "/$long/$long/$long/$long" long-link
printf 2 > "$(printf 'caf\303\251')"; printf 3 > "$(printf 'latin\351')"; printf 4 > 'with
line feed and  spaces'
printf gone > opt/gone; printf hidden > opt/opaque/deep/hidden; printf kind > becomes-folder
printf s > usr/bin/setuid; chmod 4755 usr/bin/setuid; chmod 0700 empty
for i in $(seq 500); do printf "$i" > "usr/file$i"; done
"#;

/// The next one: whiteouts, an opaque folder, and files of another kind than below.
const CHANGES: &str = r#"
mkdir -p opt/opaque becomes-folder opt/lib/modules/6.1.0 usr
printf '' > opt/.wh.gone; printf '' > opt/opaque/.wh..wh..opq; printf seen > opt/opaque/seen
printf in > becomes-folder/in; printf file > opt/replaced-by-file
printf new > opt/lib/modules/6.1.0/new.ko; ln -s new.ko opt/lib/modules/6.1.0/alias.ko
printf '' > usr/.wh.file7
"#;

/// What umoci itself turns into a layer.
const REPACKED: &str = "
rm -r usr/bin empty; rm opt/twin.ko; printf changed > opt/lib/modules/6.1.0/old.ko; mkdir -p added/folder
printf last > added/folder/file
";

/// Installs the tools and makes the images, anew each time.
pub(crate) fn set_up() -> Result<Images> {
    install()?;
    let folder = steps::cache()?.join("images");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    layers(&folder)?;
    let mut forms = Vec::new();
    let mut form = |reference: String, platform, unpacked: &str| {
        let unpacked = folder.join(unpacked);
        forms.push(Form {
            reference,
            platform,
            unpacked,
        });
    };
    let at = |name: &str| folder.join(name).display().to_string();
    shell(&folder, COPIES)?;
    schema_2(&folder)?;
    shell(&folder, OTHER_ARCHITECTURE)?;
    for reference in [
        format!("oci:{}:v1", at("gzip")),
        format!("oci:{}:v1", at("zstd")),
        format!("oci:{}:v1", at("plain")),
        format!("oci:{}:v1", at("schema2")),
        format!("oci-archive:{}:v1", at("oci.tar")),
        format!("oci-archive:{}:v1", at("oci.tar.gz")),
        format!("docker-archive:{}", at("docker.tar")),
        format!("docker-archive:{}:acme/nic:v1", at("docker.tar")),
        format!("docker-archive:{}", at("docker.tar.zst")),
        format!("dir:{}", at("unpacked")),
    ] {
        form(reference, None, "unpacked");
    }
    form(
        format!("oci:{}:multi", at("multi")),
        Some("linux/amd64"),
        "unpacked",
    );
    form(
        format!("oci:{}:multi", at("multi")),
        Some("linux/arm64"),
        "unpacked-arm64",
    );
    Ok(Images { forms, folder })
}

/// Three layers: two from tar files of both families, one that umoci makes of changes.
fn layers(folder: &Path) -> Result<()> {
    for (name, script) in [("base", BASE), ("changes", CHANGES)] {
        fs::create_dir(folder.join(name))?;
        shell(&folder.join(name), script)?;
    }
    shell(
        folder,
        "
        tar -C base --format=gnu --sort=name -cf base.tar .
        tar -C changes --format=pax --sort=name -cf changes.tar .
        umoci init --layout gzip
        umoci new --image gzip:v1
        umoci raw add-layer --image gzip:v1 base.tar
        umoci raw add-layer --image gzip:v1 changes.tar
        umoci unpack --image gzip:v1 bundle
        ",
    )?;
    shell(&folder.join("bundle/rootfs"), REPACKED)?;
    shell(
        folder,
        "
        umoci repack --image gzip:v1 bundle
        umoci gc --layout gzip
        umoci raw unpack --image gzip:v1 unpacked
        ",
    )
}

/// skopeo puts the image into the other forms.
const COPIES: &str = "
skopeo --insecure-policy copy --quiet --dest-compress-format zstd oci:gzip:v1 oci:zstd:v1
skopeo --insecure-policy copy --quiet oci:gzip:v1 docker-archive:docker.tar:acme/nic:v1
skopeo --insecure-policy copy --quiet --dest-oci-accept-uncompressed-layers docker-archive:docker.tar oci:plain:v1
skopeo --insecure-policy copy --quiet oci:gzip:v1 oci-archive:oci.tar:v1
skopeo --insecure-policy copy --quiet --format v2s2 oci:gzip:v1 dir:schema2-dir
gzip -k oci.tar
zstd -q docker.tar
";

/// An image for another architecture, and an index of both.
const OTHER_ARCHITECTURE: &str = "
alias b='buildah --storage-driver vfs --root storage --runroot run'
mkdir arm64 && printf arm64 > arm64/only-here
b from --name arm scratch
b copy --quiet arm arm64 /
b config --arch arm64 --os linux arm
b commit --quiet arm oci:arm64-image:v1
b manifest create both
b manifest add both oci:gzip:v1
b manifest add both oci:arm64-image:v1
b manifest push --quiet --all both oci:multi:multi
umoci raw unpack --image arm64-image:v1 unpacked-arm64
";

/// Puts what skopeo wrote as a plain folder into a layout: the manifest stays docker's.
fn schema_2(folder: &Path) -> Result<()> {
    let (from, to) = (folder.join("schema2-dir"), folder.join("schema2"));
    let blobs = to.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let manifest = fs::read(from.join("manifest.json"))?;
    let parsed: serde_json::Value = serde_json::from_slice(&manifest)?;
    let media_type = parsed
        .get("mediaType")
        .and_then(|value| value.as_str())
        .unwrap_or_default();
    if media_type != "application/vnd.docker.distribution.manifest.v2+json" {
        bail!("skopeo wrote no manifest of docker's schema 2, but `{media_type}`");
    }
    for entry in fs::read_dir(&from)? {
        let entry = entry?;
        fs::copy(entry.path(), blobs.join(entry.file_name()))?;
    }
    let digest = kmm_oci::Digest::sha256(&manifest);
    fs::write(blobs.join(digest.hex()), &manifest)?;
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [{
        "mediaType": media_type, "digest": digest, "size": manifest.len(),
        "annotations": {"org.opencontainers.image.ref.name": "v1"},
    }]});
    fs::write(to.join("index.json"), index.to_string())?;
    Ok(())
}

/// Runs lines in a shell; the first one that fails is the error.
pub(crate) fn shell(folder: &Path, script: &str) -> Result<()> {
    let out = Command::new("bash")
        .args(["-ec", &format!("shopt -s expand_aliases\n{script}")])
        .current_dir(folder)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .context("could not start `bash`")?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        bail!("a step ended with {}: {}\n{script}", out.status, said.trim());
    }
    Ok(())
}

/// Installs the tools.
pub(crate) fn install() -> Result<()> {
    let is_there = |tool: &&str| {
        let out = Command::new("dpkg-query")
            .args(["-W", "-f", "${Status}", tool])
            .output();
        out.is_ok_and(|out| out.stdout.ends_with(b"ok installed"))
    };
    let missing: Vec<&str> = TOOLS.into_iter().filter(|tool| !is_there(tool)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    steps::run("apt-get", &["update", "-qq"])?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(missing);
    steps::run("apt-get", &arguments).context("packages are missing: run as root, or install them first")
}
