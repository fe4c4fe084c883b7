//! Files of an image, which may be anything: found beneath their root, and read only where they are plain files.
//!
//! What waits (a pipe), what acts when it is opened (a device) and what is larger than anybody needs is an error before
//! it is read. Links of an image may lead to its own files and to the modules of the node, which images link to so that
//! depmod finds them; modprobe would follow any other link into the files of the worker's container.

use std::fmt;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cap_std::fs::MetadataExt as _;
use cap_std::fs::OpenOptions;
use cap_std::fs::OpenOptionsExt as _;
use kmm_core::worker::Reason;
use rustix::fs::FileType;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::failure::Failure;
use crate::node::Node;

/// Where a worker finds the modules of its node.
const NODE: [&str; 3] = ["/lib/modules", "/usr/lib/modules", "/host/lib/modules"];
/// Links on one way, as the kernel has it.
const HOPS: usize = 40;

/// Files beneath a root.
#[derive(Debug)]
pub struct Files<'a> {
    node: &'a Node,
    /// Where the root is, and the root itself; `None` where all files are the node's own.
    root: Option<(PathBuf, Dir)>,
}

/// Why a file is not read.
#[derive(Debug)]
pub struct Refused {
    path: PathBuf,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    /// It cannot be found or read.
    Failed(io::Error),
    /// It is something else than a plain file.
    Special(&'static str),
    /// A link leads elsewhere.
    Out {
        link: PathBuf,
        target: PathBuf,
        root: PathBuf,
    },
    /// Links lead to each other.
    Loop,
    /// It lies elsewhere by its name.
    Elsewhere { root: PathBuf },
    /// It is larger than what is read.
    Large { size: u64, most: u64 },
}

impl<'a> Files<'a> {
    /// The files beneath a folder; `/` stands for those of the node, whose links may lead anywhere.
    ///
    /// # Errors
    ///
    /// When the folder cannot be opened.
    pub fn beneath(node: &'a Node, root: &Path) -> Result<Self, Refused> {
        if root == Path::new("/") {
            return Ok(Self { node, root: None });
        }
        let dir = Dir::open_ambient_dir(root, ambient_authority());
        let dir = dir.map_err(|error| Refused::new(root, Cause::Failed(error)))?;
        let root = Some((root.to_owned(), dir));
        Ok(Self { node, root })
    }

    /// All of a file, unless it has more than `most` bytes.
    ///
    /// # Errors
    ///
    /// When it is not there, no plain file, too large, or a link leads out of the root.
    pub fn read(&self, path: &Path, most: u64) -> Result<Vec<u8>, Refused> {
        let (file, size) = self.open(path)?;
        Self::read_open(path, file, size, most)
    }

    /// Whether a file can be read by somebody else, with no more than `most` bytes. It is not opened.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn look(&self, path: &Path, most: u64) -> Result<(), Refused> {
        let refused = |cause| Refused::new(path, cause);
        let size = self.found(path, size_in, size_of_node).map_err(refused)?;
        match size {
            size if size > most => Err(refused(Cause::Large { size, most })),
            _ => Ok(()),
        }
    }

    /// All of a file that [`Self::open`] opened.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is too large.
    pub fn read_open(path: &Path, file: File, size: u64, most: u64) -> Result<Vec<u8>, Refused> {
        read(file, size, most).map_err(|cause| Refused::new(path, cause))
    }

