//! A module tree on disk, read by as many threads as there are processors.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
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
        on_all_processors(paths, |path, bytes| {
            bytes.clear();
            let file = fs::File::open(self.root.join(path));
            // What cannot be read is as good as empty.
            let _ = file.and_then(|mut file| std::io::Read::read_to_end(&mut file, bytes));
            ModuleFacts::read(bytes, &Unpack)
        })
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

/// Does something for every path, with as many threads as there are processors and one buffer in each.
pub(crate) fn on_all_processors<T: Send>(
    paths: &[&str],
    run: impl Fn(&str, &mut Vec<u8>) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut done: Vec<(usize, T)> = Vec::with_capacity(paths.len());
    std::thread::scope(|scope| {
        let work = || {
            let (mut bytes, mut done) = (Vec::new(), Vec::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(path) = paths.get(number) else {
                    return done;
                };
                done.push((number, run(path, &mut bytes)));
            }
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in running {
            done.extend(thread.join().expect("no thread of the comparison panics"));
        }
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, value)| value).collect()
}
