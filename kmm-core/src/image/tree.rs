//! What the layers of an image add up to.

use std::collections::HashSet;
use std::hash::Hash;
use std::hash::Hasher;

use thiserror::Error;

use crate::image::Limits;
use crate::image::content::Content;
use crate::image::content::ModuleFile;
use crate::image::content::Unread;
use crate::image::layer::Layer;
use crate::image::layer::shown;
use crate::image::store::Kind;
use crate::image::store::Loop;
use crate::image::store::NONE;
use crate::image::store::Node;
use crate::image::store::ROOT;
use crate::image::store::Store;

/// The files of an image, as a container sees them.
#[derive(Debug)]
pub struct Tree {
    store: Store,
    contents: Vec<Option<Content>>,
    layers: Vec<LayerSize>,
}

/// How much a layer brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerSize {
    /// Headers in it.
    pub entries: usize,
    /// Bytes of its files, those included that layers above it replace or hide.
    pub bytes: u64,
}

/// Why layers make no tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TreeError {
    /// There are more layers than [`Limits::layers`].
    #[error("{count} layers, {limit} are the most that are read of an image")]
    TooManyLayers {
        /// How many there are.
        count: usize,
        /// The most.
        limit: usize,
    },
    /// All layers together have more files than can be counted.
    #[error("more files than are read of an image")]
    TooManyEntries,
    /// A hard link to a file that is neither in its layer nor below it, or that is a folder.
    #[error("layer {layer}: `{path}` is a hard link to `{target}`, and there is no such file")]
    DanglingHardLink {
        /// The number of the layer, from 0.
        layer: usize,
        /// The link.
        path: String,
        /// Where it leads.
        target: String,
    },
}

/// Why a path leads nowhere: through more than 40 symbolic links, or in a circle.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{path}` leads through too many symbolic links")]
pub struct TooManyLinks {
    /// The path.
    pub path: String,
}

/// What a file in the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device or named pipe.
    Device,
}

/// A file of a [`Tree`].
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    tree: &'a Tree,
    id: u32,
}

impl Tree {
    /// Puts layers on each other, the lowest one first, as an overlay file system does: a folder on a folder shows the
    /// files of both, anything else hides what is below.
    ///
    /// A folder in a layer thus hides a symbolic link below. (containerd unpacks such a folder through the link.)
    ///
    /// # Errors
    ///
    /// When there are too many layers, or a hard link leads nowhere.
    pub fn merge(layers: Vec<Layer>, limits: &Limits) -> Result<Self, TreeError> {
        let (count, limit) = (layers.len(), limits.layers.min(usize::from(u8::MAX)));
        if count > limit {
            return Err(TreeError::TooManyLayers { count, limit });
        }
        let mut tree = Self {
            store: Store::new(),
            contents: Vec::new(),
            layers: Vec::new(),
        };
        for (number, layer) in layers.into_iter().enumerate() {
            tree.layers.push(LayerSize {
                entries: layer.entries,
                bytes: layer.bytes,
            });
            if number == 0 {
                tree.begin(layer)?;
            } else {
                tree.put(layer, number)?;
            }
        }
        tree.sweep();
        Ok(tree)
    }

    /// The layers, the lowest one first.
    pub fn layers(&self) -> &[LayerSize] {
        &self.layers
    }

