//! One image of a registry, for threads that block.

use std::io;
use std::io::Read;
use std::sync::Arc;

use bytes::Buf as _;
use bytes::Bytes;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::client::Existence;
use super::client::Registry;
use super::error::ErrorKind;
use super::error::RegistryError;
use crate::digest::Digest;
use crate::manifest::Descriptor;
use crate::manifest::RawManifest;
use crate::reference::ImageName;
use crate::source::ImageStore;
use crate::source::SourceError;

/// How many pieces of a blob wait for their reader. A piece has at most a few hundred kilobytes, so that is what one
/// layer holds in memory here.
const AHEAD: usize = 4;

/// An image in a registry, as an [`ImageStore`].
///
/// Its calls block: they are for threads of their own, not for those of an asynchronous runtime.
#[derive(Debug)]
pub struct RegistryStore {
    registry: Registry,
    image: ImageName,
    runtime: Arc<Runtime>,
}

impl RegistryStore {
    /// A store with a runtime of its own.
    ///
    /// # Errors
    ///
    /// Where the system gives no threads for the runtime.
    pub fn new(registry: Registry, image: ImageName) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("kmm-registry")
            .enable_all()
            .build()?;
        Ok(Self {
            registry,
            image,
            runtime: Arc::new(runtime),
        })
    }

    /// Another image over the same connections.
    #[must_use]
    pub fn with_image(&self, image: ImageName) -> Self {
        Self {
            registry: self.registry.clone(),
            image,
            runtime: Arc::clone(&self.runtime),
        }
    }

    /// Whether the image exists; see [`Registry::exists`].
    ///
    /// # Errors
    ///
    /// Where that cannot be told.
    pub fn exists(&self) -> Result<Existence, RegistryError> {
        self.runtime.block_on(self.registry.exists(&self.image))
    }

    /// The image.
    pub fn image(&self) -> &ImageName {
        &self.image
    }
}

impl ImageStore for RegistryStore {
    fn manifest(&self, which: Option<&Digest>) -> Result<RawManifest, SourceError> {
        let image = match which {
            Some(digest) => self.image.with_digest(digest.clone()),
            None => self.image.clone(),
        };
        let manifest = self.runtime.block_on(self.registry.manifest(&image));
        manifest.map_err(|error| match which {
            None if error.kind() == ErrorKind::Missing => SourceError::NoSuchImage {
                place: self.image.to_string(),
                reason: error.reason().to_owned(),
            },
            // An index that names a manifest which is not there is broken, not absent.
            _ => source_error(&error),
        })
    }

    fn blob(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        let mut stream = self
            .runtime
            .block_on(self.registry.blob(&self.image, blob))
            .map_err(|error| source_error(&error))?;
        let (hand_over, pieces) = mpsc::channel(AHEAD);
        self.runtime.spawn(async move {
            while let Some(piece) = stream.chunk().await.transpose() {
                let failed = piece.is_err();
                // A reader that is gone wants no more.
                if hand_over.send(piece).await.is_err() || failed {
                    return;
                }
            }
            let _ = hand_over.send(Ok(Bytes::new())).await;
        });
        Ok(Box::new(BlobReader {
            pieces,
            piece: Bytes::new(),
            ended: false,
            _runtime: Arc::clone(&self.runtime),
        }))
    }
}

fn source_error(error: &RegistryError) -> SourceError {
    let place = error.place();
    // The place stands before it.
    let reason = format!("{} ({})", error.reason(), error.help());
    match error.kind() {
        ErrorKind::Unreachable | ErrorKind::Tls => SourceError::unreachable(place, reason),
        ErrorKind::Invalid | ErrorKind::Missing => SourceError::damaged(place, error.reason()),
        _ => SourceError::refused(place, reason),
    }
}

/// Reads what the task fetches; an empty piece is the end.
struct BlobReader {
    pieces: mpsc::Receiver<Result<Bytes, RegistryError>>,
    piece: Bytes,
    ended: bool,
    /// Keeps the task alive where the store is dropped first.
    _runtime: Arc<Runtime>,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && !self.ended {
            self.piece = match self.pieces.blocking_recv() {
                Some(Ok(piece)) => piece,
                Some(Err(error)) => return Err(io::Error::other(error)),
                // After an error, or where the task was stopped: never taken for the end of the blob.
                None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            };
            self.ended = self.piece.is_empty();
        }
        let count = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
