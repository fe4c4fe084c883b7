//! The modprobe of a node that is a folder.
//!
//! It does what the lines of `modprobe.does` say: `out TEXT`, `err TEXT`, `kernel TEXT`, `long BYTES`, `wait` (says so, and
//! goes on when the pipe `modprobe.go` is opened), `die` (of a signal), `gone` (the kernel's list of modules), `hold`
//! (leaves a child that keeps the output open), `flood` (writes for ever), `flooded` (leaves a child that does),
//! `module NAME STATE`, `exit CODE`. Without an `exit` it then loads or unloads.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use kmm_core::kmod::ModuleInfo;
use kmm_core::kmod::PlainOnly;
use kmm_core::modprobe::fold_name;
use kmm_core::modprobe::module_of_file;

use crate::node::RELEASE;

/// What it says when it waits.
pub(crate) const WAITS: &str = "waiting-for-the-test";

pub(crate) fn main() -> i32 {
    let mut args = std::env::args();
    let own = PathBuf::from(args.next().unwrap());
    let root = own.parent().unwrap().parent().unwrap().to_owned();
    let args: Vec<String> = args.collect();
    if args.first().is_some_and(|word| word == "--hold") {
        std::thread::sleep(Duration::from_secs(20));
        return 0;
    }
    if args.first().is_some_and(|word| word == "--flood") {
        return flood();
    }
    assert_eq!(std::env::var_os("MODPROBE_OPTIONS"), None);
    let mut calls = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(root.join("modprobe.calls"))
        .unwrap();
    writeln!(calls, "{}", args.join(" ")).unwrap();
    let script = fs::read_to_string(root.join("modprobe.does")).unwrap_or_default();
    for line in script.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "out" => println!("{rest}"),
            "err" => eprintln!("{rest}"),
            "kernel" => kernel_says(&root, rest),
            "long" => println!("{}", "x".repeat(rest.parse().unwrap())),
            "wait" => {
                println!("{WAITS}");
                drop(fs::File::open(root.join("modprobe.go")).unwrap());
            }
            "flood" => return flood(),
            "flooded" => drop(std::process::Command::new(&own).arg("--flood").spawn().unwrap()),
            "module" => {
                let (name, state) = rest.split_once(' ').unwrap();
                let folder = root.join("sys/module").join(name);
                fs::create_dir_all(folder.join("holders")).unwrap();
                fs::write(folder.join("initstate"), format!("{state}\n")).unwrap();
            }
            "hold" => drop(std::process::Command::new(&own).arg("--hold").spawn().unwrap()),
            "gone" => fs::remove_file(root.join("proc/modules")).unwrap(),
            "die" => rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
                .unwrap(),
            "exit" => return rest.parse().unwrap(),
            _ => panic!("{line}"),
        }
    }
    run(&root, &args)
}

/// Writes until nobody reads any more.
fn flood() -> i32 {
    let line = format!("{}\n", "flood ".repeat(500));
    while std::io::stdout().write_all(line.as_bytes()).is_ok() {}
    1
}

/// Into the device, or where a node has none, into what `dmesg` prints.
fn kernel_says(root: &Path, text: &str) {
    let device = root.join("dev/kmsg");
    let (path, head) = if device.exists() {
        (device, "4,1,1,-;")
    } else {
        (root.join("ring"), "<4>[   12.345678] ")
    };
    let mut options = fs::OpenOptions::new();
    let mut log = options.append(true).create(true).open(path).unwrap();
    writeln!(log, "{head}{text}").unwrap();
}

/// The `dmesg` of a node: prints the file `ring`, and is refused where there is none.
pub(crate) fn dmesg() -> i32 {
    let own = PathBuf::from(std::env::args().next().unwrap());
    let root = own.parent().unwrap().parent().unwrap();
    assert_eq!(std::env::args().nth(1).as_deref(), Some("-r"));
    match fs::read_to_string(root.join("ring")) {
        Ok(text) => {
            print!("{text}");
            0
        }
        Err(_) => {
            eprintln!("dmesg: klogctl: Operation not permitted");
            1
        }
    }
}

