//! How to sign: the container's `sign` and the mapping's.

use crate::api::Sign;
use crate::path::FieldPath;

use super::origin::Origins;
use super::origin::Source;
use super::template::SourcedTemplate;

/// Merged signing settings, templates not yet expanded.
#[derive(Clone, Debug)]
pub(crate) struct SignTemplates {
    /// Everything that is no template; `unsigned_image` and `files_to_sign` are empty.
    pub(crate) fixed: Sign,
    pub(crate) unsigned_image: SourcedTemplate,
    pub(crate) files_to_sign: Vec<SourcedTemplate>,
}

/// A level of the object, and where it stands.
pub(super) struct Level<'a> {
    pub(super) sign: &'a Sign,
    pub(super) path: FieldPath,
}

/// One level alone is taken as it is. Of two, the container's is the base: the mapping replaces the unsigned image
/// and the secrets, appends files, and its `unsignedImageRegistryTLS` is ignored.
pub(super) fn merge(
    container: Option<&Level<'_>>,
    mapping: Option<&Level<'_>>,
    origins: &mut Origins,
) -> Option<SignTemplates> {
    let (container, mapping) = match (container, mapping) {
        (None, None) => {
            origins.add("sign", Source::Unset);
            return None;
        }
        (Some(level), None) => {
            origins.add("sign", Source::Container);
            return Some(alone(level));
        }
        (None, Some(level)) => {
            origins.add("sign", Source::Mapping);
            return Some(alone(level));
        }
        (Some(container), Some(mapping)) => (container, mapping),
    };

    let mut merged = alone(container);
    let overriding = alone(mapping);
    let (base, over) = (container.sign, mapping.sign);
    if over.unsigned_image.is_empty() {
        let unset = base.unsigned_image.is_empty();
        origins.add(
            "sign.unsignedImage",
            if unset { Source::Unset } else { Source::Container },
        );
    } else {
        merged.unsigned_image = overriding.unsigned_image;
        origins.add("sign.unsignedImage", Source::Mapping);
    }
    origins.add_container_only(
        "sign.unsignedImageRegistryTLS",
        &base.unsigned_image_registry_tls,
        &over.unsigned_image_registry_tls,
    );
    origins.add("sign.keySecret", level_of(over.key_secret.is_some()));
    if over.key_secret.is_some() {
        merged.fixed.key_secret.clone_from(&over.key_secret);
    }
    origins.add("sign.certSecret", level_of(over.cert_secret.is_some()));
    if over.cert_secret.is_some() {
        merged.fixed.cert_secret.clone_from(&over.cert_secret);
    }
    for (index, _) in merged.files_to_sign.iter().enumerate() {
        origins.add(format!("sign.filesToSign[{index}]"), Source::Container);
    }
    for file in overriding.files_to_sign {
        let index = merged.files_to_sign.len();
        merged.files_to_sign.push(file);
        origins.add_noted(
            format!("sign.filesToSign[{index}]"),
            Source::Mapping,
            "added after the container's",
        );
    }
    Some(merged)
}

fn alone(level: &Level<'_>) -> SignTemplates {
    let Level { sign, path } = level;
    SignTemplates {
        fixed: Sign {
            unsigned_image: String::new(),
            unsigned_image_registry_tls: sign.unsigned_image_registry_tls.clone(),
            key_secret: sign.key_secret.clone(),
            cert_secret: sign.cert_secret.clone(),
            files_to_sign: Vec::new(),
        },
        unsigned_image: SourcedTemplate::new(path.field("unsignedImage"), &sign.unsigned_image),
        files_to_sign: sign
            .files_to_sign
            .iter()
            .enumerate()
            .map(|(index, file)| SourcedTemplate::new(path.field("filesToSign").index(index), file))
            .collect(),
    }
}

fn level_of(in_mapping: bool) -> Source {
    if in_mapping {
        Source::Mapping
    } else {
        Source::Container
    }
}
