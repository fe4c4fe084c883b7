//! One layer, read in the order of its tar stream.

use std::sync::Arc;

use thiserror::Error;

use crate::image::Budget;
use crate::image::Limits;
use crate::image::content::Content;
use crate::image::content::Interest;
use crate::image::content::ModuleFile;
use crate::image::content::Unread;
use crate::image::store;
use crate::image::store::NONE;
use crate::image::store::Node;
use crate::image::store::ROOT;
use crate::image::store::Store;
use crate::image::store::Way;
use crate::kmod::Decompress;
use crate::sign::Verifier;

const LONGEST_NAME: usize = 255;
const LONGEST_PATH: usize = 4096;
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// One header of a tar stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The path as it stands there, long names resolved.
    pub path: &'a [u8],
    /// What it is.
    pub kind: Kind<'a>,
    /// Bytes of its content.
    pub size: u64,
    /// Permissions; other bits are not looked at.
    pub mode: u32,
}

/// What an entry of a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// A regular file, sparse or contiguous ones included.
    File,
    /// A folder.
    Directory,
    /// A symbolic link, with its target.
    Symlink(&'a [u8]),
    /// Another name for a file, with its path.
    HardLink(&'a [u8]),
    /// A character or block device, or a named pipe.
    Device,
}

/// What the reader of the tar stream hands over next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Nothing: the content can be left out.
    Nothing,
    /// All bytes of the content, to [`LayerReader::content`].
    Content,
}

/// Why a layer cannot be what an image is made of.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LayerError {
    /// All layers together have more entries than [`Limits::entries`].
    #[error("more than {limit} entries, which is the most that is read of an image")]
    TooManyEntries {
        /// The most.
        limit: usize,
    },
    /// All names together are longer than [`Limits::name_bytes`].
    #[error("names of more than {limit} bytes, which is the most that is read of an image")]
    TooManyNames {
        /// The most.
        limit: usize,
    },
    /// A path leads out of the image.
    #[error("entry `{path}`: a path with `..` leads out of the folder that it is unpacked in")]
    Escape {
        /// The path.
        path: String,
    },
    /// A name or path is longer than Linux allows.
    #[error("entry `{path}`: a name has {LONGEST_NAME} bytes at the most, and a path {LONGEST_PATH}")]
    TooLong {
        /// The start of the path.
        path: String,
    },
    /// A name holds what no name can hold.
    #[error("entry `{path}`: {reason}")]
    Name {
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// What should be a folder is a file.
    #[error("entry `{path}`: it lies in something that is no folder in this layer")]
    NotAFolder {
        /// The path.
        path: String,
    },
    /// Symbolic links lead in a circle, or the entry lies behind more than 40 of them or 16 KiB of names.
    #[error(
        "entry `{path}`: it lies behind symbolic links that lead in a circle, or further than 40 of them and 16 KiB of names"
    )]
    Links {
        /// The path.
        path: String,
    },
    /// A hard link to a folder.
    #[error("entry `{path}`: a hard link to a folder")]
    LinkToFolder {
        /// The path.
        path: String,
    },
}

/// Reads one layer: tell it each header, and the content where it wants it.
pub struct LayerReader {
    layer: Layer,
    budget: Budget,
    verifier: Option<Arc<dyn Verifier>>,
    /// The file whose content comes next.
    pending: Option<(u32, Interest)>,
}

/// What is known of one layer.
#[derive(Debug)]
pub struct Layer {
    pub(super) store: Store,
    pub(super) contents: Vec<Option<Content>>,
    pub(super) entries: usize,
    pub(super) bytes: u64,
}

impl Layer {
    /// Headers in the layer.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Bytes of its files.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl LayerReader {
    /// A reader of the only layer of an image. The layers of one image share a [`Budget`]: see [`LayerReader::within`].
    pub fn new(limits: &Limits) -> Self {
        Self::within(&Budget::new(limits))
    }

    /// A reader of one of several layers, which are bounded together.
    pub fn within(budget: &Budget) -> Self {
        Self {
            layer: Layer {
                store: Store::new(),
                contents: Vec::new(),
                entries: 0,
                bytes: 0,
            },
            budget: budget.clone(),
            verifier: None,
            pending: None,
        }
    }

