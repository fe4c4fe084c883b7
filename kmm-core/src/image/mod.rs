//! Container images of kernel modules: what their layers add up to, and whether a kernel can use it.
//!
//! An adapter reads the tar stream of each layer and tells a [`LayerReader`] every header, as it stands there. The
//! reader asks for the contents of modules and of a few texts, and keeps facts of them, not the bytes. [`Tree::merge`]
//! puts the layers on each other.
//!
//! Surprises:
//! - `.wh.NAME` hides `NAME` of the layers below, and `.wh..wh..opq` all that they have in its folder, wherever both
//!   stand in the stream.
//! - Parent folders need not be in the stream. An entry behind a symbolic link of its own layer lies where that leads.
//! - An absolute link leads below the root of the image, and `..` stops there.
//! - A hard link may lead to a file of a layer below.
//!
//! # What this module does not do
//!
//! It opens no files and no connections, unpacks no archives and checks no digests.
//!
//! # Example: two layers
//!
//! ```
//! use kmm_core::image::{Budget, Header, Kind, LayerReader, Limits, Tree, Want};
//!
//! let limits = Limits::default();
//! let budget = Budget::new(&limits);
//! let file = |path| Header { path, kind: Kind::File, size: 1, mode: 0o644 };
//!
//! let mut base = LayerReader::within(&budget);
//! base.entry(file(b"opt/lib/modules/6.1.0/old.ko"))?;
//! base.entry(Header { path: b"lib", kind: Kind::Symlink(b"opt/lib"), size: 0, mode: 0o777 })?;
//! let mut upper = LayerReader::within(&budget);
//! upper.entry(file(b"opt/lib/modules/6.1.0/.wh.old.ko"))?;
//! assert_eq!(upper.entry(file(b"opt/lib/modules/6.1.0/new.ko"))?, Want::Content);
//! upper.content(b"no module", &kmm_core::kmod::PlainOnly);
//!
//! let tree = Tree::merge(vec![base.finish(), upper.finish()], &limits)?;
//! let folder = tree.find("/lib/modules/6.1.0")?.ok_or("no such folder")?;
//! assert_eq!(folder.path(), "/opt/lib/modules/6.1.0");
//! let names: Vec<String> = folder.children().iter().map(|file| file.shown_name()).collect();
//! assert_eq!(names, ["new.ko"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod content;
mod contents;
mod layer;
mod limits;
mod packed;
mod store;
mod tree;

pub use check::Finding;
pub use check::Fit;
pub use check::ImageFacts;
pub use check::ModuleReport;
pub use check::Report;
pub use check::Rule;
pub use check::Subject;
pub use check::check;
pub use check::rules;
pub use check::texts;
pub use check::without_kernel;
pub use content::ModuleFile;
pub use content::Unread;
pub use contents::ModuleFolder;
pub use contents::kernels;
pub use contents::module_folders;
pub use layer::Header;
pub use layer::Kind;
pub use layer::Layer;
pub use layer::LayerError;
pub use layer::LayerReader;
pub use layer::Want;
pub use limits::Budget;
pub use limits::Limits;
pub use tree::Entry;
pub use tree::FileKind;
pub use tree::LayerSize;
pub use tree::TooManyLinks;
pub use tree::Tree;
pub use tree::TreeError;
