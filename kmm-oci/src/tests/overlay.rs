//! Random layers, scanned, against a second and simple way to put them on each other.

use proptest::collection::vec;
use proptest::prelude::*;

use super::make;
use super::*;
use crate::manifest::LayerFormat;
use crate::tar::build::Builder;

#[derive(Clone, Debug)]
enum Item {
    File(String, usize),
    Folder(String),
    Link(String),
    Whiteout(String),
    Opaque(String),
}

/// `x` is a folder in some layers and a file in others; the rest keeps its kind, so that no layer contradicts itself.
fn layer() -> impl Strategy<Value = Vec<Item>> {
    any::<bool>().prop_flat_map(|x_is_folder| {
        let folder = if x_is_folder { "x|d|e" } else { "d|e" };
        let folders = format!("({folder})(/(d|e)){{0,2}}");
        let file = format!("(({folder})(/(d|e)){{0,2}}/)?[fg]");
        let plain_x = "(d/)?".to_owned() + if x_is_folder { "f" } else { "x" };
        let top_x = if x_is_folder { "g" } else { "x" };
        let hidden = "(d/|e/)?(x|d|e|f|g|l)";
        vec(
            prop_oneof![
                (proptest::string::string_regex(&file).unwrap(), 0..3000usize)
                    .prop_map(|(p, s)| Item::File(p, s)),
                proptest::string::string_regex(&folders)
                    .unwrap()
                    .prop_map(Item::Folder),
                "(d/)?l".prop_map(Item::Link),
                (Just(top_x.to_owned()), 0..9usize).prop_map(|(p, s)| Item::File(p, s)),
                Just(plain_x).prop_map(|_| Item::File("h".to_owned(), 1)),
                hidden.prop_map(Item::Whiteout),
                proptest::string::string_regex(&folders)
                    .unwrap()
                    .prop_map(Item::Opaque),
            ],
            0..12,
        )
    })
}

fn tar(items: &[Item]) -> Vec<u8> {
    let mut tar = Builder::default();
    for item in items {
        match item {
            Item::File(path, size) => tar.file(path, &vec![b'.'; *size]),
            Item::Folder(path) => tar.folder(&format!("./{path}/")),
            Item::Link(path) => tar.symlink(path, "/nowhere"),
            Item::Whiteout(path) => {
                let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
                tar.file(format!("{folder}/.wh.{name}").trim_start_matches('/'), b"")
            }
            Item::Opaque(path) => tar.file(&format!("{path}/.wh..wh..opq"), b""),
        };
    }
    tar.end()
}

fn remove_below(shown: &mut Shown, path: &str) {
    let start = format!("{path}/");
    shown.retain(|other, _| !other.starts_with(&start));
}

fn make_folders(shown: &mut Shown, path: &str) {
    for (end, _) in path.match_indices('/').skip(1).chain([(path.len(), "")]) {
        let folder = &path[..end];
        if !folder.is_empty() {
            shown.insert(folder.to_owned(), (FileKind2::Directory, 0));
        }
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn naive(layers: &[Vec<Item>]) -> Shown {
    let mut shown = Shown::new();
    for items in layers {
        for item in items {
            match item {
                Item::Whiteout(path) => {
                    let path = format!("/{path}");
                    shown.remove(&path);
                    remove_below(&mut shown, &path);
                }
                Item::Opaque(path) => remove_below(&mut shown, &format!("/{path}")),
                Item::File(..) | Item::Folder(_) | Item::Link(_) => {}
            }
        }
        for item in items {
            let (path, node) = match item {
                Item::File(path, size) => (path, (FileKind2::File, *size as u64)),
                Item::Link(path) => (path, (FileKind2::Symlink, 0)),
                Item::Folder(path) | Item::Opaque(path) => {
                    make_folders(&mut shown, &format!("/{path}"));
                    continue;
                }
                Item::Whiteout(path) => {
                    make_folders(&mut shown, parent(&format!("/{path}")));
                    continue;
                }
            };
            let path = format!("/{path}");
            make_folders(&mut shown, parent(&path));
            remove_below(&mut shown, &path);
            shown.insert(path, node);
        }
    }
    shown
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn layers_add_up_as_the_simple_way_says(
        layers in vec((layer(), 0..3usize), 0..6),
        stream: bool,
    ) {
        let formats = [LayerFormat::Plain, LayerFormat::Gzip, LayerFormat::Zstd];
        let tars: Vec<_> = layers.iter().map(|(items, format)| (tar(items), formats[*format])).collect();
        let items: Vec<Vec<Item>> = layers.into_iter().map(|(items, _)| items).collect();
        // A stream cannot give one layer twice.
        let unique: std::collections::BTreeSet<&Vec<u8>> = tars.iter().map(|(tar, _)| tar).collect();
        let image = if stream && unique.len() == tars.len() {
            let archive = make::archive(&make::layout(&tars));
            let options = ScanOptions::new(&PlainOnly);
            crate::source::scan_stream(archive.as_slice(), "-", None, &options)
        } else {
            scan_files(&make::layout(&tars), None)
        };
        let image = image.map_err(|error| TestCaseError::fail(chain(&error)))?;
        prop_assert_eq!(shown(&image.tree), naive(&items));
    }
}
