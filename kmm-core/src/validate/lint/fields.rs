//! Where in a Module the values stand that several rules look at.

use crate::api::Build;
use crate::api::CommonContainerSpec;
use crate::api::KernelMapping;
use crate::api::ModprobeSpec;
use crate::api::Module;
use crate::api::ModuleLoaderContainerSpec;
use crate::api::Sign;
use crate::path::FieldPath;
use crate::validate::Subject;

/// A value that both the container and its mappings can hold.
pub(super) struct At<'a, T> {
    pub(super) path: FieldPath,
    pub(super) value: &'a T,
    pub(super) mapping: Option<usize>,
}

/// Which variables a template can use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those of the kernel, and name and namespace of the Module.
    Image,
    /// Those of the kernel.
    Sign,
}

/// What a mapping comes to, once the container's values are merged in.
pub(super) struct Merged<'a> {
    pub(super) index: usize,
    pub(super) path: FieldPath,
    pub(super) mapping: &'a KernelMapping,
    /// The image, and where it stands.
    pub(super) image: (FieldPath, &'a str),
    pub(super) builds: bool,
    pub(super) signs: bool,
}

pub(super) fn container<'a>(subject: &Subject<'a>) -> Option<&'a ModuleLoaderContainerSpec> {
    let module: &'a Module = subject.module?;
    Some(&module.spec.module_loader.as_ref()?.container)
}

pub(super) fn modprobe<'a>(subject: &Subject<'a>) -> Option<&'a ModprobeSpec> {
    container(subject).map(|container| &container.modprobe)
}

pub(super) fn mappings<'a>(subject: &Subject<'a>) -> &'a [KernelMapping] {
    container(subject).map_or(&[], |container| &container.kernel_mappings)
}

pub(super) fn merged<'a>(subject: &Subject<'a>) -> Vec<Merged<'a>> {
    let Some(container) = container(subject) else {
        return Vec::new();
    };
    let one = |(index, mapping): (usize, &'a KernelMapping)| {
        let path = subject.mapping(index);
        let image = if mapping.container_image.is_empty() {
            (
                subject.container("containerImage"),
                container.container_image.as_str(),
            )
        } else {
            (path.field("containerImage"), mapping.container_image.as_str())
        };
        Merged {
            index,
            path,
            mapping,
            image,
            builds: mapping.build.is_some() || container.build.is_some(),
            signs: mapping.sign.is_some() || container.sign.is_some(),
        }
    };
    container.kernel_mappings.iter().enumerate().map(one).collect()
}

pub(super) fn builds<'a>(subject: &Subject<'a>) -> Vec<At<'a, Build>> {
    at_levels(
        subject,
        "build",
        |container| container.build.as_ref(),
        |mapping| mapping.build.as_ref(),
    )
}

pub(super) fn signs<'a>(subject: &Subject<'a>) -> Vec<At<'a, Sign>> {
    at_levels(
        subject,
        "sign",
        |container| container.sign.as_ref(),
        |mapping| mapping.sign.as_ref(),
    )
}

fn at_levels<'a, T>(
    subject: &Subject<'a>,
    field: &str,
    of_container: impl Fn(&'a ModuleLoaderContainerSpec) -> Option<&'a T>,
    of_mapping: impl Fn(&'a KernelMapping) -> Option<&'a T>,
) -> Vec<At<'a, T>> {
    let common = container(subject).and_then(of_container).map(|value| At {
        path: subject.container(field),
        value,
        mapping: None,
    });
    let own = mappings(subject)
        .iter()
        .enumerate()
        .filter_map(|(index, mapping)| {
            Some(At {
                path: subject.mapping(index).field(field),
                value: of_mapping(mapping)?,
                mapping: Some(index),
            })
        });
    common.into_iter().chain(own).collect()
}

/// The texts that are expanded as templates.
pub(super) fn templates<'a>(subject: &Subject<'a>) -> Vec<(FieldPath, &'a str, Scope)> {
    let mut found = kmod_images(subject)
        .into_iter()
        .map(|(path, image)| (path, image, Scope::Image))
        .collect::<Vec<_>>();
    for sign in signs(subject) {
        if !sign.value.unsigned_image.is_empty() {
            found.push((
                sign.path.field("unsignedImage"),
                &sign.value.unsigned_image,
                Scope::Sign,
            ));
        }
        let files = sign.path.field("filesToSign");
        for (index, file) in sign.value.files_to_sign.iter().enumerate() {
            found.push((files.index(index), file, Scope::Sign));
        }
    }
    found
}

/// The images with the kernel module that are written out: of the container and of mappings.
pub(super) fn kmod_images<'a>(subject: &Subject<'a>) -> Vec<(FieldPath, &'a str)> {
    let common =
        container(subject).map(|container| (subject.container("containerImage"), &container.container_image));
    let own = mappings(subject).iter().enumerate();
    let own = own.map(|(index, mapping)| {
        (
            subject.mapping(index).field("containerImage"),
            &mapping.container_image,
        )
    });
    let all = common
        .into_iter()
        .chain(own)
        .map(|(path, image)| (path, image.as_str()));
    all.filter(|(_, image)| !image.is_empty()).collect()
}

/// The containers whose image is no template: those of device plugins and DRA drivers.
pub(super) fn plain_containers<'a>(subject: &Subject<'a>) -> Vec<(FieldPath, &'a CommonContainerSpec)> {
    let Some(module) = subject.module else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if let Some(plugin) = &module.spec.device_plugin {
        found.push((subject.spec("devicePlugin.container"), &plugin.container));
        found.extend(
            plugin
                .init_container
                .iter()
                .map(|init| (subject.spec("devicePlugin.initContainer"), init)),
        );
    }
    if let Some(dra) = &module.spec.dra {
        found.push((subject.spec("dra.container"), &dra.container));
        found.extend(
            dra.init_container
                .iter()
                .map(|init| (subject.spec("dra.initContainer"), init)),
        );
    }
    found
}

/// `dirName` without a slash at its end; the default where there is none.
pub(super) fn dir_name<'a>(subject: &Subject<'a>) -> &'a str {
    let name = modprobe(subject).map_or("/opt", |modprobe| modprobe.dir_name.as_str());
    if name.is_empty() {
        "/opt"
    } else {
        name.trim_end_matches('/')
    }
}

/// The only string that a regexp of the form `^text$` matches.
pub(super) fn only_match(regexp: &str) -> Option<String> {
    let inner = regexp.strip_prefix('^')?.strip_suffix('$')?;
    let mut text = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.push(chars.next().filter(char::is_ascii_punctuation)?),
            // A lone dot is most likely a dot; whether it should be escaped is another rule's question.
            '^' | '$' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' => return None,
            c => text.push(c),
        }
    }
    Some(text)
}

/// Whether a mapping is for one kernel only, as far as its author can have meant.
pub(super) fn for_one_kernel(mapping: &KernelMapping) -> bool {
    mapping.regexp.is_empty() || only_match(&mapping.regexp).is_some()
}