fn run(root: &Path, args: &[String]) -> i32 {
    let mut base = root.to_owned();
    let mut removes = false;
    let mut words = Vec::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.strip_prefix('-') {
            Some(flags) => {
                removes |= flags.contains('r');
                if flags.ends_with('d') {
                    base = PathBuf::from(rest.next().unwrap());
                }
            }
            None => words.push(arg.clone()),
        }
    }
    let tree = Tree::read(root, &base);
    if removes {
        return words
            .iter()
            .map(|name| tree.unload(&fold_name(name)))
            .max()
            .unwrap_or(0);
    }
    let parameters = words.split_off(1);
    tree.load(&fold_name(&words[0]), &parameters)
}

struct Tree {
    sys: PathBuf,
    root: PathBuf,
    modules: PathBuf,
    needs: BTreeMap<String, (String, Vec<String>)>,
}

impl Tree {
    fn read(root: &Path, base: &Path) -> Self {
        let modules = base.join("lib/modules").join(RELEASE);
        let text = fs::read_to_string(modules.join("modules.dep")).unwrap_or_default();
        let lines = text.lines().filter_map(|line| {
            let (path, needs) = line.split_once(':')?;
            let needs = needs.split_whitespace().filter_map(module_of_file).collect();
            Some((module_of_file(path)?, (path.to_owned(), needs)))
        });
        Self {
            sys: root.join("sys/module"),
            root: root.to_owned(),
            modules,
            needs: lines.collect(),
        }
    }

    fn load(&self, name: &str, parameters: &[String]) -> i32 {
        if self.sys.join(name).join("initstate").exists() {
            return 0;
        }
        let Some((path, needs)) = self.needs.get(name) else {
            eprintln!(
                "modprobe: FATAL: Module {name} not found in directory {}",
                self.modules.display()
            );
            return 1;
        };
        for needed in needs {
            self.load(needed, &[]);
            fs::write(self.sys.join(needed).join("holders").join(name), "").unwrap();
        }
        let file = self.modules.join(path);
        println!("insmod {} ", file.display());
        let info = ModuleInfo::read(&fs::read(&file).unwrap(), &PlainOnly).unwrap();
        let folder = self.sys.join(name);
        fs::create_dir_all(folder.join("holders")).unwrap();
        fs::create_dir_all(folder.join("parameters")).unwrap();
        fs::write(
            folder.join("srcversion"),
            format!("{}\n", info.value("srcversion").unwrap()),
        )
        .unwrap();
        fs::write(folder.join("refcnt"), "0\n").unwrap();
        for parameter in info.parameters() {
            fs::write(folder.join("parameters").join(&parameter.name), "0\n").unwrap();
        }
        for (key, value) in parameters
            .iter()
            .filter_map(|parameter| parameter.split_once('='))
        {
            let file = folder.join("parameters").join(key);
            if file.exists() {
                fs::write(file, format!("{value}\n")).unwrap();
            } else {
                kernel_says(&self.root, &format!("{name}: unknown parameter '{key}' ignored"));
            }
        }
        fs::write(folder.join("initstate"), "live\n").unwrap();
        0
    }

    fn unload(&self, name: &str) -> i32 {
        let folder = self.sys.join(name);
        if !folder.join("initstate").exists() {
            return 0;
        }
        let users = fs::read_to_string(folder.join("refcnt")).unwrap_or_default();
        if self.is_held(name) || users.trim() != "0" {
            eprintln!("modprobe: FATAL: Module {name} is in use.");
            return 1;
        }
        println!("rmmod {name}");
        fs::remove_dir_all(&folder).unwrap();
        for needed in self.needs.get(name).map(|(_, needs)| needs).into_iter().flatten() {
            let _ = fs::remove_file(self.sys.join(needed).join("holders").join(name));
            if !self.is_held(needed) {
                self.unload(needed);
            }
        }
        0
    }

    fn is_held(&self, name: &str) -> bool {
        let holders = fs::read_dir(self.sys.join(name).join("holders"));
        holders.is_ok_and(|mut holders| holders.next().is_some())
    }
}
