use kmm_core::image::Budget;
use kmm_core::image::Header;
use kmm_core::image::Kind;
use kmm_core::image::Layer;
use kmm_core::image::LayerError;
use kmm_core::image::LayerReader;
use kmm_core::image::Limits;
use kmm_core::image::Tree;
use kmm_core::image::TreeError;
use kmm_core::image::Want;
use kmm_core::kmod::PlainOnly;

use crate::scene::core;

fn entry<'a>(path: &'a str, kind: Kind<'a>) -> Header<'a> {
    Header {
        path: path.as_bytes(),
        kind,
        size: 3,
        mode: 0o644,
    }
}

fn layer(entries: &[(&str, Kind<'_>)]) -> Result<Layer, LayerError> {
    let mut reader = LayerReader::new(&Limits::default());
    for (path, kind) in entries {
        reader.entry(entry(path, *kind))?;
    }
    Ok(reader.finish())
}

fn tree(layers: &[&[(&str, Kind<'_>)]]) -> Result<Tree, TreeError> {
    let layers = layers.iter().map(|entries| layer(entries).unwrap()).collect();
    Tree::merge(layers, &Limits::default())
}

fn path_of(tree: &Tree, path: &str) -> Option<String> {
    tree.find(path).unwrap().map(|found| found.path())
}

#[test]
fn links_stay_in_the_image() {
    let tree = tree(&[&[
        ("usr/lib/x", Kind::File),
        ("lib", Kind::Symlink(b"usr/lib")),
        ("abs", Kind::Symlink(b"/usr/lib")),
        ("up", Kind::Symlink(b"../../../../usr/lib/x")),
        ("a", Kind::Symlink(b"b")),
        ("b", Kind::Symlink(b"a")),
    ]])
    .unwrap();
    for path in ["/lib/x", "/abs/x", "/up", "/../usr/lib/./x", "lib/../lib/x"] {
        assert_eq!(path_of(&tree, path).as_deref(), Some("/usr/lib/x"), "{path}");
    }
    assert!(tree.find("/a/x").is_err());
    assert_eq!(path_of(&tree, "/lib/x/y"), None);
}

#[test]
fn entries_go_through_links_of_their_own_layer() {
    let tree = tree(&[&[("lib", Kind::Symlink(b"/usr/lib")), ("lib/x", Kind::File)]]).unwrap();
    assert_eq!(path_of(&tree, "/usr/lib/x").as_deref(), Some("/usr/lib/x"));
    let error = layer(&[("a", Kind::Symlink(b"a")), ("a/x", Kind::File)]).unwrap_err();
    assert!(matches!(error, LayerError::Links { .. }), "{error}");
    // Each link leads to the next, by a long way.
    let long = "d/../".repeat(800);
    let targets: Vec<(String, String)> = (0..30)
        .map(|number| (format!("l{number}"), format!("{long}l{}", number + 1)))
        .collect();
    let mut entries = vec![("d", Kind::Directory), ("l30", Kind::Directory)];
    entries.extend(
        targets
            .iter()
            .map(|(path, target)| (path.as_str(), Kind::Symlink(target.as_bytes()))),
    );
    entries.push(("l28/x", Kind::File));
    assert!(layer(&entries).is_ok());
    entries.push(("l0/x", Kind::File));
    let error = layer(&entries).unwrap_err();
    assert!(matches!(error, LayerError::Links { .. }), "{error}");
}

#[test]
fn hard_links_lead_to_files_of_the_layer_or_below() {
    let mut below = LayerReader::new(&Limits::default());
    let bytes = core().build();
    assert_eq!(below.entry(entry("m/a.ko", Kind::File)), Ok(Want::Content));
    below.content(&bytes, &PlainOnly);
    assert_eq!(
        below.entry(entry("m/b.ko", Kind::HardLink(b"m/a.ko"))),
        Ok(Want::Nothing)
    );
    let above = layer(&[
        ("m/.wh.a.ko", Kind::File),
        ("m/c.ko", Kind::HardLink(b"./m/b.ko")),
    ])
    .unwrap();
    let tree = Tree::merge(vec![below.finish(), above], &Limits::default()).unwrap();
    assert_eq!(path_of(&tree, "/m/a.ko"), None);
    for name in ["/m/b.ko", "/m/c.ko"] {
        let file = tree.find(name).unwrap().unwrap();
        let object = file.module().unwrap().unwrap().object().unwrap();
        assert_eq!(
            (object.name.as_str(), object.exports.len(), file.size()),
            ("acme_core", 1, 3)
        );
    }
    let error = self::tree(&[&[("x", Kind::HardLink(b"gone"))]]).unwrap_err();
    assert!(matches!(error, TreeError::DanglingHardLink { .. }), "{error}");
    assert!(layer(&[("d", Kind::Directory), ("x", Kind::HardLink(b"d"))]).is_err());
}

#[test]
fn what_is_kept_of_a_module_is_all_but_its_signature() {
    let bytes = crate::scene::signed(crate::scene::nic(), b"good");
    let mut reader = LayerReader::new(&Limits::default());
    reader.entry(entry("a.ko", Kind::File)).unwrap();
    reader.content(&bytes, &PlainOnly);
    let tree = Tree::merge(vec![reader.finish()], &Limits::default()).unwrap();
    let kept = tree
        .find("a.ko")
        .unwrap()
        .unwrap()
        .module()
        .unwrap()
        .unwrap()
        .object()
        .unwrap();
    let whole = kmm_core::kmod::KernelObject::read(&bytes, &PlainOnly).unwrap();
    assert_eq!(
        (&kept.imports, &kept.exports, kept.versions),
        (&whole.imports, &whole.exports, whole.versions)
    );
    assert_eq!(
        kept.info.pairs().collect::<Vec<_>>(),
        whole.info.pairs().collect::<Vec<_>>()
    );
    let (kept, whole) = (kept.signature.unwrap(), whole.signature.unwrap());
    assert_eq!(
        (kept.signer, kept.key_id, kept.hash),
        (whole.signer, whole.key_id, whole.hash)
    );
    assert!(kept.signature.is_empty());
}

#[test]
fn hostile_paths_are_refused() {
    let long = "n".repeat(256);
    let deep = "d/".repeat(3000);
    for path in ["../x", "a/../../x", "a\0b", "a/.wh.", "a/.wh...", &long, &deep] {
        assert!(layer(&[(path, Kind::File)]).is_err(), "{path}");
    }
    assert!(layer(&[("a", Kind::HardLink(b"../../etc/shadow"))]).is_err());
    assert!(layer(&[("a", Kind::Symlink(b""))]).is_err());
    assert!(layer(&[("a", Kind::File), ("a/b", Kind::File)]).is_err());
    assert!(
        layer(&[
            ("dev/null", Kind::Device),
            ("/abs", Kind::File),
            ("", Kind::Directory)
        ])
        .is_ok()
    );
}

#[test]
fn layers_share_one_budget() {
    let mut limits = Limits::default();
    limits.entries = 10;
    let budget = Budget::new(&limits);
    let mut first = LayerReader::within(&budget);
    let mut second = LayerReader::within(&budget);
    for number in 0..5 {
        let path = format!("f{number}");
        first.entry(entry(&path, Kind::File)).unwrap();
        second.entry(entry(&path, Kind::File)).unwrap();
    }
    let error = second.entry(entry("one-more", Kind::File)).unwrap_err();
    assert_eq!(error, LayerError::TooManyEntries { limit: 10 });
    let mut limits = Limits::default();
    limits.name_bytes = 10_000;
    let mut reader = LayerReader::new(&limits);
    let deep = "d/".repeat(2000);
    assert!(reader.entry(entry(&deep, Kind::Directory)).is_err());
}

#[test]
fn a_layer_of_half_a_million_files_is_read() {
    let mut reader = LayerReader::new(&Limits::default());
    for number in 0..500_000_u32 {
        let path = format!("usr/share/d{}/file-number-{number}", number / 300);
        reader.entry(entry(&path, Kind::File)).unwrap();
    }
    let tree = Tree::merge(vec![reader.finish()], &Limits::default()).unwrap();
    assert!(
        tree.find("/usr/share/d1666/file-number-499999")
            .unwrap()
            .is_some()
    );
    assert_eq!(tree.walk().count(), 500_000 + 1667 + 3);
}