    /// The root folder.
    pub fn root(&self) -> Entry<'_> {
        self.entry(ROOT)
    }

    /// The file at a path, symbolic links resolved within the image.
    ///
    /// # Errors
    ///
    /// When more than 40 links lie on the way.
    pub fn find(&self, path: &str) -> Result<Option<Entry<'_>>, TooManyLinks> {
        self.find_from(ROOT, path.as_bytes(), true)
    }

    /// The same, but a link at the end of the path is itself what is found.
    ///
    /// # Errors
    ///
    /// When more than 40 links lie on the way.
    pub fn find_link(&self, path: &str) -> Result<Option<Entry<'_>>, TooManyLinks> {
        self.find_from(ROOT, path.as_bytes(), false)
    }

    /// All files, folders before what is in them, sorted by name within each folder. Symbolic links are not followed.
    pub fn walk(&self) -> impl Iterator<Item = Entry<'_>> {
        self.root().walk()
    }

    /// The folders that have a module somewhere below.
    pub(super) fn folders_with_modules(&self) -> HashSet<Entry<'_>> {
        let mut found = HashSet::new();
        for file in self.walk().filter(Entry::is_module) {
            let mut at = file;
            while let Some(parent) = at.parent() {
                if !found.insert(parent) {
                    break;
                }
                at = parent;
            }
        }
        found
    }

    fn find_from(&self, from: u32, path: &[u8], follow: bool) -> Result<Option<Entry<'_>>, TooManyLinks> {
        match self.store.find(from, path, follow) {
            Ok(found) => Ok(found.map(|id| self.entry(id))),
            Err(Loop) => Err(TooManyLinks { path: shown(path) }),
        }
    }

    fn entry(&self, id: u32) -> Entry<'_> {
        Entry { tree: self, id }
    }

    /// The lowest layer is the tree to begin with: it is not copied.
    fn begin(&mut self, layer: Layer) -> Result<(), TreeError> {
        self.store = layer.store;
        self.contents = layer.contents;
        for id in 0..self.store.len() as u32 {
            match self.store.kind(id) {
                Kind::Whiteout => self.store.remove(id),
                Kind::HardLink => return Err(self.dangling(&self.store, id, 0)),
                Kind::File | Kind::Directory | Kind::Symlink | Kind::Device | Kind::Dead => {
                    self.store.set_hides(id, false);
                }
            }
        }
        Ok(())
    }

    fn put(&mut self, mut layer: Layer, number: usize) -> Result<(), TreeError> {
        layer.store.set_layer(number as u8);
        let resolved = self.hard_links(&layer.store, number)?;
        let first = self.contents.len() as u32;
        self.contents.extend(layer.contents);
        let upper = &layer.store;
        let mut folders = vec![(ROOT, ROOT)];
        while let Some((above, below)) = folders.pop() {
            if upper.node(above).is_some_and(Node::is_opaque) {
                self.store.clear(below);
            }
            for id in upper.children(above) {
                let Some(mut node) = upper.node(id).copied() else {
                    continue;
                };
                match node.kind() {
                    Kind::File if node.payload != NONE => node.payload += first,
                    Kind::Symlink => {
                        node.payload = self
                            .store
                            .text(upper.target(id))
                            .ok_or(TreeError::TooManyEntries)?;
                    }
                    Kind::HardLink => node = resolved.get(&id).copied().unwrap_or(node),
                    Kind::File | Kind::Directory | Kind::Device | Kind::Whiteout | Kind::Dead => {}
                }
                if let Some(placed) = self.place(below, upper.name(id), node)? {
                    folders.push((id, placed));
                }
            }
        }
        Ok(())
    }

    /// Puts one node in its place; a folder gives its number, for what is in it.
    fn place(&mut self, parent: u32, name: &[u8], node: Node) -> Result<Option<u32>, TreeError> {
        let below = self.store.child(parent, name);
        let is_folder = node.kind() == Kind::Directory;
        if let Some(below) = below {
            if is_folder && !node.hides() && self.store.kind(below) == Kind::Directory {
                self.store.replace(below, node);
                self.store.set_hides(below, false);
                return Ok(Some(below));
            }
            self.store.remove(below);
        }
        if node.kind() == Kind::Whiteout {
            return Ok(None);
        }
        let added = self.store.add(parent, name, node);
        let added = added.ok_or(TreeError::TooManyEntries)?;
        self.store.set_hides(added, false);
        Ok(is_folder.then_some(added))
    }

    /// What the hard links of a layer are that lead to files below it.
    fn hard_links(
        &self,
        upper: &Store,
        number: usize,
    ) -> Result<std::collections::HashMap<u32, Node>, TreeError> {
        let links = (0..upper.len() as u32).filter(|id| upper.kind(*id) == Kind::HardLink);
        let mut resolved = std::collections::HashMap::new();
        for id in links {
            let found = self.store.find(ROOT, upper.target(id), false).ok().flatten();
            let node = found.and_then(|found| self.store.node(found).copied());
            let Some(node) = node.filter(|node| node.kind() != Kind::Directory) else {
                return Err(self.dangling(upper, id, number));
            };
            resolved.insert(id, node);
        }
        Ok(resolved)
    }

    fn dangling(&self, store: &Store, id: u32, layer: usize) -> TreeError {
        TreeError::DanglingHardLink {
            layer,
            path: shown(&path_in(store, id)),
            target: shown(store.target(id)),
        }
    }

    /// Drops contents that no file has any more.
    fn sweep(&mut self) {
        let mut used = vec![false; self.contents.len()];
        let mut folders = vec![ROOT];
        while let Some(folder) = folders.pop() {
            for id in self.store.children(folder) {
                match self.store.node(id).map(|node| (node.kind(), node.payload)) {
                    Some((Kind::Directory, _)) => folders.push(id),
                    Some((Kind::File, content)) => {
                        if let Some(used) = used.get_mut(content as usize) {
                            *used = true;
                        }
                    }
                    _ => {}
                }
            }
        }
        for (content, used) in self.contents.iter_mut().zip(used) {
            if !used {
                *content = None;
            }
        }
    }
}

impl<'a> Entry<'a> {
    /// What it is.
    pub fn kind(&self) -> FileKind {
        match self.tree.store.kind(self.id) {
            Kind::Directory => FileKind::Directory,
            Kind::Symlink => FileKind::Symlink,
            Kind::Device => FileKind::Device,
            Kind::File | Kind::HardLink | Kind::Whiteout | Kind::Dead => FileKind::File,
        }
    }

