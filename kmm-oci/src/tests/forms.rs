use std::fs;
use std::io::Write;

use serde_json::json;
use tempfile::TempDir;

use super::make;
use super::*;
use crate::layer::tests::gzip;
use crate::layer::tests::pack;
use crate::manifest::LayerFormat;
use crate::source::scan_stream;
use crate::tar::build::Builder;

fn layers() -> Vec<(Vec<u8>, LayerFormat)> {
    let mut base = Builder::default();
    base.folder("opt")
        .file("opt/lib/modules/6.1.0/old.ko", b"old")
        .file("opt/gone", &[1; 5000])
        .symlink("lib", "opt/lib");
    let mut middle = Builder::default();
    middle
        .file("opt/.wh.gone", b"")
        .hard_link("opt/twin", "opt/lib/modules/6.1.0/old.ko");
    let mut top = Builder::default();
    top.file("opt/lib/modules/6.1.0/.wh..wh..opq", b"")
        .file("opt/lib/modules/6.1.0/new.ko", b"newer");
    vec![
        (base.end(), LayerFormat::Gzip),
        (middle.end(), LayerFormat::Plain),
        (top.end(), LayerFormat::Zstd),
    ]
}

fn expected() -> Shown {
    [
        ("/lib", FileKind2::Symlink, 0),
        ("/opt", FileKind2::Directory, 0),
        ("/opt/lib", FileKind2::Directory, 0),
        ("/opt/lib/modules", FileKind2::Directory, 0),
        ("/opt/lib/modules/6.1.0", FileKind2::Directory, 0),
        ("/opt/lib/modules/6.1.0/new.ko", FileKind2::File, 5),
        ("/opt/twin", FileKind2::File, 3),
    ]
    .into_iter()
    .map(|(path, kind, size)| (path.to_owned(), (kind, size)))
    .collect()
}

#[test]
fn one_image_in_every_form() {
    let (layout, docker) = (make::layout(&layers()), make::docker(&layers()));
    let image = scan_files(&layout, None).unwrap();
    assert_eq!(shown(&image.tree), expected());
    assert_eq!(image.platform.unwrap().to_string(), "linux/amd64");
    let formats: Vec<LayerFormat> = image.layers.iter().map(|layer| layer.format).collect();
    assert_eq!(
        formats,
        [LayerFormat::Gzip, LayerFormat::Plain, LayerFormat::Zstd]
    );
    for (files, transport) in [(&layout, "oci-archive"), (&docker, "docker-archive")] {
        let mut files = files.clone();
        for _ in 0..2 {
            for format in [LayerFormat::Plain, LayerFormat::Gzip, LayerFormat::Zstd] {
                let archive = pack(&make::archive(&files), format);
                let image = scan_archive(&archive, &format!("{transport}:PATH/a")).unwrap();
                assert_eq!(shown(&image.tree), expected(), "{transport} {format}");
                assert_eq!(image.layers.len(), 3);
                let options = ScanOptions::new(&PlainOnly);
                let image = scan_stream(archive.as_slice(), "standard input", None, &options).unwrap();
                assert_eq!(shown(&image.tree), expected(), "stream of {transport} {format}");
            }
            // The manifest may come first or last.
            files.reverse();
        }
    }
}

#[test]
fn layers_of_a_docker_archive_may_be_links() {
    let files = make::docker(&layers());
    let mut tar = Builder::default();
    for (number, (path, bytes)) in files.iter().enumerate() {
        match number {
            0 => tar
                .symlink("0/layer.tar", "../shared/base.tar")
                .file("shared/base.tar", bytes),
            1 => tar
                .file("kept/middle.tar", bytes)
                .hard_link("1/layer.tar", "kept/middle.tar"),
            _ => tar.file(path, bytes),
        };
    }
    let image = scan_archive(&tar.end(), "docker-archive:PATH/a").unwrap();
    assert_eq!(shown(&image.tree), expected());
    let options = ScanOptions::new(&PlainOnly);
    let image = scan_stream(tar.end().as_slice(), "-", None, &options).unwrap();
    assert_eq!(shown(&image.tree), expected());
}

#[test]
fn one_of_several_images_by_its_name() {
    let mut files = Files::new();
    let mut entries = Vec::new();
    for tag in ["v1", "quay.io/acme/nic:v2"] {
        let mut tar = Builder::default();
        tar.file(&tag.replace('/', "-"), b"");
        let mut entry = make::image(&mut files, "amd64", &[(tar.end(), LayerFormat::Gzip)]);
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
        entries.push(entry);
    }
    make::index(&mut files, &entries);
    let folder = TempDir::new().unwrap();
    make::write(&files, folder.path());
    for (tag, file) in [
        ("v1", "/v1"),
        ("v2", "/quay.io-acme-nic:v2"),
        ("quay.io/acme/nic:v2", "/quay.io-acme-nic:v2"),
    ] {
        let image = scan_at(&folder, &format!("oci:PATH:{tag}"), |_| {}).unwrap();
        assert_eq!(shown(&image.tree).into_keys().collect::<Vec<_>>(), [file]);
    }
    let none = scan_at(&folder, "oci:PATH:v3", |_| {}).unwrap_err();
    assert!(none.is_answer());
    assert!(
        none.to_string()
            .ends_with(":v3: no such image: there is `quay.io/acme/nic:v2`, `v1`"),
        "{none}"
    );
    let several = scan_at(&folder, "oci:PATH", |_| {}).unwrap_err();
    assert!(
        !several.is_answer() && several.to_string().contains("more than one image"),
        "{several}"
    );
    let archive = make::archive(&make::docker(&layers()));
    for tag in ["acme/nic:v1", "docker.io/acme/nic:v1", "@0"] {
        scan_archive(&archive, &format!("docker-archive:PATH/a:{tag}")).unwrap();
    }
    for tag in ["acme/nic:v2", "nic", "@1", "@x"] {
        assert!(
            scan_archive(&archive, &format!("docker-archive:PATH/a:{tag}"))
                .unwrap_err()
                .is_answer()
        );
    }
}

