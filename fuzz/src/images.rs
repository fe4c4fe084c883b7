//! Targets that read images.

use std::io;
use std::io::BufRead;
use std::io::Read;

use kmm_core::image::Limits;
use kmm_core::image::Tree;
use kmm_oci::layer;
use kmm_oci::manifest::Document;
use kmm_oci::manifest::ImageConfig;
use kmm_oci::manifest::LayerFormat;
use kmm_oci::tar::Entry;
use kmm_oci::tar::Skip;
use kmm_oci::tar::TarReader;

/// A stream that gives a few bytes at a time.
struct Dripping<'a>(&'a [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(7);
        self.0.read(into.get_mut(..most).unwrap_or_default())
    }
}

impl BufRead for Dripping<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.0.get(..7).unwrap_or(self.0))
    }

    fn consume(&mut self, count: usize) {
        self.0.consume(count);
    }
}

impl Skip for Dripping<'_> {}

fn list(stream: impl Skip) -> (Vec<Entry>, Option<String>) {
    let mut reader = TarReader::new(stream);
    let mut entries = Vec::new();
    loop {
        match reader.next_entry() {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) => return (entries, None),
            Err(error) => return (entries, Some(error.to_string())),
        }
    }
}

/// A tar stream as a layer: what is read does not depend on how the bytes come, and the layer makes a tree or an error.
pub fn tar_stream(data: &[u8]) {
    let whole = list(data);
    assert_eq!(whole, list(Dripping(data)));
    for entry in &whole.0 {
        assert!(entry.path.len() <= kmm_oci::tar::LONGEST_EXTENSION as usize);
    }
    let limits = Limits::default();
    if let Ok(layer) = layer::layer_of_tar(data, &limits) {
        assert_eq!(layer.entries(), whole.0.len());
        assert_eq!(whole.1, None);
        if let Ok(tree) = Tree::merge(vec![layer], &limits) {
            for entry in tree.walk() {
                let path = entry.path_bytes();
                assert!(
                    path.split(|byte| *byte == b'/').all(|name| name != b".."),
                    "a path leads out"
                );
            }
        }
    }
}

/// A manifest, an index or a configuration: read or refused, and what is read cannot lead out of a folder.
pub fn image_manifest(data: &[u8]) {
    let listed = "application/vnd.oci.image.index.v1+json";
    for listed in [None, Some(listed)] {
        let described = match Document::parse(data, listed) {
            Ok(Document::Image(manifest)) => manifest.layers.into_iter().chain([manifest.config]).collect(),
            Ok(Document::Index(entries)) => entries,
            Err(_) => continue,
        };
        for descriptor in described {
            assert!(
                descriptor
                    .digest
                    .hex()
                    .bytes()
                    .all(|byte| byte.is_ascii_hexdigit())
            );
            assert_eq!(
                descriptor.digest.to_string().parse().as_ref(),
                Ok(&descriptor.digest)
            );
            let _ = LayerFormat::of(&descriptor.media_type);
        }
    }
    let _ = ImageConfig::parse(data);
}
