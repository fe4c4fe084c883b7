//! The bytes of a blob, gone on with where a connection breaks.

use std::fmt;
use std::time::Instant;

use bytes::Bytes;
use reqwest::Method;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::header::CONTENT_RANGE;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderValue;
use reqwest::header::RANGE;

use super::client::Registry;
use super::client::pause;
use super::error::ErrorKind;
use super::error::RegistryError;
use super::http;
use super::mirrors::Place;
use crate::manifest::Descriptor;

/// The bytes of a blob as they come. There are never more than its descriptor says, and never fewer without an error.
///
/// Where the connection breaks, the rest is asked for; a registry that sends everything again has what was seen before
/// dropped. Either way each byte is handed over once, so that a hash over them stays right.
pub struct BlobStream {
    registry: Registry,
    place: Place,
    path: String,
    size: u64,
    /// How much was handed over.
    done: u64,
    /// How much of the current answer is still to be dropped.
    skip: u64,
    response: Response,
    resumes: u32,
    start: Instant,
}

impl fmt::Debug for BlobStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The answer would print the URL that it came from, which a store of blobs signs for whoever has it.
        f.debug_struct("BlobStream")
            .field("place", &self.place)
            .field("path", &self.path)
            .field("size", &self.size)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl BlobStream {
    pub(super) async fn open(
        registry: Registry,
        place: Place,
        blob: &Descriptor,
    ) -> Result<Self, RegistryError> {
        let path = format!("/v2/{}/blobs/{}", place.name.repository(), blob.digest);
        let limit = registry.limits().manifest;
        let headers = HeaderMap::new();
        let ask = registry.ask(&place, Method::GET, &path, &headers);
        let response = tokio::time::timeout(limit, ask).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {} s", limit.as_secs_f32());
            Err(RegistryError::new(
                ErrorKind::Unreachable,
                place.name.full_repository(),
                reason,
            ))
        })?;
        let stream = Self {
            registry,
            place,
            path,
            size: blob.size,
            done: 0,
            skip: 0,
            response,
            resumes: 0,
            start: Instant::now(),
        };
        stream.check_length(stream.size)?;
        Ok(stream)
    }

    /// The next bytes; nothing at the end.
    ///
    /// # Errors
    ///
    /// Where the blob is longer or shorter than its descriptor says, the connection breaks too often or is too slow.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RegistryError> {
        loop {
            let left = self.registry.limits().blob.saturating_sub(self.start.elapsed());
            if left.is_zero() {
                return Err(self.too_slow());
            }
            let next = tokio::time::timeout(left, self.response.chunk()).await;
            match next.map_err(|_| self.too_slow())? {
                Ok(Some(bytes)) => match self.take(bytes)? {
                    bytes if bytes.is_empty() => {}
                    bytes => return Ok(Some(bytes)),
                },
                Ok(None) if self.done == self.size => return Ok(None),
                Ok(None) => {
                    let reason = format!("ends after {} of {} bytes", self.done, self.size);
                    let short = RegistryError::new(ErrorKind::Invalid, self.at(), reason);
                    self.resume(short).await?;
                }
                Err(_) if self.done == self.size => return Ok(None),
                Err(error) => {
                    let broken = http::failed(self.response.url(), &error);
                    self.resume(broken).await?;
                }
            }
        }
    }

    /// What of these bytes is new.
    fn take(&mut self, mut bytes: Bytes) -> Result<Bytes, RegistryError> {
        let skip = self.skip.min(bytes.len() as u64);
        self.skip -= skip;
        // Not more than the length of `bytes`, so it is a usize.
        let bytes = bytes.split_off(skip as usize);
        if self.done + bytes.len() as u64 > self.size {
            let reason = format!("sends more than the {} bytes that the manifest says", self.size);
            return Err(RegistryError::new(ErrorKind::Invalid, self.at(), reason));
        }
        self.done += bytes.len() as u64;
        Ok(bytes)
    }

    /// Asks for what is missing.
    async fn resume(&mut self, broken: RegistryError) -> Result<(), RegistryError> {
        let limits = *self.registry.limits();
        self.resumes += 1;
        if self.resumes > limits.resumes || !pause(&limits, self.resumes + 1, None).await {
            return Err(broken);
        }
        let mut headers = HeaderMap::new();
        if self.done > 0 {
            let range =
                HeaderValue::from_str(&format!("bytes={}-", self.done)).map_err(|_| broken.clone())?;
            headers.insert(RANGE, range);
        }
        let ask = self.registry.ask(&self.place, Method::GET, &self.path, &headers);
        self.response = tokio::time::timeout(limits.manifest, ask)
            .await
            .map_err(|_| broken)??;
        if self.response.status() == StatusCode::PARTIAL_CONTENT {
            let range = self
                .response
                .headers()
                .get(CONTENT_RANGE)
                .and_then(|value| value.to_str().ok());
            if !range.is_some_and(|range| range.starts_with(&format!("bytes {}-", self.done))) {
                let reason = format!("was asked for the bytes from {} on and sends others", self.done);
                return Err(RegistryError::new(ErrorKind::Invalid, self.at(), reason));
            }
            self.skip = 0;
            self.check_length(self.size - self.done)
        } else {
            self.skip = self.done;
            self.check_length(self.size)
        }
    }

    fn check_length(&self, expected: u64) -> Result<(), RegistryError> {
        match self.response.content_length() {
            Some(length) if length != expected => {
                let reason = format!("has {length} bytes where the manifest says {expected}");
                Err(RegistryError::new(ErrorKind::Invalid, self.at(), reason))
            }
            _ => Ok(()),
        }
    }

    fn too_slow(&self) -> RegistryError {
        let limit = self.registry.limits().blob.as_secs();
        let reason = format!(
            "{} of {} bytes within {limit} s, which is the limit",
            self.done, self.size
        );
        RegistryError::new(ErrorKind::Unreachable, self.at(), reason)
    }

    fn at(&self) -> String {
        format!("{}{}", self.place.name.registry(), self.path)
    }
}
