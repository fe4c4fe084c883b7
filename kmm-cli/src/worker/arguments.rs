//! The command line: the Go worker's, and a few options more.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::Arg;
use lexopt::Parser;
use lexopt::ValueExt;

/// What `--help` prints.
const HELP: &str = "\
Loads and unloads a kernel module on a node, and proves that it did.

Usage:
  kmm-worker kmod load CONFIG [OPTION...]
  kmm-worker kmod unload CONFIG [OPTION...]
  kmm-worker copy FROM TO [--result FILE]

CONFIG is a file as the operator writes it into a worker pod: YAML with `modprobe.moduleName` and what belongs to it.
`copy` makes TO what FROM is, a folder or a file, whole or not at all: for images without a shell.

Options:
  --firmware-path FOLDER      where firmware of the image is put on the host, and where the kernel looks first;
                              empty takes the kernel's setting back
  --firmware-class-file FILE  where that setting is [default: /sys/module/firmware_class/parameters/path]
  --modprobe PROGRAM          what is run instead of `modprobe`
  --result FILE               where the result is written as JSON [default: /dev/termination-log]
  --timeout SECONDS           how long modprobe may take [default: 600]
  --version                   print the version
  --help                      print this

Steps are logged to standard error. Exit codes: 0 done, 1 failed, 2 told to stop, or called wrongly.
";

/// Load or unload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Load.
    Load,
    /// Unload.
    Unload,
}

impl Verb {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Unload => "unload",
        }
    }
}

/// How it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// The firmware folder of the host; `None` where it was not given.
    pub firmware_path: Option<String>,
    /// The file of the kernel's setting for it.
    pub firmware_class_file: Option<PathBuf>,
    /// The program.
    pub modprobe: String,
    /// Where the result is written.
    pub result: PathBuf,
    /// How long modprobe may take.
    pub timeout: Duration,
    /// The folder in which the node's `/sys`, `/proc`, `/lib/modules` and `/tmp` are looked for. For tests only.
    pub root: PathBuf,
    /// Where to wait until told to stop: a step, or `STEP:N` for a place in it. For tests only.
    pub pause: Option<String>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Load or unload.
    Kmod(Verb, Options),
    /// Copy files.
    Copy {
        /// What is copied.
        from: PathBuf,
        /// What it becomes.
        to: PathBuf,
        /// How it is done.
        options: Options,
    },
    /// Print a text.
    Print(String),
}

/// Reads a command line, without the program.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Request, lexopt::Error> {
    let mut parser = Parser::from_args(words);
    let mut values = Vec::new();
    let mut options = Options {
        config: PathBuf::new(),
        firmware_path: None,
        firmware_class_file: None,
        modprobe: "modprobe".to_owned(),
        result: PathBuf::from("/dev/termination-log"),
        timeout: Duration::from_secs(600),
        root: PathBuf::from("/"),
        pause: None,
    };
    while let Some(word) = parser.next()? {
        match word {
            Arg::Long("help") | Arg::Short('h') => return Ok(Request::Print(HELP.to_owned())),
            Arg::Long("version") => {
                let text = format!("kmm-worker {}\n", env!("CARGO_PKG_VERSION"));
                return Ok(Request::Print(text));
            }
            Arg::Long("firmware-path") => options.firmware_path = Some(parser.value()?.string()?),
            Arg::Long("firmware-class-file") => options.firmware_class_file = Some(parser.value()?.into()),
            Arg::Long("modprobe") => options.modprobe = parser.value()?.string()?,
            Arg::Long("result") => options.result = parser.value()?.into(),
            Arg::Long("timeout") => options.timeout = Duration::from_secs(parser.value()?.parse()?),
            // These two are for tests only, and not in `--help`: a folder in place of the node, and a place at which to wait
            // for the signal to stop.
            Arg::Long("root") => options.root = parser.value()?.into(),
            Arg::Long("pause-before") => options.pause = Some(parser.value()?.string()?),
            // How much the Go worker logs: here every step is one line.
            Arg::Short('v') | Arg::Long("v" | "vmodule") => drop(parser.value()?),
            Arg::Value(value) => values.push(value),
            Arg::Short(_) | Arg::Long(_) => return Err(word.unexpected()),
        }
    }
    let mut values = values.into_iter();
    let (first, second) = (values.next(), values.next());
    let verb = match (
        first.as_ref().and_then(|word| word.to_str()),
        second.as_ref().and_then(|word| word.to_str()),
    ) {
        (Some("kmod"), Some("load")) => Verb::Load,
        (Some("kmod"), Some("unload")) => Verb::Unload,
        (Some("copy"), _) => return copy(second, values, options),
        _ => return Err("expected `kmod load CONFIG`, `kmod unload CONFIG` or `copy FROM TO`".into()),
    };
    let Some(config) = values.next() else {
        return Err(format!("`kmod {}` needs a configuration file", verb.name()).into());
    };
    no_more(values)?;
    options.config = config.into();
    Ok(Request::Kmod(verb, options))
}

fn copy(
    from: Option<OsString>,
    mut values: impl Iterator<Item = OsString>,
    options: Options,
) -> Result<Request, lexopt::Error> {
    let (Some(from), Some(to)) = (from, values.next()) else {
        return Err("`copy` needs what to copy, and where to".into());
    };
    no_more(values)?;
    Ok(Request::Copy {
        from: from.into(),
        to: to.into(),
        options,
    })
}

fn no_more(mut values: impl Iterator<Item = OsString>) -> Result<(), lexopt::Error> {
    match values.next() {
        Some(more) => Err(format!("`{}` is one argument too many", more.to_string_lossy()).into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Request, lexopt::Error> {
        read(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn as_the_operator_writes_it() {
        let line = "kmod load /etc/kmm-worker/config.yaml --firmware-path /lib/firmware --firmware-class-file /fwparam/path";
        let Ok(Request::Kmod(Verb::Load, options)) = words(line) else {
            panic!("not read");
        };
        assert_eq!(options.config, PathBuf::from("/etc/kmm-worker/config.yaml"));
        assert_eq!(options.firmware_path.as_deref(), Some("/lib/firmware"));
        assert_eq!(options.firmware_class_file, Some("/fwparam/path".into()));
        let Ok(Request::Kmod(Verb::Unload, options)) = words("-v 2 --firmware-path= kmod unload c") else {
            panic!("not read");
        };
        assert_eq!(options.firmware_path.as_deref(), Some(""));
        let Ok(Request::Copy { from, to, options }) = words("copy /opt /tmp/opt --result /r") else {
            panic!("not read");
        };
        assert_eq!((from, to), ("/opt".into(), "/tmp/opt".into()));
        assert_eq!(options.result, PathBuf::from("/r"));
    }

    #[test]
    fn what_is_refused() {
        for (line, expected) in [
            ("", "expected `kmod load CONFIG`"),
            ("kmod", "expected `kmod load CONFIG`"),
            ("kmod reload x", "expected `kmod load CONFIG`"),
            ("kmod load", "needs a configuration file"),
            ("kmod load a b", "`b` is one argument too many"),
            ("copy a", "needs what to copy, and where to"),
            ("copy a b c", "`c` is one argument too many"),
            ("kmod load a --firmware", "invalid option '--firmware'"),
            ("kmod load a --timeout soon", "cannot parse"),
        ] {
            let error = words(line).unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
