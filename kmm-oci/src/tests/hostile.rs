use std::fs;

use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use super::make;
use super::*;
use crate::manifest::LayerFormat;
use crate::tar::build::Builder;

fn layer() -> (Vec<u8>, LayerFormat) {
    let mut tar = Builder::default();
    tar.file("a", b"1");
    (tar.end(), LayerFormat::Gzip)
}

/// The error of an image of which the manifest was changed.
fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut files = make::layout(&[layer()]);
    files.retain(|(path, _)| path.starts_with("blobs"));
    let (_, manifest) = files.pop().unwrap();
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    change(&mut manifest);
    let entry = make::blob(&mut files, make::MANIFEST, manifest.to_string().into_bytes());
    make::index(&mut files, &[entry]);
    let error = scan_files(&files, None).unwrap_err();
    assert!(!error.is_answer());
    chain(&error)
}

#[test]
fn a_manifest_that_is_wrong_about_a_layer() {
    let other = "sha256:".to_owned() + &"0".repeat(64);
    let missing = changed(|manifest| manifest["layers"][0]["digest"] = json!(other));
    assert!(
        missing.contains("layer 1 (sha256:000000") && missing.ends_with("the blob is missing"),
        "{missing}"
    );
    let size = changed(|manifest| manifest["layers"][0]["size"] = json!(3));
    assert!(size.ends_with("but the manifest says 3"), "{size}");
    let size = changed(|manifest| manifest["layers"][0]["size"] = json!(1u64 << 30));
    assert!(size.ends_with("but the manifest says 1073741824"), "{size}");
    for (bytes, shown) in [(1 << 40, "1099511627776"), (u64::MAX, "18446744073709551615")] {
        let size = changed(|manifest| manifest["layers"][0]["size"] = json!(bytes));
        assert_eq!(
            size,
            format!("the manifest says that the layers have {shown} bytes: at most 137438953472 are allowed")
        );
    }
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let foreign = changed(|manifest| {
        manifest["layers"][0]["mediaType"] = json!(foreign);
        manifest["layers"][0]["urls"] = json!(["http://elsewhere.example.com/"]);
    });
    assert!(
        foreign.contains("a foreign layer is not part of the image"),
        "{foreign}"
    );
    let unknown = changed(|manifest| manifest["layers"][0]["mediaType"] = json!("a/b"));
    assert!(unknown.contains("media type `a/b`"), "{unknown}");
    let count = changed(|manifest| manifest["layers"] = json!([]));
    assert_eq!(count, "the manifest has 0 layers, the configuration 1");
    let config = changed(|manifest| manifest["config"]["size"] = json!(5));
    assert!(
        config.starts_with("configuration: its digest or size"),
        "{config}"
    );
    let config = changed(|manifest| manifest["config"]["size"] = json!(5 << 20));
    assert!(config.contains("at most 4194304 are allowed"), "{config}");
}

#[test]
fn a_layer_that_is_not_what_the_configuration_says() {
    let mut files = Files::new();
    let (tar, format) = layer();
    let manifest = make::image(&mut files, "amd64", &[(tar.clone(), format)]);
    let config: Value = make::config("amd64", &[b"other".to_vec()]);
    let config = make::blob(&mut files, make::CONFIG, config.to_string().into_bytes());
    let layer = make::blob(
        &mut files,
        make::layer_type(format),
        crate::layer::tests::gzip(&tar),
    );
    let wrong = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
    drop(manifest);
    let wrong = make::blob(&mut files, make::MANIFEST, wrong.to_string().into_bytes());
    make::index(&mut files, &[wrong]);
    let error = scan_files(&files, None).unwrap_err();
    assert!(
        chain(&error).contains("it unpacks to sha256:"),
        "{}",
        chain(&error)
    );
    let archive = scan_archive(&make::archive(&files), "oci-archive:PATH/a").unwrap_err();
    assert_eq!(chain(&archive), chain(&error));
}

#[test]
fn blobs_that_are_not_what_names_them() {
    let right = make::layout(&[layer()]);
    for number in 0..3 {
        let mut files = right.clone();
        files[number].1.push(b' ');
        let error = scan_files(&files, None).unwrap_err();
        assert!(!error.is_answer(), "{error}");
        let last = files[number].1.len() - 2;
        files[number].1.truncate(last + 1);
        files[number].1[last] ^= 1;
        let error = chain(&scan_files(&files, None).unwrap_err());
        assert!(error.contains("digest"), "{number}: {error}");
        let stream = crate::layer::tests::gzip(&make::archive(&files));
        let error = chain(&scan_archive(&stream, "oci-archive:PATH/a").unwrap_err());
        assert!(error.contains("digest"), "stream {number}: {error}");
    }
}

