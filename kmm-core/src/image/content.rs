//! What is kept of a file: facts of a module, or a small text.

use crate::image::packed::Packed;
use crate::kmod::Compression;
use crate::kmod::Decompress;
use crate::kmod::DecompressError;
use crate::kmod::KernelObject;
use crate::kmod::KmodError;
use crate::kmod::MAGIC;
use crate::kmod::unpack;
use crate::sign::Verification;
use crate::sign::Verifier;

/// Texts that are kept, by the names of their files.
const TEXTS: [&[u8]; 6] = [
    b"modules.dep",
    b"modules.dep.bin",
    b"modules.order",
    b"modules.softdep",
    b"modules.builtin",
    b"modules.builtin.modinfo",
];

/// What a file is to the check, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interest {
    Module,
    Text,
}

impl Interest {
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        if is_module(name) {
            Some(Self::Module)
        } else {
            TEXTS.contains(&name).then_some(Self::Text)
        }
    }
}

/// Whether a file is a kernel module by its name: `.ko`, compressed or not.
pub(super) fn is_module(name: &[u8]) -> bool {
    let endings: [&[u8]; 4] = [b".ko", b".ko.xz", b".ko.zst", b".ko.gz"];
    endings
        .iter()
        .any(|end| name.len() > end.len() && name.ends_with(end))
}

/// What is kept of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Module(ModuleFile),
    Text(Box<[u8]>),
    /// It was of interest, and is not there, for this reason.
    Missing(Unread),
}

impl Content {
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Module(module) => module.weight(),
            Self::Text(text) => text.len(),
            Self::Missing(_) => 0,
        }
    }
}

/// Why nothing is known of a file that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unread {
    /// It has more bytes than are read of one file.
    TooLarge {
        /// How many are read.
        limit: u64,
    },
    /// The image holds more modules than are kept.
    TooMuch {
        /// Bytes of facts that are kept.
        limit: usize,
    },
    /// It is one of many names of one file, most of which are not looked at.
    TooManyNames {
        /// How many are.
        limit: usize,
    },
    /// The layer was left before its content came.
    CutOff,
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLarge { limit } => write!(f, "it has more than {} MiB", limit >> 20),
            Self::TooMuch { limit } => write!(
                f,
                "the image holds more of such files than the {} MiB that are kept",
                limit >> 20
            ),
            Self::TooManyNames { limit } => {
                write!(f, "the same file has more than {limit} names in this folder")
            }
            Self::CutOff => f.write_str("its content was not read"),
        }
    }
}

/// A kernel module in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleFile {
    compression: Compression,
    object: Result<Packed, Box<KmodError>>,
    signed_outside: bool,
    verification: Option<Verification>,
}

impl ModuleFile {
    pub(super) fn read(
        bytes: &[u8],
        decompress: &dyn Decompress,
        most: usize,
        verifier: Option<&dyn Verifier>,
    ) -> Self {
        let bounded = Bounded { decompress, most };
        let compression = Compression::of(bytes);
        let mut verification = None;
        let object = unpack(bytes, &bounded).and_then(|plain| {
            let object = KernelObject::read(&plain, &bounded)?;
            verification = verifier
                .zip(object.signature.as_ref())
                .map(|(verifier, signature)| verifier.verify(signature, &plain));
            Ok(Packed::new(&object))
        });
        Self {
            compression,
            object: object.map_err(Box::new),
            signed_outside: compression != Compression::None && bytes.ends_with(MAGIC),
            verification,
        }
    }

    /// How the file is compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// What the file says, but for the bytes of its signature.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub fn object(&self) -> Result<KernelObject, &KmodError> {
        self.object.as_ref().map(Packed::unpack).map_err(|error| &**error)
    }

    /// Whether a signature was appended to the compressed file, where nothing looks for it.
    pub fn is_signed_outside(&self) -> bool {
        self.signed_outside
    }

    /// Whether the signature is valid; `None` where there is none, or nobody asked.
    pub fn verification(&self) -> Option<&Verification> {
        self.verification.as_ref()
    }

    fn weight(&self) -> usize {
        std::mem::size_of::<Self>() + self.object.as_ref().map_or(64, Packed::len)
    }
}

/// A [`Decompress`] with a bound of its own.
struct Bounded<'a> {
    decompress: &'a dyn Decompress,
    most: usize,
}

impl Decompress for Bounded<'_> {
    fn decompress(
        &self,
        compression: Compression,
        bytes: &[u8],
        limit: usize,
    ) -> Result<Vec<u8>, DecompressError> {
        self.decompress
            .decompress(compression, bytes, limit.min(self.most))
    }
}
