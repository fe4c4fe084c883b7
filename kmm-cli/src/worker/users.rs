//! Who holds a module that no module holds, as far as `/proc` and `/sys` show it.
//!
//! The kernel counts users and keeps no names. What can be told for sure: whose open file is a device that a driver of the
//! module drives, or has a number that `/proc/devices` lists under the module's name; and which file systems of the
//! module's name are mounted. A worker in a pod of its own sees its own processes and mounts only.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use kmm_core::modprobe::fold_name;

use crate::node::Node;

/// The most open files that are looked at.
const MOST: usize = 100_000;
/// How many users are named.
const NAMED: usize = 4;

/// Whether a device is one of characters or of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Char,
    Block,
}

/// Each user that is known, in words.
pub fn of(node: &Node, module: &str) -> Vec<String> {
    let listed = listed(node, module);
    let mut users = BTreeSet::new();
    let processes = folders(&node.path("/proc"))
        .filter(|path| name(path).is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit())));
    let files = processes.flat_map(|process| {
        let files = folders(&process.join("fd"));
        files.map(move |file| (process.clone(), file))
    });
    for (process, file) in files.take(MOST) {
        let Some((kind, major, minor)) = device(&file) else {
            continue;
        };
        let why = if driver_module(node, kind, major, minor).as_deref() == Some(module) {
            "a device that its driver drives".to_owned()
        } else if listed.contains(&(kind, major)) {
            format!("a device with the number {major}, which /proc/devices lists under its name")
        } else {
            continue;
        };
        let open = fs::read_link(&file).unwrap_or(file);
        let comm = fs::read_to_string(process.join("comm")).unwrap_or_default();
        users.insert(format!(
            "process {} ({}) has {} open, {why}",
            name(&process).unwrap_or_default(),
            comm.trim_end(),
            open.display()
        ));
        if users.len() == NAMED {
            break;
        }
    }
    users
        .into_iter()
        .chain(mounts(node, module))
        .take(NAMED)
        .collect()
}

/// Numbers that `/proc/devices` lists under the name of the module.
fn listed(node: &Node, module: &str) -> BTreeSet<(Kind, u32)> {
    let text = node.text("/proc/devices").unwrap_or_default();
    let mut kind = Kind::Char;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with("Block") {
            kind = Kind::Block;
        }
        if let Some((number, name)) = line.trim().split_once(' ')
            && let Ok(number) = number.parse()
            && fold_name(name) == module
        {
            found.insert((kind, number));
        }
    }
    found
}

/// The number of the device that an open file is.
fn device(file: &Path) -> Option<(Kind, u32, u32)> {
    let data = fs::metadata(file).ok()?;
    let kind = match data.file_type() {
        kind if kind.is_char_device() => Kind::Char,
        kind if kind.is_block_device() => Kind::Block,
        _ => return None,
    };
    let number = data.rdev();
    Some((kind, rustix::fs::major(number), rustix::fs::minor(number)))
}

/// The module of the driver that drives a device, or the nearest device above it that has a driver.
fn driver_module(node: &Node, kind: Kind, major: u32, minor: u32) -> Option<String> {
    let kind = match kind {
        Kind::Char => "char",
        Kind::Block => "block",
    };
    let device = fs::canonicalize(node.path(&format!("/sys/dev/{kind}/{major}:{minor}"))).ok()?;
    let top = fs::canonicalize(node.path("/sys/devices")).ok()?;
    let mut above = device.ancestors().take_while(|path| path.starts_with(&top));
    let driven = above.find(|path| path.join("driver").exists())?;
    let module = fs::canonicalize(driven.join("driver/module")).ok()?;
    Some(name(&module)?.to_owned())
}

/// Mounts of a file system with the name of the module.
fn mounts(node: &Node, module: &str) -> Vec<String> {
    let text = node.text("/proc/self/mounts").unwrap_or_default();
    let mounts = text.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (place, kind) = (words.next()?, words.next()?);
        (fold_name(kind) == module).then(|| format!("a file system `{kind}` is mounted at {place}"))
    });
    mounts.take(NAMED).collect()
}

fn folders(path: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}