#[test]
fn indexes_that_lead_nowhere() {
    // No file can hold its own digest, but a store that lies can serve one index for every digest.
    struct Liar;
    impl crate::ImageStore for Liar {
        fn manifest(&self, which: Option<&crate::Digest>) -> Result<crate::RawManifest, SourceError> {
            let entry = json!({"mediaType": make::INDEX, "digest": crate::Digest::sha256(b""), "size": 0});
            let index = json!({"schemaVersion": 2, "manifests": [entry]});
            let bytes = if which.is_some() {
                Vec::new()
            } else {
                index.to_string().into_bytes()
            };
            Ok(crate::RawManifest {
                media_type: None,
                bytes,
                digest: Some(crate::Digest::sha256(b"")),
            })
        }
        fn blob(&self, _: &crate::Descriptor) -> Result<Box<dyn std::io::Read + Send>, SourceError> {
            Ok(Box::new(std::io::empty()))
        }
    }
    let error = crate::scan(&Liar, &ScanOptions::new(&PlainOnly)).unwrap_err();
    assert!(
        error.to_string().ends_with("listed twice, or by itself"),
        "{error}"
    );
    let mut files = Files::new();
    let mut entry = make::image(&mut files, "amd64", &[layer()]);
    for _ in 0..6 {
        let index = json!({"schemaVersion": 2, "mediaType": make::INDEX, "manifests": [entry]});
        entry = make::blob(&mut files, make::INDEX, index.to_string().into_bytes());
    }
    make::index(&mut files, &[entry]);
    let error = scan_files(&files, None).unwrap_err();
    assert!(
        error.to_string().contains("more than 4 indexes in each other"),
        "{error}"
    );
    let mut files = Files::new();
    let mut entries = Vec::new();
    for number in 0..100 {
        let index = json!({"schemaVersion": 2, "manifests": [], "annotations": {"n": number}});
        entries.push(make::blob(
            &mut files,
            make::INDEX,
            index.to_string().into_bytes(),
        ));
    }
    let index = json!({"schemaVersion": 2, "mediaType": make::INDEX, "manifests": entries});
    let outer = make::blob(&mut files, make::INDEX, index.to_string().into_bytes());
    make::index(&mut files, &[outer]);
    let error = scan_files(&files, None).unwrap_err();
    assert!(error.to_string().contains("more than 64 indexes"), "{error}");
}

#[test]
fn an_index_that_lies_about_the_architecture() {
    let mut files = Files::new();
    let mut entry = make::image(&mut files, "arm64", &[layer()]);
    entry["platform"] = json!({"os": "linux", "architecture": "amd64"});
    let index = json!({"schemaVersion": 2, "mediaType": make::INDEX, "manifests": [entry]});
    let outer = make::blob(&mut files, make::INDEX, index.to_string().into_bytes());
    make::index(&mut files, &[outer]);
    let error = scan_files(&files, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the index says that the image is for linux/amd64, its configuration says linux/arm64"
    );
}

#[test]
fn huge_json_is_not_read() {
    for path in ["index.json", "manifest.json"] {
        let files = vec![(path.to_owned(), vec![b'['; 5 << 20])];
        let transport = if path == "index.json" {
            "oci-archive"
        } else {
            "docker-archive"
        };
        let error = scan_archive(&make::archive(&files), &format!("{transport}:PATH/a")).unwrap_err();
        assert!(
            error.to_string().ends_with("at most 4194304 are allowed"),
            "{error}"
        );
    }
    let deep = vec![(
        "index.json".to_owned(),
        "{\"manifests\":[".repeat(10_000).into_bytes(),
    )];
    let error = scan_files(&deep, None).unwrap_err();
    assert!(error.to_string().contains("not the JSON"), "{error}");
}

#[test]
fn a_layout_does_not_lead_out_of_its_folder() {
    let outside = TempDir::new().unwrap();
    make::write(&make::layout(&[layer()]), outside.path());
    let inside = TempDir::new().unwrap();
    fs::copy(
        outside.path().join("index.json"),
        inside.path().join("index.json"),
    )
    .unwrap();
    std::os::unix::fs::symlink(outside.path().join("blobs"), inside.path().join("blobs")).unwrap();
    let error = scan_at(&inside, "oci:PATH", |_| {}).unwrap_err();
    assert!(
        !error.is_answer() && chain(&error).contains("outside"),
        "{}",
        chain(&error)
    );
}

