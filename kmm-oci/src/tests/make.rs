//! Makes images in every form, right ones and wrong ones.

use std::fs;
use std::path::Path;

use serde_json::Value;
use serde_json::json;

use crate::digest::Digest;
use crate::layer::tests::pack;
use crate::manifest::LayerFormat;
use crate::tar::build::Builder;

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Files of an archive or a folder, in their order.
pub(super) type Files = Vec<(String, Vec<u8>)>;

pub(super) fn layer_type(format: LayerFormat) -> &'static str {
    match format {
        LayerFormat::Plain => "application/vnd.oci.image.layer.v1.tar",
        LayerFormat::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        LayerFormat::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
    }
}

pub(super) fn config(architecture: &str, tars: &[Vec<u8>]) -> Value {
    let diff_ids: Vec<String> = tars.iter().map(|tar| Digest::sha256(tar).to_string()).collect();
    json!({"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": diff_ids}})
}

pub(super) fn blob(files: &mut Files, media_type: &str, bytes: Vec<u8>) -> Value {
    let digest = Digest::sha256(&bytes);
    let size = bytes.len();
    files.push((format!("blobs/sha256/{}", digest.hex()), bytes));
    json!({"mediaType": media_type, "digest": digest, "size": size})
}

/// The manifest of an image, its blobs added to the files.
pub(super) fn image(files: &mut Files, architecture: &str, layers: &[(Vec<u8>, LayerFormat)]) -> Value {
    let described: Vec<Value> = layers
        .iter()
        .map(|(tar, format)| blob(files, layer_type(*format), pack(tar, *format)))
        .collect();
    let tars: Vec<Vec<u8>> = layers.iter().map(|(tar, _)| tar.clone()).collect();
    let config = blob(
        files,
        CONFIG,
        config(architecture, &tars).to_string().into_bytes(),
    );
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": described});
    blob(files, MANIFEST, manifest.to_string().into_bytes())
}

pub(super) fn index(files: &mut Files, manifests: &[Value]) {
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
    files.push(("index.json".to_owned(), index.to_string().into_bytes()));
    files.push((
        "oci-layout".to_owned(),
        br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
    ));
}

/// A layout with one image.
pub(super) fn layout(layers: &[(Vec<u8>, LayerFormat)]) -> Files {
    let mut files = Files::new();
    let manifest = image(&mut files, "amd64", layers);
    index(&mut files, &[manifest]);
    files
}

/// What `docker save` wrote until version 24: every layer in a folder of its own.
pub(super) fn docker(layers: &[(Vec<u8>, LayerFormat)]) -> Files {
    let mut files = Files::new();
    let mut paths = Vec::new();
    for (number, (tar, format)) in layers.iter().enumerate() {
        paths.push(format!("{number}/layer.tar"));
        files.push((format!("{number}/layer.tar"), pack(tar, *format)));
    }
    let tars: Vec<Vec<u8>> = layers.iter().map(|(tar, _)| tar.clone()).collect();
    files.push((
        "config.json".to_owned(),
        config("amd64", &tars).to_string().into_bytes(),
    ));
    let manifest = json!([{"Config": "config.json", "RepoTags": ["acme/nic:v1"], "Layers": paths}]);
    files.push(("manifest.json".to_owned(), manifest.to_string().into_bytes()));
    files
}

pub(super) fn write(files: &Files, folder: &Path) {
    for (path, bytes) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

pub(super) fn archive(files: &Files) -> Vec<u8> {
    let mut tar = Builder::default();
    for (path, bytes) in files {
        tar.file(path, bytes);
    }
    tar.end()
}
