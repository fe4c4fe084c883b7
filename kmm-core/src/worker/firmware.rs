//! Which firmware files to keep, put, restore and remove, so that modules can share a folder with the host.
//!
//! The [`Ledger`] remembers for each file what lay there before, and whose content came on top of it, in order. It is
//! kept beside the files ([`STATE`]), so that a later worker finds it. What holds:
//!
//! - What lies in the folder is the content that was put last by a module whose firmware is still there; where there is
//!   none, what the host had.
//! - A file that somebody else changed since is left alone when its module goes.
//! - The ledger is written *before* files change when they are put, and *after* it when they are removed. So an
//!   interrupted run leaves files that are either as the ledger says or as the layer below, and the next run can tell.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

/// The folder of the ledger and of what is kept, in the firmware folder of the host.
pub const STATE: &str = ".kmm-worker";

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// Nothing.
    Absent,
    /// A file.
    File {
        /// [`Digest`] of its bytes.
        digest: String,
        /// How many bytes it has.
        size: u64,
        /// Its mode, permission bits only.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it points to.
        target: String,
    },
}

/// A content, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layer {
    /// The module; empty for the host.
    pub owner: String,
    /// What it put there.
    pub content: Content,
    /// Under which number the file is kept, where another lies on top of it.
    pub kept: Option<u64>,
    /// What it had there before, as long as the new content may not have been written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Content>,
}

impl Layer {
    fn new(owner: &str, content: Content) -> Self {
        Self {
            owner: owner.to_owned(),
            content,
            kept: None,
            previous: None,
        }
    }

    /// Whether this is what the module put, the last time or the time before.
    fn has_put(&self, content: &Content) -> bool {
        self.content == *content || self.previous.as_ref() == Some(content)
    }
}

/// What is known of all files that were put.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ledger {
    /// The form of the ledger; 1.
    pub version: u32,
    /// The next number for a file to keep.
    pub next: u64,
    /// The layers of each path, the lowest first: always the host's, then one for each module.
    pub files: BTreeMap<String, Vec<Layer>>,
    /// Folders that were made.
    pub folders: BTreeSet<String>,
}

/// What to do before the ledger is written, and after it, to put a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Keep what lies there under this number.
    pub keep: Option<u64>,
    /// Whether the content has to be written.
    pub write: bool,
    /// Whether somebody else changed the file since a module put it there.
    pub changed: bool,
}

/// What to do before the ledger is written, to take a file away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Nothing: what lies there is right.
    Nothing,
    /// Remove what lies there.
    Delete,
    /// Put back what is kept under this number.
    Restore(u64),
    /// Put back a link.
    RestoreLink(String),
    /// Leave it: somebody else changed it.
    Leave,
}

impl Ledger {
    /// Whether nothing is left to remember.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.folders.is_empty()
    }

    /// The paths at which a module put something.
    pub fn paths_of(&self, owner: &str) -> Vec<String> {
        let owned = |layers: &Vec<Layer>| layers.iter().skip(1).any(|layer| layer.owner == owner);
        self.files
            .iter()
            .filter(|(_, layers)| owned(layers))
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// The numbers that are in use.
    pub fn kept(&self) -> BTreeSet<u64> {
        self.files
            .values()
            .flatten()
            .filter_map(|layer| layer.kept)
            .collect()
    }

    /// Puts `content` at `path` for `owner`, given what lies there.
    pub fn put(&mut self, path: &str, owner: &str, content: Content, on_disk: &Content) -> Put {
        let layers = self.files.entry(path.to_owned());
        let layers = layers.or_insert_with(|| vec![Layer::new("", on_disk.clone())]);
        let write = *on_disk != content;
        let mut changed = false;
        forget_interrupted(layers, owner, on_disk);
        let at_top = layers.len() > 1 && layers.last().is_some_and(|top| top.owner == owner);
        if at_top {
            let below = layers.len().checked_sub(2).and_then(|at| layers.get(at));
            let below = below.map(|layer| layer.content.clone());
            if let Some(top) = layers.last_mut() {
                let ours = top.has_put(on_disk);
                changed = write && !ours && below.as_ref() != Some(on_disk);
                top.previous = (ours && write).then(|| on_disk.clone());
                top.content = content;
            }
            return Put {
                keep: None,
                write,
                changed,
            };
        }
        // The host's layer stays, whatever the name of the owner.
        let mut index = 0;
        layers.retain(|layer| {
            index += 1;
            index == 1 || layer.owner != owner
        });
        let mut keep = None;
        if let Some(top) = layers.last_mut() {
            if top.content != *on_disk {
                changed = !top.has_put(on_disk);
                top.content = on_disk.clone();
                top.kept = None;
            }
            top.previous = None;
            if matches!(on_disk, Content::File { .. }) {
                top.kept = Some(self.next);
                keep = Some(self.next);
                self.next += 1;
            }
        }
        layers.push(Layer::new(owner, content));
        Put { keep, write, changed }
    }

    /// Takes what `owner` put at `path` away, given what lies there.
    pub fn remove(&mut self, path: &str, owner: &str, on_disk: &Content) -> Removal {
        let Some(layers) = self.files.get_mut(path) else {
            return Removal::Nothing;
        };
        forget_interrupted(layers, owner, on_disk);
        let at = layers.iter().skip(1).position(|layer| layer.owner == owner);
        let removal = at.map_or(Removal::Nothing, |at| taken(layers, at + 1, on_disk));
        if layers.len() < 2 {
            self.files.remove(path);
        }
        removal
    }

    /// The folders that were made and hold no file of a module any more, the deepest first.
    pub fn idle_folders(&self) -> Vec<String> {
        let in_use = |folder: &String| {
            let inside = format!("{folder}/");
            self.files.keys().any(|path| path.starts_with(&inside))
        };
        self.folders
            .iter()
            .rev()
            .filter(|folder| !in_use(folder))
            .cloned()
            .collect()
    }
}