#[test]
fn layers_that_no_runtime_unpacks() {
    let layer = |change: &dyn Fn(&mut Builder)| {
        let mut tar = Builder::default();
        change(&mut tar);
        chain(&scan_files(&make::layout(&[(tar.end(), LayerFormat::Zstd)]), None).unwrap_err())
    };
    let parent = layer(&|tar| {
        tar.file("opt/../../etc/passwd", b"");
    });
    assert!(parent.contains("entry `opt/../../etc/passwd`"), "{parent}");
    let pax = layer(&|tar| {
        tar.header(b"pax", b'x', 4 << 30, b"");
    });
    assert!(pax.ends_with("at most 1048576 are allowed"), "{pax}");
    let cut = layer(&|tar| {
        tar.header(b"file", b'0', 1 << 40, b"");
    });
    assert!(
        cut.ends_with("tar entry at byte 0: the stream ends inside of it"),
        "{cut}"
    );
    let sparse = layer(&|tar| {
        tar.pax(&[
            ("GNU.sparse.realsize", "9"),
            ("GNU.sparse.name", "lib/modules/1/a.ko"),
        ])
        .file("x", b"");
    });
    assert!(sparse.contains("is a sparse file"), "{sparse}");
    let absolute = {
        let mut tar = Builder::default();
        tar.file("/etc/hosts", b"").header(b"dev/null", b'3', 0, b"");
        scan_files(&make::layout(&[(tar.end(), LayerFormat::Plain)]), None).unwrap()
    };
    assert!(shown(&absolute.tree).contains_key("/etc/hosts"));
}

#[test]
fn more_entries_than_allowed() {
    let mut tar = Builder::default();
    for number in 0..2000 {
        tar.file(&format!("f{number}"), b"");
    }
    let folder = TempDir::new().unwrap();
    make::write(
        &make::layout(&[(tar.end(), LayerFormat::Gzip), layer()]),
        folder.path(),
    );
    let error = scan_at(&folder, "oci:PATH", |options| options.limits.image.entries = 1000).unwrap_err();
    assert!(
        chain(&error).contains("more than 1000 entries"),
        "{}",
        chain(&error)
    );
}

#[test]
fn an_archive_that_is_a_bomb_as_a_whole() {
    // Only skipped, never looked at as a layer: a file with holes, and what follows the end.
    let mut sparse = Builder::default();
    sparse.header(b"big", b'S', 40 << 20, b"");
    let sparse = [sparse.bytes, vec![0; 40 << 20]].concat();
    let padded = [make::archive(&make::layout(&[layer()])), vec![0; 40 << 20]].concat();
    for tar in [sparse, padded] {
        for format in [LayerFormat::Plain, LayerFormat::Gzip, LayerFormat::Zstd] {
            let packed = crate::layer::tests::pack(&tar, format);
            let mut options = ScanOptions::new(&PlainOnly);
            options.limits.archive_bytes = 10 << 20;
            let error = crate::source::scan_stream(packed.as_slice(), "-", None, &options).unwrap_err();
            assert_eq!(
                chain(&error),
                "-: the archive has, or unpacks to, more than 10485760 bytes, the most that is read",
                "{format}"
            );
        }
    }
    let whole = make::archive(&make::layout(&[layer()]));
    let mut options = ScanOptions::new(&PlainOnly);
    options.limits.archive_bytes = whole.len() as u64;
    crate::source::scan_stream(whole.as_slice(), "-", None, &options).unwrap();
}

#[test]
fn an_archive_of_a_compression_that_is_not_read() {
    for (start, name) in [(b"\xfd7zXZ\0...".as_slice(), "xz"), (b"BZh91AY&SY", "bzip2")] {
        let error = scan_archive(start, "oci-archive:PATH/a").unwrap_err();
        assert!(
            chain(&error).ends_with(&format!(
                "an archive compressed with {name} is not read: gzip, zstd or no compression are allowed"
            )),
            "{}",
            chain(&error)
        );
    }
}

#[test]
fn what_is_no_archive_of_an_image() {
    for bytes in [
        b"".as_slice(),
        b"#!/bin/sh",
        &[0; 4096],
        &make::archive(&Files::new()),
    ] {
        for transport in ["oci-archive", "docker-archive"] {
            let error = scan_archive(bytes, &format!("{transport}:PATH/a")).unwrap_err();
            assert!(
                matches!(&error, ScanError::Source(SourceError::Damaged { .. })),
                "{error}"
            );
        }
        let options = ScanOptions::new(&PlainOnly);
        assert!(crate::source::scan_stream(bytes, "-", None, &options).is_err());
    }
}
