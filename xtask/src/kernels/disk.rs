//! A module tree on disk, read by as many threads as there are processors.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use kmm_core::depmod::Config;
use kmm_core::depmod::ModuleFacts;
use kmm_core::depmod::ModuleTree;
use kmm_core::kmod::KmodError;

use crate::kernels::unpack::Unpack;

/// `lib/modules/VERSION` on disk.
#[derive(Clone, Debug)]
pub(crate) struct DiskTree {
    pub(crate) root: PathBuf,
}

impl ModuleTree for DiskTree {
    fn files(&self, config: &Config) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.root, "", config, &mut found);
        for external in config.externals() {
            walk(Path::new(external), &format!("{external}/"), config, &mut found);
        }
        found
    }

    fn facts(&self, paths: &[&str]) -> Vec<Result<ModuleFacts, KmodError>> {
        let next = AtomicUsize::new(0);
        let results: Vec<Mutex<Option<Result<ModuleFacts, KmodError>>>> =
            paths.iter().map(|_| Mutex::new(None)).collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut bytes = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let (Some(path), Some(place)) = (paths.get(number), results.get(number)) else {
                            break;
                        };
                        bytes.clear();
                        let read = fs::File::open(self.root.join(path))
                            .and_then(|mut file| std::io::Read::read_to_end(&mut file, &mut bytes));
                        let facts = match read {
                            Ok(_) => ModuleFacts::read(&bytes, &Unpack),
                            Err(_) => ModuleFacts::read(&[], &Unpack),
                        };
                        if let Ok(mut place) = place.lock() {
                            *place = Some(facts);
                        }
                    }
                });
            }
        });
        let taken = |place: Mutex<Option<_>>| place.into_inner().ok().flatten();
        let missing = || ModuleFacts::read(&[], &Unpack);
        results
            .into_iter()
            .map(|place| taken(place).unwrap_or_else(missing))
            .collect()
    }

    fn text(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.root.join(name)).ok()
    }
}

fn walk(folder: &Path, prefix: &str, config: &Config, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if config.skips(&name) {
            continue;
        }
        // Through links; one that leads nowhere is no file.
        let kind = match entry.file_type() {
            Ok(kind) if !kind.is_symlink() => kind,
            _ => match fs::metadata(entry.path()) {
                Ok(data) => data.file_type(),
                Err(_) => continue,
            },
        };
        let path = format!("{prefix}{name}");
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), config, found);
        } else if kind.is_file() {
            found.push(path);
        }
    }
}
