//! What rules look at, worked out once.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use crate::depmod::BinaryIndex;
use crate::depmod::Config;
use crate::depmod::DepmodError;
use crate::depmod::Index;
use crate::depmod::ModuleFacts;
use crate::depmod::ModuleTree;
use crate::depmod::Options;
use crate::go_text::join_path;
use crate::image::Entry;
use crate::image::FileKind;
use crate::image::ModuleFile;
use crate::image::Tree;
use crate::image::Unread;
use crate::kmod::KernelObject;
use crate::kmod::KmodError;
use crate::kmod::abi;
use crate::kmod::abi::Doubt;
use crate::modprobe::Asked;
use crate::modprobe::asked;
use crate::modprobe::fold_name;
use crate::modprobe::module_of_file;

use super::ImageFacts;
use super::Subject;

/// The image, what it is for, and what follows from both.
pub(super) struct Context<'a> {
    pub(super) tree: &'a Tree,
    pub(super) subject: &'a Subject<'a>,
    pub(super) image: &'a ImageFacts,
    /// `dirName`, cleaned.
    pub(super) base: String,
    /// Where the folder of the kernel is looked for.
    pub(super) folder_path: String,
    /// The folder, if it is there.
    pub(super) folder: Option<Entry<'a>>,
    /// The modules in it, by path.
    pub(super) modules: Vec<Found<'a>>,
    /// Links in it that lead out of it.
    pub(super) links: Vec<OutsideLink>,
    /// The index as it is: `modules.dep.bin`, which is all that kmod's `modprobe` reads, or `modules.dep` without it.
    pub(super) listed: Option<Listed>,
    /// `modules.dep`, where there are both.
    pub(super) text: Option<BTreeMap<String, Vec<String>>>,
    /// Whether there is only `modules.dep`.
    pub(super) only_text: bool,
    /// What `modules.dep` should say: the modules that each needs, by path.
    pub(super) expected: Result<BTreeMap<String, Vec<String>>, DepmodError>,
}

/// How many names each file has.
type Names = HashMap<*const ModuleFile, usize>;

/// Names of one file, in one folder of a kernel, that are taken for modules.
const MOST_NAMES: usize = 8;

/// A module in the folder of the kernel.
pub(super) struct Found<'a> {
    /// Its path in the image.
    pub(super) path: String,
    /// Its path in the folder.
    pub(super) relative: String,
    /// Its name, with `_` for `-`.
    pub(super) name: String,
    pub(super) file: Result<&'a ModuleFile, Unread>,
    /// Whether loading what the Module asks for loads it.
    pub(super) needed: bool,
    /// What the kernel makes of it.
    pub(super) verdict: Option<abi::Verdict>,
}

/// A symbolic link out of the folder: what is behind it is not copied with the folder.
pub(super) struct OutsideLink {
    /// Its path in the image.
    pub(super) path: String,
    /// Its path in the folder.
    pub(super) relative: String,
    pub(super) target: String,
}

/// `modules.dep.bin` or `modules.dep` of the image.
pub(super) enum Listed {
    /// The modules that each needs, by path.
    Text(BTreeMap<String, Vec<String>>),
    /// It was not read, or cannot be: the reason.
    Unread(String),
}

impl<'a> Context<'a> {
    pub(super) fn new(tree: &'a Tree, image: &'a ImageFacts, subject: &'a Subject<'a>) -> Self {
        let base = join_path(&["/", &subject.modprobe.dir_name]);
        let folder_path = join_path(&[&base, "lib/modules", subject.kernel.matched()]);
        let folder = tree.find_link(&folder_path).ok().flatten();
        let folder = folder.filter(|folder| folder.kind() == FileKind::Directory);
        let mut context = Self {
            tree,
            subject,
            image,
            base,
            folder_path,
            folder,
            modules: Vec::new(),
            links: Vec::new(),
            listed: None,
            text: None,
            only_text: false,
            expected: Ok(BTreeMap::new()),
        };
        if let Some(folder) = folder {
            context.collect(folder);
            context.list(&folder);
            context.expected = context.index();
            context.mark_needed();
            context.compare();
        }
        context
    }