    /// Opens a plain file, and says how large it is.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn open(&self, path: &Path) -> Result<(File, u64), Refused> {
        self.found(path, open_in, open_of_node)
            .map_err(|cause| Refused::new(path, cause))
    }

    /// Does something with a file: `inside` where it lies beneath the root, `of_node` where it is one of the node's.
    fn found<T>(
        &self,
        path: &Path,
        inside: fn(&Dir, &Path) -> Result<T, Cause>,
        of_node: fn(&Path) -> Result<T, Cause>,
    ) -> Result<T, Cause> {
        let Some((root, dir)) = &self.root else {
            return of_node(path);
        };
        let Ok(below) = path.strip_prefix(root) else {
            if is_of_node(path) {
                return of_node(&self.node.path_of(path));
            }
            return Err(Cause::Elsewhere { root: root.clone() });
        };
        match inside(dir, below) {
            Err(Cause::Failed(error)) if is_way_out(&error) => {
                let whole = self.way_out(root, dir, below)?;
                of_node(&self.node.path_of(&whole))
            }
            other => other,
        }
    }

    /// Where a path leads that leads out of the root: to the modules of the node, or it is refused. Walks as the kernel
    /// does; nobody changes the files of an image meanwhile.
    fn way_out(&self, root: &Path, dir: &Dir, inside: &Path) -> Result<PathBuf, Cause> {
        let mut at = PathBuf::new();
        let mut last = (PathBuf::new(), PathBuf::new());
        // What is still to be walked, the next part last.
        let mut rest: Vec<PathBuf> = parts(inside);
        let out = |(link, target): (PathBuf, PathBuf)| Cause::Out {
            link: root.join(link),
            target,
            root: root.to_owned(),
        };
        let mut hops = 0;
        while let Some(part) = rest.pop() {
            if part == Path::new("..") {
                if !at.pop() {
                    return Err(out(last));
                }
                continue;
            }
            at.push(&part);
            let target = match dir.read_link_contents(&at) {
                Ok(target) => target,
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => continue,
                Err(error) => return Err(Cause::Failed(error)),
            };
            hops += 1;
            if hops > HOPS {
                return Err(Cause::Loop);
            }
            last = (at.clone(), target.clone());
            if target.is_absolute() {
                let whole: PathBuf = rest
                    .into_iter()
                    .rev()
                    .fold(target, |whole, part| whole.join(part));
                return if is_of_node(&whole) {
                    Ok(whole)
                } else {
                    Err(out(last))
                };
            }
            at.pop();
            rest.extend(parts(&target));
        }
        // It stays inside after all: whoever said otherwise saw another tree.
        Err(out(last))
    }
}

impl Refused {
    fn new(path: &Path, cause: Cause) -> Self {
        Self {
            path: path.to_owned(),
            cause,
        }
    }