#[test]
fn one_of_several_platforms() {
    let mut files = Files::new();
    let mut entries = Vec::new();
    for architecture in ["arm64", "amd64", "s390x"] {
        let mut tar = Builder::default();
        tar.file(architecture, b"");
        let mut entry = make::image(&mut files, architecture, &[(tar.end(), LayerFormat::Gzip)]);
        // One says nothing of its platform: its configuration does.
        if architecture != "s390x" {
            entry["platform"] = json!({"os": "linux", "architecture": architecture});
        }
        entries.push(entry);
    }
    let attestation = make::image(&mut files, "unknown", &[]);
    entries.push(attestation);
    entries[3]["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    let inner = json!({"schemaVersion": 2, "mediaType": make::INDEX, "manifests": entries});
    let nested = make::blob(&mut files, make::INDEX, inner.to_string().into_bytes());
    make::index(&mut files, &[nested]);
    for (platform, file) in [
        (None, "/amd64"),
        (Some("linux/arm64"), "/arm64"),
        (Some("linux/arm64/v8"), "/arm64"),
        (Some("linux/s390x"), "/s390x"),
    ] {
        let image = scan_files(&files, platform).unwrap();
        assert_eq!(
            shown(&image.tree).into_keys().collect::<Vec<_>>(),
            [file],
            "{platform:?}"
        );
    }
    let error = scan_files(&files, Some("linux/riscv64")).unwrap_err();
    assert!(error.is_answer());
    assert_eq!(
        error.to_string(),
        "no image for linux/riscv64: there is linux/amd64, linux/arm64, linux/s390x"
    );
    let single = make::layout(&layers());
    let error = scan_files(&single, Some("linux/arm64")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no image for linux/arm64: there is linux/amd64"
    );
}

#[test]
fn a_folder_is_read_without_following_links() {
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("secret.ko"), b"secret").unwrap();
    let folder = TempDir::new().unwrap();
    let modules = folder.path().join("opt/lib/modules/6.1.0");
    fs::create_dir_all(&modules).unwrap();
    fs::File::create(modules.join("a.ko"))
        .unwrap()
        .write_all(b"no module")
        .unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("out")).unwrap();
    std::os::unix::fs::symlink(".", folder.path().join("opt/loop")).unwrap();
    let image = scan_at(&folder, "dir:PATH", |_| {}).unwrap();
    let paths: Vec<String> = shown(&image.tree).into_keys().collect();
    let modules = [
        "/opt",
        "/opt/lib",
        "/opt/lib/modules",
        "/opt/lib/modules/6.1.0",
        "/opt/lib/modules/6.1.0/a.ko",
    ];
    assert_eq!(paths, [modules.as_slice(), &["/opt/loop", "/out"]].concat());
    let module = image.tree.find("/opt/lib/modules/6.1.0/a.ko").unwrap().unwrap();
    assert!(module.is_module() && module.module().is_some());
    let error = scan_at(&folder, "dir:PATH/none", |_| {}).unwrap_err();
    assert!(
        !error.is_answer() && chain(&error).contains("No such file"),
        "{}",
        chain(&error)
    );
}

#[test]
fn layers_that_are_the_same_count_twice() {
    let mut empty = Builder::default();
    empty.file("a", b"1");
    let mut without = Builder::default();
    without.file(".wh.a", b"");
    let twice = [&empty, &without, &empty].map(|tar| (tar.end(), LayerFormat::Gzip));
    let image = scan_files(&make::layout(&twice), None).unwrap();
    assert_eq!(shown(&image.tree).len(), 1);
    let error = scan_archive(&gzip(&make::archive(&make::layout(&twice))), "oci-archive:PATH/a").unwrap_err();
    assert!(
        chain(&error).contains("belongs to the image twice"),
        "{}",
        chain(&error)
    );
}

#[test]
fn layers_with_the_wrong_label_are_read_as_what_they_are() {
    for listed in [LayerFormat::Plain, LayerFormat::Gzip, LayerFormat::Zstd] {
        let mut files = make::layout(&layers());
        files.retain(|(path, _)| path.starts_with("blobs"));
        let (_, manifest) = files.pop().unwrap();
        let mut manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        for number in 0..3 {
            manifest["layers"][number]["mediaType"] = json!(make::layer_type(listed));
        }
        let entry = make::blob(&mut files, make::MANIFEST, manifest.to_string().into_bytes());
        make::index(&mut files, &[entry]);
        let image = scan_files(&files, None).unwrap();
        assert_eq!(shown(&image.tree), expected());
        let wrong = image.layers.iter().filter(|layer| layer.is_mislabelled()).count();
        assert_eq!(wrong, 2);
        assert!(
            image
                .layers
                .iter()
                .all(|layer| layer.is_mislabelled() == (layer.format != listed))
        );
    }
}
