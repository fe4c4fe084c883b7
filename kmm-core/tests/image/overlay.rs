//! Random layers, against a second implementation that keeps whole paths and is in no hurry.

use std::collections::BTreeMap;

use kmm_core::image::Budget;
use kmm_core::image::FileKind;
use kmm_core::image::Header;
use kmm_core::image::Kind;
use kmm_core::image::LayerReader;
use kmm_core::image::Limits;
use kmm_core::image::Tree;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    File(String, u64),
    Folder(String),
    Link(String, String),
    Whiteout(String),
    Opaque(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Thing {
    File(u64),
    Folder,
    Link(String),
}

/// Paths of up to three parts of three letters: they meet often.
fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[abc]", 1..4).prop_map(|parts| parts.join("/"))
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (path(), 0..100_u64).prop_map(|(path, size)| Op::File(path, size)),
        3 => path().prop_map(Op::Folder),
        1 => ("[abc]/[abc]/l", path()).prop_map(|(path, target)| Op::Link(path, target)),
        2 => path().prop_map(Op::Whiteout),
        1 => path().prop_map(Op::Opaque),
    ]
}

/// One layer unpacked into a folder of its own, as an overlay has it.
#[derive(Default)]
struct Naive {
    files: BTreeMap<String, Thing>,
    hidden: Vec<String>,
    opaque: Vec<String>,
}

impl Naive {
    /// Whether all above it are folders, or not there.
    fn takes(&self, op: &Op) -> bool {
        let path = match op {
            Op::File(path, _) | Op::Folder(path) | Op::Link(path, _) | Op::Whiteout(path) => path.clone(),
            Op::Opaque(path) => format!("{path}/x"),
        };
        let parents = path
            .match_indices('/')
            .filter_map(|(at, _)| self.files.get(&path[..at]));
        parents.into_iter().all(|parent| *parent == Thing::Folder)
    }

    fn parents(&mut self, path: &str) {
        for (at, _) in path.match_indices('/') {
            self.files.entry(path[..at].to_owned()).or_insert(Thing::Folder);
        }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::File(path, size) => self.put(path, Thing::File(*size)),
            Op::Folder(path) => self.put(path, Thing::Folder),
            Op::Link(path, target) => self.put(path, Thing::Link(target.clone())),
            Op::Whiteout(path) => {
                self.hidden.push(path.clone());
                self.parents(path);
            }
            Op::Opaque(path) => {
                self.opaque.push(path.clone());
                self.parents(&format!("{path}/x"));
            }
        }
    }

    fn put(&mut self, path: &str, thing: Thing) {
        self.parents(path);
        if thing != Thing::Folder || self.files.get(path).is_some_and(|old| *old != Thing::Folder) {
            drop_below(&mut self.files, path);
            // Whiteouts are files too: what replaces their folder takes them away.
            let start = format!("{path}/");
            self.hidden.retain(|other| !other.starts_with(&start));
            self.opaque.retain(|other| !other.starts_with(&start));
        }
        self.files.insert(path.to_owned(), thing);
    }

    fn onto(self, below: &mut BTreeMap<String, Thing>) {
        for path in &self.hidden {
            below.remove(path);
            drop_below(below, path);
        }
        for path in self
            .opaque
            .iter()
            .filter(|path| self.files.get(*path) == Some(&Thing::Folder))
        {
            drop_below(below, path);
        }
        for (path, thing) in self.files {
            if !(thing == Thing::Folder && below.get(&path) == Some(&Thing::Folder)) {
                drop_below(below, &path);
            }
            below.insert(path, thing);
        }
    }
}

fn drop_below(files: &mut BTreeMap<String, Thing>, path: &str) {
    let start = format!("{path}/");
    files.retain(|other, _| !other.starts_with(&start));
}

fn header(op: &Op) -> (String, Kind<'_>, u64) {
    let beside = |path: &str| match path.rsplit_once('/') {
        Some((folder, name)) => format!("{folder}/.wh.{name}"),
        None => format!(".wh.{path}"),
    };
    match op {
        Op::File(path, size) => (path.clone(), Kind::File, *size),
        Op::Folder(path) => (format!("./{path}/"), Kind::Directory, 0),
        Op::Link(path, target) => (path.clone(), Kind::Symlink(target.as_bytes()), 0),
        Op::Whiteout(path) => (beside(path), Kind::File, 0),
        Op::Opaque(path) => (format!("{path}/.wh..wh..opq"), Kind::File, 0),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn layers_add_up_as_they_do_for_someone_who_is_in_no_hurry(
        layers in prop::collection::vec(prop::collection::vec(op(), 0..12), 1..5)
    ) {
        let budget = Budget::new(&Limits::default());
        let mut expected = BTreeMap::new();
        let mut read = Vec::new();
        for layer in &layers {
            let (mut naive, mut reader) = (Naive::default(), LayerReader::within(&budget));
            for op in layer {
                // An entry below a file is refused; one below a link of the layer is another test's.
                if !naive.takes(op) {
                    continue;
                }
                let (path, kind, size) = header(op);
                let taken = reader.entry(Header { path: path.as_bytes(), kind, size, mode: 0o644 });
                naive.apply(op);
                prop_assert!(taken.is_ok(), "{op:?}: {taken:?}");
            }
            naive.onto(&mut expected);
            read.push(reader.finish());
        }
        let tree = Tree::merge(read, &Limits::default()).unwrap();
        let found: BTreeMap<String, Thing> = tree.walk().skip(1).map(|file| {
            let thing = match file.kind() {
                FileKind::Directory => Thing::Folder,
                FileKind::Symlink => Thing::Link(String::from_utf8_lossy(file.target().unwrap()).into_owned()),
                FileKind::File | FileKind::Device => Thing::File(file.size()),
            };
            (file.path().trim_start_matches('/').to_owned(), thing)
        }).collect();
        prop_assert_eq!(&found, &expected);
        for path in expected.keys() {
            let entry = tree.find_link(&format!("/{path}")).unwrap();
            prop_assert_eq!(entry.map(|entry| entry.path()), Some(format!("/{path}")));
        }
    }
}