    /// Whether nothing is there.
    pub fn is_absent(&self) -> bool {
        matches!(&self.cause, Cause::Failed(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// The failure of a run; `other` is the reason where the file cannot be read for a cause of its own.
    pub fn failure(&self, other: Reason) -> Failure {
        let reason = match &self.cause {
            Cause::Special(_) => Reason::SpecialFile,
            Cause::Out { .. } | Cause::Elsewhere { .. } | Cause::Loop => Reason::LinkOutside,
            Cause::Failed(_) | Cause::Large { .. } => other,
        };
        Failure::new(reason, self.to_string())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ", self.path.display())?;
        match &self.cause {
            Cause::Failed(error) => write!(f, "cannot be read: {error}"),
            Cause::Special(what) => write!(f, "is {what}: only plain files are read"),
            Cause::Out { link, target, root } => write!(
                f,
                "is behind the link `{}` to `{}`, which leads out of `{}`: links may lead to files in it, and to those below {}",
                link.display(),
                target.display(),
                root.display(),
                NODE.join(", ")
            ),
            Cause::Loop => f.write_str("is behind links that lead to each other"),
            Cause::Elsewhere { root } => write!(
                f,
                "does not lie in `{}`: files may lie in it, and below {}",
                root.display(),
                NODE.join(", ")
            ),
            Cause::Large { size, most } => write!(f, "has {size} bytes: at most {most} are read"),
        }
    }
}

/// Opens a folder beneath a root, step by step; returns its path with the links on the way followed. A link on the way
/// may only lead down from the folder that it lies in, as `/lib` does to `usr/lib`; the folder itself may be none.
///
/// # Errors
///
/// When a step is not there, no folder, or a link that leads anywhere else.
pub fn folder(root: &Path, inside: &Path) -> Result<(Dir, PathBuf), Failure> {
    let (dir, at, name) = above(root, inside)?;
    let Some(name) = name else {
        return Ok((dir, at));
    };
    let path = at.join(&name);
    let cannot = |error: &io::Error| not_read(&path, error);
    let data = dir.symlink_metadata(&name).map_err(|error| cannot(&error))?;
    if !data.is_dir() {
        let what = kind(data.mode());
        let proof = format!("`{}` is {what}, and has to be a folder", path.display());
        return Err(Failure::new(Reason::FirmwareFolder, proof));
    }
    let opened = dir.open_dir(&name).map_err(|error| cannot(&error))?;
    Ok((opened, path))
}

/// The folder above the last step of a path, opened step by step as [`folder`] does, its path, and the last step, which
/// is no link; `None` where the path has no step.
///
/// # Errors
///
/// As [`folder`].
pub fn above(root: &Path, inside: &Path) -> Result<(Dir, PathBuf, Option<PathBuf>), Failure> {
    let mut at = root.to_owned();
    let dir = Dir::open_ambient_dir(root, ambient_authority());
    let mut dir = dir.map_err(|error| not_read(root, &error))?;
    let mut rest = parts(inside);
    let mut hops = 0;
    while let Some(part) = rest.pop() {
        let path = at.join(&part);
        if part == Path::new("..") {
            let proof = format!("`{}`: the path may not have `..` in it", path.display());
            return Err(Failure::new(Reason::OutsideRoot, proof));
        }
        let data = dir
            .symlink_metadata(&part)
            .map_err(|error| not_read(&path, &error))?;
        if data.is_symlink() {
            let target = dir
                .read_link_contents(&part)
                .map_err(|error| not_read(&path, &error))?;
            let down = leads_down(&target, &at);
            hops += 1;
            let (Some(down), false, true) = (down, rest.is_empty(), hops <= HOPS) else {
                let proof = format!(
                    "`{}` is a link to `{}`: the last step of a path may be none, and those before it only such as lead \
                     to a folder below the one they lie in",
                    path.display(),
                    target.display()
                );
                return Err(Failure::new(Reason::LinkOutside, proof));
            };
            rest.extend(parts(&down));
            continue;
        }
        if rest.is_empty() {
            return Ok((dir, at, Some(part)));
        }
        dir = dir.open_dir(&part).map_err(|error| not_read(&path, &error))?;
        at = path;
    }
    Ok((dir, at, None))
}

/// The way that a link in a folder leads down from there, if it does so by its words.
fn leads_down(target: &Path, folder: &Path) -> Option<PathBuf> {
    // In the root of the file system `/usr/lib` is the same as `usr/lib`.
    let target = match folder == Path::new("/") {
        true => target.strip_prefix("/").unwrap_or(target),
        false => target,
    };
    let down = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    let some = target
        .components()
        .any(|part| matches!(part, Component::Normal(_)));
    (some && target.components().all(down)).then(|| target.to_owned())
}

fn not_read(path: &Path, error: &io::Error) -> Failure {
    let proof = format!("`{}` cannot be read: {error}", path.display());
    Failure::new(Reason::FileFailed, proof)
}

/// Opens a plain file in a folder; what waits or acts when it is opened is refused before that.
///
/// # Errors
///
/// When it cannot be opened, or is no plain file.
pub fn plain_in(dir: &Dir, path: &str) -> io::Result<File> {
    match open_in(dir, Path::new(path)) {
        Ok((file, _)) => Ok(file),
        Err(Cause::Failed(error)) => Err(error),
        Err(Cause::Special(what)) => Err(io::Error::other(format!(
            "it is {what}: only plain files are read"
        ))),
        Err(_) => Err(io::Error::other("it is no plain file")),
    }
}

/// Whether an absolute path is one of the node's modules, without any `..` that could lead elsewhere.
pub fn is_of_node(path: &Path) -> bool {
    path.components().all(|part| part != Component::ParentDir)
        && NODE
            .iter()
            .any(|node| path.strip_prefix(node).is_ok_and(|rest| rest != Path::new("")))
}

/// What something is that is no plain file.
pub fn kind(mode: u32) -> &'static str {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => "a file",
        FileType::Directory => "a folder",
        FileType::Symlink => "a link",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "of an unknown kind",
    }
}

fn open_in(dir: &Dir, inside: &Path) -> Result<(File, u64), Cause> {
    size_in(dir, inside)?;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(nonblock());
    let file = dir.open_with(inside, &options).map_err(Cause::from)?.into_std();
    sized(file)
}

/// Opens a file of the node; where its links lead is the node's own affair.
fn open_of_node(path: &Path) -> Result<(File, u64), Cause> {
    size_of_node(path)?;
    let mut options = fs::OpenOptions::new();
    let file = options.read(true).custom_flags(nonblock()).open(path);
    sized(file.map_err(Cause::from)?)
}

fn size_in(dir: &Dir, inside: &Path) -> Result<u64, Cause> {
    let data = dir.metadata(inside).map_err(Cause::from)?;
    special(data.mode())?;
    Ok(data.len())
}

fn size_of_node(path: &Path) -> Result<u64, Cause> {
    let data = fs::metadata(path).map_err(Cause::from)?;
    special(data.mode())?;
    Ok(data.len())
}

/// Looks at what was opened, which may be another one than what was looked at before.
fn sized(file: File) -> Result<(File, u64), Cause> {
    let data = file.metadata().map_err(Cause::from)?;
    special(data.mode())?;
    Ok((file, data.len()))
}

fn special(mode: u32) -> Result<(), Cause> {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => Ok(()),
        _ => Err(Cause::Special(kind(mode))),
    }
}

