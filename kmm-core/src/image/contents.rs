//! What is in an image, whatever it is for.

use std::collections::BTreeMap;

use crate::go_text::join_path;
use crate::image::Entry;
use crate::image::ModuleFile;
use crate::image::Tree;
use crate::image::Unread;

/// A folder of an image that holds modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleFolder<'a> {
    /// Its path: up to the kernel's name where it lies in `lib/modules`, else where the modules are.
    pub path: String,
    /// The kernel that it is named after; `None` outside of `lib/modules`.
    pub kernel: Option<String>,
    /// The modules in it, by path.
    pub modules: Vec<(String, Result<&'a ModuleFile, Unread>)>,
}

/// The folders of an image that hold modules, by path. Links are not followed: each file is there once.
pub fn module_folders(tree: &Tree) -> Vec<ModuleFolder<'_>> {
    let mut folders: BTreeMap<String, ModuleFolder<'_>> = BTreeMap::new();
    for file in tree.walk() {
        let Some(module) = file.module() else {
            continue;
        };
        let path = file.path();
        let (folder, kernel) = folder_of(&path);
        let entry = folders.entry(folder.to_owned()).or_insert_with(|| ModuleFolder {
            path: folder.to_owned(),
            kernel: kernel.map(str::to_owned),
            modules: Vec::new(),
        });
        entry.modules.push((path, module));
    }
    folders.into_values().collect()
}

/// The kernels for which an image has modules below `dirName`.
pub fn kernels(tree: &Tree, dir_name: &str) -> Vec<String> {
    let base = join_path(&["/", dir_name, "lib/modules"]);
    let folder = tree.find(&base).ok().flatten();
    // Once for all of them: any number of links may lead to one folder.
    let with_modules = tree.folders_with_modules();
    let kernels = folder.iter().flat_map(Entry::children).filter(|child| {
        let target = child.followed().ok().flatten();
        target.is_some_and(|target| with_modules.contains(&target))
    });
    kernels.map(|child| child.shown_name()).collect()
}

fn folder_of(path: &str) -> (&str, Option<&str>) {
    const MARK: &str = "/lib/modules/";
    if let Some(at) = path.find(MARK) {
        let start = at + MARK.len();
        if let Some(length) = path[start..].find('/') {
            return (&path[..start + length], Some(&path[start..start + length]));
        }
    }
    match path.rfind('/') {
        Some(end) if end > 0 => (&path[..end], None),
        _ => ("/", None),
    }
}

#[cfg(test)]
mod tests {
    use crate::image::Header;
    use crate::image::Kind;
    use crate::image::LayerReader;
    use crate::image::Limits;
    use crate::kmod::PlainOnly;

    use super::*;

    #[test]
    fn modules_are_listed_by_folder() {
        let mut layer = LayerReader::new(&Limits::default());
        for path in [
            "opt/lib/modules/6.1/extra/a.ko",
            "opt/lib/modules/6.1/b.ko",
            "opt/lib/modules/6.2/c.ko",
            "opt/lib/modules/d.ko",
            "e.ko",
            "opt/lib/modules/6.3/modules.dep",
        ] {
            let path = path.as_bytes();
            let kind = Kind::File;
            let header = Header {
                path,
                kind,
                size: 0,
                mode: 0o644,
            };
            layer.entry(header).unwrap();
            layer.content(b"", &PlainOnly);
        }
        let tree = Tree::merge(vec![layer.finish()], &Limits::default()).unwrap();
        let found: Vec<(String, Option<String>, usize)> = module_folders(&tree)
            .into_iter()
            .map(|folder| (folder.path, folder.kernel, folder.modules.len()))
            .collect();
        let kernel = |name: &str| Some(name.to_owned());
        assert_eq!(
            found,
            [
                ("/".to_owned(), None, 1),
                ("/opt/lib/modules".to_owned(), None, 1),
                ("/opt/lib/modules/6.1".to_owned(), kernel("6.1"), 2),
                ("/opt/lib/modules/6.2".to_owned(), kernel("6.2"), 1),
            ]
        );
        assert_eq!(kernels(&tree, "opt"), ["6.1", "6.2"]);
        assert!(kernels(&tree, "/usr").is_empty());
    }
}