    /// Has the signatures of modules verified, which cannot be done later: their bytes are not kept.
    #[must_use]
    pub fn verify_with(mut self, verifier: Arc<dyn Verifier>) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Takes the next header, as it stands in the stream: whiteouts, links and bad paths included.
    ///
    /// # Errors
    ///
    /// When the entry cannot be unpacked anywhere without harm, or the image is too large. The layer is then of no use.
    pub fn entry(&mut self, header: Header<'_>) -> Result<Want, LayerError> {
        self.pending = None;
        let limits = self.budget.limits();
        if !self.budget.entry() {
            return Err(LayerError::TooManyEntries {
                limit: limits.entries,
            });
        }
        self.layer.entries += 1;
        let parts = parts(header.path)?;
        let Some((name, folders)) = parts.split_last() else {
            return Ok(Want::Nothing);
        };
        let parent = self.folder(folders, header.path)?;
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            self.whiteout(parent, name, hidden, header.path)?;
            return Ok(Want::Nothing);
        }
        let (node, interest) = self.node(name, &header)?;
        let id = self.put(parent, name, node)?;
        self.pending = interest.map(|interest| (id, interest));
        Ok(if interest.is_some() {
            Want::Content
        } else {
            Want::Nothing
        })
    }

    /// Takes the content of the last entry, if that answered [`Want::Content`]. The bytes are not kept.
    pub fn content(&mut self, bytes: &[u8], decompress: &dyn Decompress) {
        let Some((id, interest)) = self.pending.take() else {
            return;
        };
        let limits = self.budget.limits();
        let read = match interest {
            Interest::Text => Content::Text(bytes.into()),
            Interest::Module => {
                let verifier = self.verifier.as_deref();
                Content::Module(ModuleFile::read(
                    bytes,
                    decompress,
                    limits.unpacked_bytes,
                    verifier,
                ))
            }
        };
        let kept = if self.budget.keep(read.weight()) {
            read
        } else {
            Content::Missing(Unread::TooMuch {
                limit: limits.kept_bytes,
            })
        };
        let place = self.layer.store.node(id).map_or(NONE, |node| node.payload);
        if let Some(content) = self.layer.contents.get_mut(place as usize) {
            *content = Some(kept);
        }
    }

    /// The layer, when its stream has ended.
    pub fn finish(self) -> Layer {
        self.layer
    }

    /// The folder of an entry; what is missing of it is made, as the unpacking of a layer does.
    fn folder(&mut self, folders: &[&[u8]], path: &[u8]) -> Result<u32, LayerError> {
        let mut way = Way::new(ROOT, b"");
        way.push_all(folders);
        let links = |_| LayerError::Links { path: shown(path) };
        while let Some(part) = way.next().map_err(links)? {
            if part == b".." {
                way.at = self.layer.store.node(way.at).map_or(ROOT, |node| node.parent);
                continue;
            }
            let store = &self.layer.store;
            let child = store.child(way.at, &part).map(|child| (child, store.kind(child)));
            match child {
                Some((child, store::Kind::Directory)) => way.at = child,
                Some((child, store::Kind::Symlink)) => {
                    way.follow(store.target(child)).map_err(links)?;
                }
                Some((child, store::Kind::Whiteout)) => {
                    let folder = Node::new(store::Kind::Directory, 0o755);
                    self.layer.store.replace(child, folder);
                    way.at = child;
                }
                Some(_) => return Err(LayerError::NotAFolder { path: shown(path) }),
                None => way.at = self.add(way.at, &part, Node::new(store::Kind::Directory, 0o755))?,
            }
        }
        Ok(way.at)
    }

    fn whiteout(&mut self, parent: u32, name: &[u8], hidden: &[u8], path: &[u8]) -> Result<(), LayerError> {
        if name == OPAQUE {
            self.layer.store.set_opaque(parent);
            return Ok(());
        }
        // Other files of aufs itself.
        if hidden.starts_with(WHITEOUT) {
            return Ok(());
        }
        if matches!(hidden, b"" | b"." | b"..") {
            let reason = "a whiteout names no file";
            return Err(LayerError::Name {
                path: shown(path),
                reason,
            });
        }
        let id = match self.layer.store.child(parent, hidden) {
            Some(id) => id,
            None => self.add(parent, hidden, Node::new(store::Kind::Whiteout, 0))?,
        };
        self.layer.store.set_hides(id, true);
        Ok(())
    }

    /// The node of an entry, and what its content is of interest for.
    fn node(&mut self, name: &[u8], header: &Header<'_>) -> Result<(Node, Option<Interest>), LayerError> {
        let node = match header.kind {
            Kind::Directory => Node::new(store::Kind::Directory, header.mode),
            Kind::Device => Node::new(store::Kind::Device, header.mode),
            Kind::Symlink(target) => self.link(store::Kind::Symlink, target, header)?,
            Kind::HardLink(target) => return Ok((self.hard_link(target, header)?, None)),
            Kind::File => return Ok(self.file(name, header)),
        };
        Ok((node, None))
    }

    fn file(&mut self, name: &[u8], header: &Header<'_>) -> (Node, Option<Interest>) {
        let mut node = Node::new(store::Kind::File, header.mode);
        node.size = header.size;
        self.layer.bytes = self.layer.bytes.saturating_add(header.size);
        let Some(interest) = Interest::of(name) else {
            return (node, None);
        };
        let limits = self.budget.limits();
        let limit = match interest {
            Interest::Module => limits.module_bytes,
            Interest::Text => limits.text_bytes,
        };
        let reads = header.size <= limit;
        node.payload = self.layer.contents.len() as u32;
        self.layer.contents.push(Some(Content::Missing(if reads {
            Unread::CutOff
        } else {
            Unread::TooLarge { limit }
        })));
        (node, reads.then_some(interest))
    }

    fn link(&mut self, kind: store::Kind, target: &[u8], header: &Header<'_>) -> Result<Node, LayerError> {
        if target.len() > LONGEST_PATH {
            return Err(LayerError::TooLong {
                path: shown(header.path),
            });
        }
        if target.is_empty() || target.contains(&0) {
            return Err(LayerError::Name {
                path: shown(header.path),
                reason: "a link with an empty target, or one that holds a NUL",
            });
        }
        self.charge(target.len())?;
        let mut node = Node::new(kind, header.mode);
        node.payload = self.layer.store.text(target).unwrap_or(NONE);
        node.size = target.len() as u64;
        Ok(node)
    }

    /// The file that it is another name of, if that is in this layer; else the path, for [`Tree`](crate::image::Tree).
    fn hard_link(&mut self, target: &[u8], header: &Header<'_>) -> Result<Node, LayerError> {
        parts(target)?;
        let links = |_| LayerError::Links {
            path: shown(header.path),
        };
        let found = self.layer.store.find(ROOT, target, false).map_err(links)?;
        let found = found.and_then(|id| self.layer.store.node(id).copied());
        match found.map(|node| (node, node.kind())) {
            Some((_, store::Kind::Directory)) => Err(LayerError::LinkToFolder {
                path: shown(header.path),
            }),
            None | Some((_, store::Kind::Whiteout)) => self.link(store::Kind::HardLink, target, header),
            Some((node, _)) => Ok(node.plain()),
        }
    }

    /// Puts a node in its place. The later one of two of the same path counts.
    fn put(&mut self, parent: u32, name: &[u8], node: Node) -> Result<u32, LayerError> {
        match self.layer.store.child(parent, name) {
            None => self.add(parent, name, node),
            Some(id) => {
                self.layer.store.replace(id, node);
                Ok(id)
            }
        }
    }

    fn add(&mut self, parent: u32, name: &[u8], node: Node) -> Result<u32, LayerError> {
        self.charge(name.len())?;
        let limit = self.budget.limits().entries;
        self.layer
            .store
            .add(parent, name, node)
            .ok_or(LayerError::TooManyEntries { limit })
    }

    fn charge(&self, bytes: usize) -> Result<(), LayerError> {
        // One long path can make two thousand folders: each one counts, whatever its name.
        if self.budget.name(bytes + 16) {
            return Ok(());
        }
        let limit = self.budget.limits().name_bytes;
        Err(LayerError::TooManyNames { limit })
    }
}

impl std::fmt::Debug for LayerReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let layer = &self.layer;
        f.debug_struct("LayerReader")
            .field("entries", &layer.entries)
            .field("bytes", &layer.bytes)
            .finish_non_exhaustive()
    }
}

/// The names along a path; a slash at its start does not count, the root of the image is the root.
fn parts(path: &[u8]) -> Result<Vec<&[u8]>, LayerError> {
    if path.len() > LONGEST_PATH {
        return Err(LayerError::TooLong { path: shown(path) });
    }
    if path.contains(&0) {
        let reason = "a name holds a NUL";
        return Err(LayerError::Name {
            path: shown(path),
            reason,
        });
    }
    let mut parts = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(LayerError::Escape { path: shown(path) }),
            part if part.len() > LONGEST_NAME => {
                return Err(LayerError::TooLong { path: shown(path) });
            }
            part => parts.push(part),
        }
    }
    Ok(parts)
}

/// A path for a message.
pub(super) fn shown(path: &[u8]) -> String {
    const MOST: usize = 200;
    let start = String::from_utf8_lossy(path.get(..MOST).unwrap_or(path)).into_owned();
    if path.len() > MOST { start + "…" } else { start }
}