/// What follows for the file when a layer above the host's is taken away.
fn taken(layers: &mut Vec<Layer>, at: usize, on_disk: &Content) -> Removal {
    let is_top = at + 1 == layers.len();
    let layer = layers.remove(at);
    match layers.last_mut() {
        Some(below) if is_top => {
            let kept = below.kept.take();
            match &below.content {
                content if content == on_disk => Removal::Nothing,
                _ if !layer.has_put(on_disk) => Removal::Leave,
                Content::Absent => Removal::Delete,
                Content::Link { target } => Removal::RestoreLink(target.clone()),
                Content::File { .. } => kept.map_or(Removal::Leave, Removal::Restore),
            }
        }
        Some(_) | None => Removal::Nothing,
    }
}

/// A module that put something and was interrupted before it lay there has nothing that could be kept, or that lies on top
/// of what `owner` has.
fn forget_interrupted(layers: &mut Vec<Layer>, owner: &str, on_disk: &Content) {
    while let [.., below, top] = layers.as_slice()
        && top.owner != owner
        && !top.has_put(on_disk)
        && below.content == *on_disk
    {
        layers.pop();
    }
}

/// Why a link is not put.
///
/// # Example: links stay inside of the folder
///
/// ```
/// use kmm_core::worker::firmware::leads_out;
///
/// assert!(!leads_out("acme/fw.bin", "fw-2.bin"));
/// assert!(!leads_out("acme/fw.bin", "../other/fw.bin"));
/// assert!(leads_out("acme/fw.bin", "../../fw.bin"));
/// assert!(leads_out("acme/fw.bin", "/etc/shadow"));
/// ```
pub fn leads_out(path: &str, target: &str) -> bool {
    let depth = path
        .split('/')
        .filter(|part| !part.is_empty())
        .count()
        .saturating_sub(1);
    let mut depth = i64::try_from(depth).unwrap_or(0);
    if target.starts_with('/') || target.is_empty() {
        return true;
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

/// A short name for bytes: FNV-1a with 64 bits. Whoever can write the folder can write the ledger too, so that it need
/// not stand against people, only against chance.
#[derive(Clone, Debug)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The name of all bytes so far.
    pub fn finish(&self) -> String {
        format!("{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(number: u8) -> Content {
        Content::File {
            digest: number.to_string(),
            size: 1,
            mode: 0o644,
        }
    }

    #[test]
    fn digest_is_fnv() {
        let mut digest = Digest::default();
        digest.update(b"foobar");
        assert_eq!(digest.finish(), "85944171f73967e8");
    }

    #[test]
    fn a_file_that_somebody_changed_is_left() {
        let mut ledger = Ledger::default();
        assert_eq!(
            ledger.put("f", "a", file(1), &Content::Absent),
            Put {
                keep: None,
                write: true,
                changed: false
            }
        );
        assert_eq!(ledger.remove("f", "a", &file(9)), Removal::Leave);
        assert!(ledger.is_empty());
    }

    /// A module that was interrupted before its file lay there does not keep the file of another one.
    #[test]
    fn what_an_interrupted_module_has_not_written_covers_nothing() {
        let mut disk = Disk {
            file: Content::Absent,
            kept: BTreeMap::new(),
        };
        let mut ledger = Ledger::default();
        put(&mut ledger, &mut disk, 0, 1, false);
        put(&mut ledger, &mut disk, 1, 2, true);
        remove(&mut ledger, &mut disk, 0, false);
        assert_eq!(disk.file, Content::Absent);
        remove(&mut ledger, &mut disk, 1, false);
        assert!(ledger.is_empty(), "{ledger:?}");
    }

    /// One file, and those that are kept.
    #[derive(Clone, Debug, PartialEq)]
    struct Disk {
        file: Content,
        kept: BTreeMap<u64, Content>,
    }

    #[derive(Clone, Debug)]
    enum Step {
        Put {
            owner: u8,
            content: u8,
            stop_before_write: bool,
        },
        /// Put, interrupted, and then removed without another try.
        GiveUp {
            owner: u8,
            content: u8,
        },
        /// Put and interrupted: others come first.
        Interrupted {
            owner: u8,
            content: u8,
        },
        Remove {
            owner: u8,
            stop_before_ledger: bool,
        },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let put = (0..3u8, 0..3u8, any::<bool>()).prop_map(|(owner, content, stop)| Step::Put {
            owner,
            content,
            stop_before_write: stop,
        });
        let remove = (0..3u8, any::<bool>()).prop_map(|(owner, stop)| Step::Remove {
            owner,
            stop_before_ledger: stop,
        });
        let give_up = (0..3u8, 0..3u8).prop_map(|(owner, content)| Step::GiveUp { owner, content });
        // What nobody else has: of the same content nobody could say whose it is.
        let interrupted = (0..3u8, 0..3u8).prop_map(|(owner, content)| Step::Interrupted {
            owner,
            content: 3 + 3 * owner + content,
        });
        prop::collection::vec(prop_oneof![put, remove, give_up, interrupted], 1..20)
    }

    fn put(ledger: &mut Ledger, disk: &mut Disk, owner: u8, content: u8, stop: bool) {
        let plan = ledger.put("f", &owner.to_string(), file(content), &disk.file);
        assert!(!plan.changed);
        if let Some(number) = plan.keep {
            disk.kept.insert(number, disk.file.clone());
        }
        if plan.write && !stop {
            disk.file = file(content);
        }
        let kept = ledger.kept();
        disk.kept.retain(|number, _| kept.contains(number));
    }

    fn remove(ledger: &mut Ledger, disk: &mut Disk, owner: u8, stop: bool) {
        let before = ledger.clone();
        match ledger.remove("f", &owner.to_string(), &disk.file) {
            Removal::Nothing => {}
            Removal::Delete => disk.file = Content::Absent,
            Removal::Restore(number) => disk.file = disk.kept.get(&number).unwrap().clone(),
            Removal::RestoreLink(target) => disk.file = Content::Link { target },
            Removal::Leave => panic!("nobody else is there"),
        }
        if stop {
            *ledger = before;
        }
        let kept = ledger.kept();
        disk.kept.retain(|number, _| kept.contains(number));
    }

    proptest! {
        /// Against a list of who put what last. An interrupted step is run again at once, as the next worker does, or not.
        #[test]
        fn the_last_one_that_is_there_counts(host in prop::option::of(0..3u8), steps in steps()) {
            let host = host.map_or(Content::Absent, file);
            let mut disk = Disk { file: host.clone(), kept: BTreeMap::new() };
            let mut ledger = Ledger::default();
            let mut model: Vec<(u8, u8)> = Vec::new();
            for step in steps {
                match step {
                    Step::Put { owner, content, stop_before_write } => {
                        if stop_before_write {
                            put(&mut ledger, &mut disk, owner, content, true);
                        }
                        put(&mut ledger, &mut disk, owner, content, false);
                        model.retain(|(other, _)| *other != owner);
                        model.push((owner, content));
                    }
                    Step::GiveUp { owner, content } => {
                        put(&mut ledger, &mut disk, owner, content, true);
                        remove(&mut ledger, &mut disk, owner, false);
                        model.retain(|(other, _)| *other != owner);
                    }
                    Step::Interrupted { owner, content } => {
                        put(&mut ledger, &mut disk, owner, content, true);
                        let lies_there = disk.file == file(content);
                        if lies_there || model.last().is_some_and(|(top, _)| *top != owner) {
                            model.retain(|(other, _)| *other != owner);
                        }
                        if lies_there {
                            model.push((owner, content));
                        }
                    }
                    Step::Remove { owner, stop_before_ledger } => {
                        if stop_before_ledger {
                            remove(&mut ledger, &mut disk, owner, true);
                        }
                        remove(&mut ledger, &mut disk, owner, false);
                        model.retain(|(other, _)| *other != owner);
                    }
                }
                let expected = model.last().map_or(host.clone(), |(_, content)| file(*content));
                prop_assert_eq!(&disk.file, &expected, "{:?}", ledger);
                prop_assert!(model.is_empty() || !ledger.is_empty());
            }
            for owner in 0..3 {
                remove(&mut ledger, &mut disk, owner, false);
            }
            prop_assert_eq!(disk.file, host);
            prop_assert!(ledger.is_empty() && disk.kept.is_empty());
        }
    }
}
