//! Pushes an image to a registry of every form and reads it back.

use std::path::Path;

use anyhow::Result;
use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;

use super::Kind;
use super::Registry;
use super::set_up;
use crate::steps;

/// Every form of registry: what skopeo pushes is there.
pub(crate) fn check() -> Result<()> {
    set_up()?;
    let folder = steps::cache()?.join(format!("registry-check-{}", std::process::id()));
    let result = Kind::ALL.iter().try_for_each(|kind| one(*kind, &folder));
    let _ = std::fs::remove_dir_all(&folder);
    result
}

fn one(kind: Kind, folder: &Path) -> Result<()> {
    let registry = Registry::start(kind)?;
    let layer: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
        .take(3 << 20)
        .collect();
    layout(folder, &layer)?;
    registry.push(&format!("oci:{}:one", folder.display()), "team/driver:1.0")?;
    println!("{kind:?} at {}: pushed", registry.addr);
    Ok(())
}

/// Writes an OCI layout with one image, `one`, of one layer; gives the digest of its manifest.
fn layout(folder: &Path, layer: &[u8]) -> Result<String> {
    let _ = std::fs::remove_dir_all(folder);
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs)?;
    let put = |bytes: &[u8]| -> Result<(String, usize)> {
        let hex: String = Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        std::fs::write(blobs.join(&hex), bytes)?;
        Ok((format!("sha256:{hex}"), bytes.len()))
    };
    let (layer, layer_size) = put(layer)?;
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [layer] },
    });
    let (config, config_size) = put(config.to_string().as_bytes())?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": layer_size }],
    });
    let (manifest, size) = put(manifest.to_string().as_bytes())?;
    let index = json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": manifest, "size": size,
            "annotations": { "org.opencontainers.image.ref.name": "one" },
        }],
    });
    std::fs::write(folder.join("index.json"), index.to_string())?;
    std::fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    Ok(manifest)
}