    /// What is given to `modprobe`: `moduleName` and its parameters, or what `rawArgs` has in their place.
    pub(super) fn asked(&self) -> Asked<'a> {
        let modprobe = self.subject.modprobe;
        if let Some(raw) = &modprobe.raw_args {
            return asked(&raw.load);
        }
        let first = Some(modprobe.module_name.as_str()).filter(|name| !name.is_empty());
        Asked {
            modules: first.into_iter().collect(),
            parameters: modprobe.parameters.iter().map(String::as_str).collect(),
        }
    }

    /// Names that the Module loads: what is asked for, and all of `modulesLoadingOrder`.
    pub(super) fn wanted(&self) -> Vec<&'a str> {
        let mut names = self.asked().modules;
        for name in self.subject.modprobe.modules_loading_order.iter().flatten() {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// Whether the index finds a module of this name among those of the node, through a link.
    pub(super) fn is_on_node(&self, name: &str) -> bool {
        let Some(Listed::Text(lines)) = &self.listed else {
            return false;
        };
        let name = fold_name(name);
        let mut paths = lines.keys();
        paths.any(|path| self.is_outside(path) && module_of_file(path).is_some_and(|found| found == name))
    }

    /// The file that [`Self::listed`] was read from.
    pub(super) fn index_path(&self) -> String {
        let name = if self.only_text || self.listed.is_none() {
            "modules.dep"
        } else {
            "modules.dep.bin"
        };
        format!("{}/{name}", self.folder_path)
    }

    /// The module of this name, in either spelling; else the one that has it for an alias, as `modprobe` takes them.
    pub(super) fn module(&self, name: &str) -> Option<&Found<'a>> {
        let name = fold_name(name);
        let named = self.modules.iter().find(|module| module.name == name);
        named.or_else(|| {
            let mut objects = self.objects();
            let has =
                |object: &KernelObject| object.info.values("alias").any(|alias| fold_name(&alias) == name);
            objects.find(|(_, object)| has(object)).map(|(module, _)| module)
        })
    }

    /// The modules that can be read.
    pub(super) fn objects(&self) -> impl Iterator<Item = (&Found<'a>, KernelObject)> {
        self.modules
            .iter()
            .filter_map(|module| Some((module, module.object()?)))
    }

    /// The link through which the modules of the node's kernel are found, as the documentation of the operator has it.
    pub(super) fn host_link(&self) -> Option<&OutsideLink> {
        let kernel = self.subject.kernel.matched();
        let right = format!("/lib/modules/{kernel}");
        let mut links = self.links.iter();
        links.find(|link| join_path(&[link.target.as_str()]) == right)
    }

    /// Whether a path of `modules.dep` leads through a link out of the folder.
    pub(super) fn is_outside(&self, path: &str) -> bool {
        let mut links = self.links.iter();
        links.any(|link| {
            path.strip_prefix(link.relative.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    fn collect(&mut self, folder: Entry<'a>) {
        let root = folder.path();
        let mut stack = vec![(folder, String::new())];
        let mut seen = BTreeSet::from([root.clone()]);
        let mut names = Names::new();
        while let Some((place, relative)) = stack.pop() {
            for child in place.children() {
                let relative = format!("{relative}{}", child.shown_name());
                let path = format!("{}/{relative}", self.folder_path);
                match self.resolved(&child, &root) {
                    Ok(Some(target)) if target.kind() == FileKind::Directory => {
                        if seen.insert(target.path()) {
                            stack.push((target, relative + "/"));
                        }
                    }
                    Ok(Some(target)) if target.kind() == FileKind::File => {
                        self.add(&target, path, relative, &mut names);
                    }
                    Ok(_) => {}
                    Err(target) => self.links.push(OutsideLink {
                        path,
                        relative,
                        target,
                    }),
                }
            }
        }
        self.modules.sort_by(|a, b| a.relative.cmp(&b.relative));
        self.links.sort_by(|a, b| a.relative.cmp(&b.relative));
    }

    /// What a file is behind links; the target where that is not in the folder.
    fn resolved(&self, child: &Entry<'a>, root: &str) -> Result<Option<Entry<'a>>, String> {
        let Some(target) = child.target() else {
            return Ok(Some(*child));
        };
        let shown = String::from_utf8_lossy(target).into_owned();
        // The folder is copied elsewhere: an absolute link leads into the worker, not into the image.
        if target.starts_with(b"/") {
            return Err(shown);
        }
        match child.followed() {
            Ok(Some(found)) if found.path().starts_with(&format!("{root}/")) => Ok(Some(found)),
            Ok(_) | Err(_) => Err(shown),
        }
    }

    fn add(&mut self, file: &Entry<'a>, path: String, relative: String, names: &mut Names) {
        let Some(name) = module_of_file(&relative) else {
            return;
        };
        // A link of another name may lead to what is read as no module.
        let missing = Err(Unread::CutOff);
        let mut content = file.module().unwrap_or(missing);
        if let Ok(object) = content {
            // Each is unpacked and indexed: a small image could ask for any amount of that.
            let names = names.entry(std::ptr::from_ref(object)).or_default();
            *names += 1;
            if *names > MOST_NAMES {
                content = Err(Unread::TooManyNames { limit: MOST_NAMES });
            }
        }
        self.modules.push(Found {
            path,
            relative,
            name,
            file: content,
            needed: false,
            verdict: None,
        });
    }

    fn list(&mut self, folder: &Entry<'_>) {
        let text = read(folder, b"modules.dep", |bytes| {
            Ok(parse(&String::from_utf8_lossy(bytes)))
        });
        match read(folder, b"modules.dep.bin", parse_binary) {
            None => {
                self.only_text = text.is_some();
                self.listed = text;
            }
            Some(listed) => {
                self.listed = Some(listed);
                self.text = match text {
                    Some(Listed::Text(lines)) => Some(lines),
                    Some(Listed::Unread(_)) | None => None,
                };
            }
        }
    }

    fn index(&self) -> Result<BTreeMap<String, Vec<String>>, DepmodError> {
        let options = Options {
            gzip: true,
            ..Options::default()
        };
        let index = Index::build(&View(&self.modules), &Config::default(), &options)?;
        let lines = index.modules().map(|(_, path, needs)| {
            let needs = needs.into_iter().map(str::to_owned).collect();
            (path.to_owned(), needs)
        });
        Ok(lines.collect())
    }

    fn mark_needed(&mut self) {
        let needed = self.needed();
        for module in &mut self.modules {
            module.needed = needed
                .as_ref()
                .is_none_or(|needed| needed.contains(&module.relative));
        }
    }

    /// The modules that are loaded; `None` for all: who does not say what is loaded asks about all of them.
    fn needed(&self) -> Option<BTreeSet<String>> {
        let wanted = self.wanted();
        let expected = self.expected.as_ref().ok().filter(|_| !wanted.is_empty())?;
        let mut needed = BTreeSet::new();
        for name in wanted {
            if let Some(module) = self.module(name) {
                needed.insert(module.relative.clone());
                needed.extend(expected.get(&module.relative).into_iter().flatten().cloned());
            }
        }
        Some(needed)
    }

    /// Compares each module with the kernel, and with what the other modules of the folder export.
    fn compare(&mut self) {
        let mut kernel = self.subject.abi.cloned().unwrap_or_default();
        for (_, object) in self.objects() {
            kernel.add(&object);
        }
        for module in &mut self.modules {
            module.verdict = module.object().map(|object| {
                let mut verdict = abi::compare(&object, &kernel);
                if is_same_build(&object, &kernel, self.subject.kernel.raw()) {
                    verdict
                        .doubts
                        .retain(|doubt| !matches!(doubt, Doubt::Vermagic { .. }));
                }
                verdict
            });
        }
    }
}

/// The same release, and the checksum of the kernel's own structures: no other build has both, so its version magic need
/// not be known.
fn is_same_build(object: &KernelObject, kernel: &abi::Kernel, release: &str) -> bool {
    let magic = object.info.vermagic();
    magic.is_some_and(|magic| magic.release() == release)
        && object.module_layout.is_some()
        && kernel.symbol("module_layout").is_some()
}

impl Found<'_> {
    /// What the file says; `None` where it cannot be read, which is a finding of its own.
    pub(super) fn object(&self) -> Option<KernelObject> {
        self.file.ok()?.object().ok()
    }
}

/// The folder as depmod sees it.
struct View<'a, 'b>(&'b [Found<'a>]);

impl ModuleTree for View<'_, '_> {
    fn files(&self, _: &Config) -> Vec<String> {
        self.0.iter().map(|module| module.relative.clone()).collect()
    }

    fn facts(&self, paths: &[&str]) -> Vec<Result<ModuleFacts, KmodError>> {
        let places: BTreeMap<&str, &Found<'_>> = self
            .0
            .iter()
            .map(|module| (module.relative.as_str(), module))
            .collect();
        let facts = |path: &&str| {
            let object = places.get(path).and_then(|module| module.object());
            Ok(object.map(|object| ModuleFacts::of(&object)).unwrap_or_default())
        };
        paths.iter().map(facts).collect()
    }

    fn text(&self, _: &str) -> Option<Vec<u8>> {
        None
    }
}

type Lines = BTreeMap<String, Vec<String>>;

fn read(
    folder: &Entry<'_>,
    name: &[u8],
    parse: impl FnOnce(&[u8]) -> Result<Lines, String>,
) -> Option<Listed> {
    let file = folder.child(name)?.followed().ok()??;
    Some(match file.text() {
        Some(Ok(bytes)) => match parse(bytes) {
            Ok(lines) => Listed::Text(lines),
            Err(reason) => Listed::Unread(reason),
        },
        Some(Err(unread)) => Listed::Unread(unread.to_string()),
        None => Listed::Unread("it is no file".to_owned()),
    })
}

/// The values of a binary index are lines of the text.
fn parse_binary(bytes: &[u8]) -> Result<Lines, String> {
    let mut lines = Lines::new();
    let index = BinaryIndex::parse(bytes).map_err(|error| error.to_string())?;
    let walked = index.walk(|_, values| {
        // The first of several values is the one that counts.
        if let Some(value) = values.first() {
            lines.append(&mut parse(&String::from_utf8_lossy(value.value)));
        }
    });
    walked.map_err(|error| error.to_string())?;
    Ok(lines)
}

/// `path: path path…`, line by line.
fn parse(text: &str) -> Lines {
    let line = |line: &str| {
        let (path, needs) = line.split_once(':')?;
        let needs = needs.split_ascii_whitespace().map(str::to_owned).collect();
        Some((path.to_owned(), needs))
    };
    text.lines().filter_map(line).collect()
}