/// All of an open file.
fn read(file: File, size: u64, most: u64) -> Result<Vec<u8>, Cause> {
    let large = |size| Cause::Large { size, most };
    if size > most {
        return Err(large(size));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
    file.take(most + 1).read_to_end(&mut bytes).map_err(Cause::from)?;
    match bytes.len() as u64 {
        size if size > most => Err(large(size)),
        _ => Ok(bytes),
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(Errno::LOOP) => Self::Loop,
            _ => Self::Failed(error),
        }
    }
}

fn nonblock() -> i32 {
    OFlags::NONBLOCK.bits().cast_signed()
}

/// How `cap-std` says that a path leads out of its folder: an error of its own, and none of the system.
fn is_way_out(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

/// The parts of a path, the last one first, without what stands for the folder itself.
fn parts(path: &Path) -> Vec<PathBuf> {
    let parts = path.components().rev();
    parts
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| PathBuf::from(part.as_os_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::CWD;
    use rustix::fs::Mode;

    use super::*;

    /// A node with an image below `tmp`, and a module of its own.
    fn place() -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for folder in ["tmp/opt", "lib/modules/6.1.0", "etc"] {
            fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        fs::write(place.path().join("tmp/opt/a.ko"), "a").unwrap();
        fs::write(place.path().join("lib/modules/6.1.0/b.ko"), "of the node").unwrap();
        fs::write(place.path().join("etc/secret"), "secret").unwrap();
        place
    }

    fn read(place: &tempfile::TempDir, path: &str) -> Result<String, String> {
        let node = Node::new(place.path());
        let root = place.path().join("tmp");
        let files = Files::beneath(&node, &root).unwrap();
        let read = files.read(&place.path().join(path), 1 << 20);
        let own = place.path().to_string_lossy().into_owned();
        read.map(|bytes| String::from_utf8(bytes).unwrap())
            .map_err(|refused| refused.to_string().replace(&own, ""))
    }

    #[test]
    fn plain_files_are_read() {
        let place = place();
        let link =
            |target: &str, name: &str| symlink(target, place.path().join("tmp/opt").join(name)).unwrap();
        link("a.ko", "near");
        link("../opt/./near", "far");
        link("/lib/modules/6.1.0/b.ko", "node");
        link("/host/lib/modules", "not-deep-enough");
        link("/lib/modules/6.1.0", "tree");
        link("tree/b.ko", "through");
        for (path, expected) in [
            ("tmp/opt/a.ko", "a"),
            ("tmp/opt/near", "a"),
            ("tmp/opt/far", "a"),
            ("tmp/opt/node", "of the node"),
            ("tmp/opt/tree/b.ko", "of the node"),
            ("tmp/opt/through", "of the node"),
        ] {
            assert_eq!(read(&place, path).as_deref(), Ok(expected), "{path}");
        }
        let gone = read(&place, "tmp/opt/none").unwrap_err();
        assert!(
            gone.starts_with("`/tmp/opt/none` cannot be read: No such file"),
            "{gone}"
        );
    }

    #[test]
    fn all_else_is_refused() {
        let place = place();
        let at = |name: &str| place.path().join("tmp/opt").join(name);
        rustix::fs::mkfifoat(CWD, at("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        symlink("pipe", at("to-pipe")).unwrap();
        symlink("/dev/null", at("device")).unwrap();
        symlink("../../etc/secret", at("up")).unwrap();
        symlink(place.path().join("etc"), at("etc")).unwrap();
        symlink("/lib/modules/../../etc/secret", at("by-node")).unwrap();
        symlink("loop-b", at("loop-a")).unwrap();
        symlink("loop-a", at("loop-b")).unwrap();
        File::create(at("sparse")).unwrap().set_len(1 << 40).unwrap();
        for (path, expected) in [
            (
                "tmp/opt/pipe",
                "`/tmp/opt/pipe` is a pipe: only plain files are read",
            ),
            (
                "tmp/opt/to-pipe",
                "`/tmp/opt/to-pipe` is a pipe: only plain files are read",
            ),
            (
                "tmp/opt/socket",
                "`/tmp/opt/socket` is a socket: only plain files are read",
            ),
            ("tmp/opt", "`/tmp/opt` is a folder: only plain files are read"),
            (
                "tmp/opt/device",
                "`/tmp/opt/device` is behind the link `/tmp/opt/device` to `/dev/null`, which leads out of `/tmp`: \
                 links may lead to files in it, and to those below /lib/modules, /usr/lib/modules, /host/lib/modules",
            ),
            (
                "tmp/opt/up",
                "link `/tmp/opt/up` to `../../etc/secret`, which leads out of `/tmp`",
            ),
            (
                "tmp/opt/etc/secret",
                "link `/tmp/opt/etc` to `/etc`, which leads out of `/tmp`",
            ),
            ("tmp/opt/by-node", "which leads out of `/tmp`"),
            (
                "tmp/opt/loop-a",
                "`/tmp/opt/loop-a` is behind links that lead to each other",
            ),
            (
                "tmp/opt/sparse",
                "`/tmp/opt/sparse` has 1099511627776 bytes: at most 1048576 are read",
            ),
            (
                "etc/secret",
                "`/etc/secret` does not lie in `/tmp`: files may lie in it, and below /lib/modules",
            ),
        ] {
            let refused = read(&place, path).unwrap_err();
            assert!(refused.contains(expected), "{path}: {refused}");
        }
        let node = Node::new(place.path());
        let own = Files::beneath(&node, Path::new("/")).unwrap();
        let refused = own.read(Path::new("/dev/null"), 1).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`/dev/null` is a device: only plain files are read"
        );
    }

    #[test]
    fn folders_are_opened_step_by_step() {
        let place = place();
        let root = place.path().join("tmp");
        fs::create_dir_all(root.join("usr/lib/firmware")).unwrap();
        fs::write(root.join("file"), "").unwrap();
        symlink("usr/lib", root.join("lib")).unwrap();
        symlink("lib", root.join("lib64")).unwrap();
        symlink("usr/lib/firmware", root.join("firmware")).unwrap();
        symlink("../etc", root.join("up")).unwrap();
        symlink("/usr", root.join("absolute")).unwrap();
        symlink(".", root.join("self")).unwrap();
        symlink("loop-b", root.join("loop-a")).unwrap();
        symlink("loop-a", root.join("loop-b")).unwrap();
        for inside in ["lib/firmware", "lib64/firmware", "usr/lib/./firmware"] {
            let (_, path) = folder(&root, Path::new(inside)).unwrap();
            assert_eq!(path, root.join("usr/lib/firmware"), "{inside}");
        }
        for (inside, reason) in [
            ("firmware", Reason::LinkOutside),
            ("up/x", Reason::LinkOutside),
            ("absolute/lib", Reason::LinkOutside),
            ("self/usr", Reason::LinkOutside),
            ("loop-a/x", Reason::LinkOutside),
            ("usr/../../etc", Reason::OutsideRoot),
            ("none/x", Reason::FileFailed),
            ("file/x", Reason::FileFailed),
            ("file", Reason::FirmwareFolder),
        ] {
            let failure = folder(&root, Path::new(inside)).unwrap_err();
            assert_eq!(failure.reason, reason, "{inside}: {}", failure.proof);
        }
    }
}