    /// Bytes of a file; 0 for anything else.
    pub fn size(&self) -> u64 {
        match self.kind() {
            FileKind::File => self.node().map_or(0, |node| node.size),
            FileKind::Directory | FileKind::Symlink | FileKind::Device => 0,
        }
    }

    /// Permissions: the lowest nine bits.
    pub fn mode(&self) -> u32 {
        self.node().map_or(0, Node::mode)
    }

    /// The number of the layer that it comes from, the lowest one being 0.
    pub fn layer(&self) -> usize {
        self.node().map_or(0, |node| usize::from(node.layer))
    }

    /// Its name; empty for the root.
    pub fn name(&self) -> &'a [u8] {
        self.tree.store.name(self.id)
    }

    /// Its name, for people.
    pub fn shown_name(&self) -> String {
        String::from_utf8_lossy(self.name()).into_owned()
    }

    /// Its path in the image, as bytes.
    pub fn path_bytes(&self) -> Vec<u8> {
        path_in(&self.tree.store, self.id)
    }

    /// Its path in the image, for people.
    pub fn path(&self) -> String {
        String::from_utf8_lossy(&self.path_bytes()).into_owned()
    }

    /// The folder that it is in; `None` for the root.
    fn parent(&self) -> Option<Self> {
        let parent = self.node().filter(|_| self.id != ROOT)?.parent;
        Some(self.tree.entry(parent))
    }

    /// Where a symbolic link leads, as it stands there.
    pub fn target(&self) -> Option<&'a [u8]> {
        (self.kind() == FileKind::Symlink).then(|| self.tree.store.target(self.id))
    }

    /// Where it leads when links are followed: itself if it is none, `None` where there is nothing.
    ///
    /// # Errors
    ///
    /// When more than 40 links lie on the way.
    pub fn followed(&self) -> Result<Option<Self>, TooManyLinks> {
        match self.target() {
            None => Ok(Some(*self)),
            Some(target) => {
                let parent = self.node().map_or(ROOT, |node| node.parent);
                self.tree.find_from(parent, target, true)
            }
        }
    }

    /// What is in a folder, sorted by name.
    pub fn children(&self) -> Vec<Self> {
        let mut children: Vec<u32> = self.tree.store.children(self.id).collect();
        children.sort_by_key(|id| self.tree.store.name(*id));
        children.into_iter().map(|id| self.tree.entry(id)).collect()
    }

    /// The child of this name, a link as a link.
    pub fn child(&self, name: &[u8]) -> Option<Self> {
        let found = self.tree.store.child(self.id, name);
        found.map(|id| self.tree.entry(id))
    }

    /// It and all below it, folders before what is in them, without following links.
    pub fn walk(&self) -> impl Iterator<Item = Self> + use<'a> {
        let mut stack = vec![*self];
        std::iter::from_fn(move || {
            let next = stack.pop()?;
            stack.extend(next.children().into_iter().rev());
            Some(next)
        })
    }

    /// Whether it is a kernel module by its name.
    pub fn is_module(&self) -> bool {
        self.kind() == FileKind::File && super::content::is_module(self.name())
    }

    /// The kernel module that it is; `None` where the name is that of no module.
    pub fn module(&self) -> Option<Result<&'a ModuleFile, Unread>> {
        match self.content()? {
            Content::Module(module) => Some(Ok(module)),
            Content::Missing(unread) if self.is_module() => Some(Err(*unread)),
            Content::Missing(_) | Content::Text(_) => None,
        }
    }

    /// The content of a file such as `modules.dep`; `None` where the name is that of no such file.
    pub fn text(&self) -> Option<Result<&'a [u8], Unread>> {
        match self.content()? {
            Content::Text(text) => Some(Ok(text)),
            Content::Missing(unread) if !self.is_module() => Some(Err(*unread)),
            Content::Missing(_) | Content::Module(_) => None,
        }
    }

    fn content(&self) -> Option<&'a Content> {
        let node = self.node().filter(|node| node.kind() == Kind::File)?;
        self.tree.contents.get(node.payload as usize)?.as_ref()
    }

    fn node(&self) -> Option<&'a Node> {
        self.tree.store.node(self.id)
    }
}

impl PartialEq for Entry<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.tree, other.tree) && self.id == other.id
    }
}

impl Eq for Entry<'_> {}

impl Hash for Entry<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl std::fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Entry").field(&self.path()).finish()
    }
}

fn path_in(store: &Store, id: u32) -> Vec<u8> {
    let mut parts = Vec::new();
    let mut at = id;
    while at != ROOT {
        parts.push(store.name(at));
        at = store.node(at).map_or(ROOT, |node| node.parent);
    }
    let mut path = Vec::new();
    for part in parts.iter().rev() {
        path.push(b'/');
        path.extend(*part);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path
}
