//! What is run on a node: command lines of modprobe, as values.
//!
//! A [`Command`] is a program and its arguments, never a line for a shell; [`Command::to_shell`] prints one that a
//! shell reads back as the same. Nothing here runs anything or looks at a file.
//!
//! Two forms: the *worker* ([`load`], [`unload`]), which has the folder of the image below its own `/tmp`, and the
//! *driver container* ([`container_load`], [`container_unload`]), where the image itself runs `/bin/sh -c "modprobe …"`.
//!
//! Surprises:
//! - `rawArgs` wins over everything as soon as it is there, even empty: then modprobe runs without arguments.
//! - Parameters play no part in unloading.
//! - The loading order is a softdep file ([`softdep_conf`]) when loading, and the list of modules when unloading.
//! - With `rawArgs` the folder is the one the worker sees: `-d /tmp/opt`, not `-d /opt`.
//!
//! Where this differs from the Go operator:
//! - A `dirName` or `firmwarePath` that leaves the folder of the worker is an error ([`OutsideRoot`]); the Go operator
//!   goes there (`../x` gives `modprobe -vd /x`).
//! - An in-tree module is found as the kernel names it ([`HostModules`]): `-` and `_` are one, `.ko`, `.ko.gz`,
//!   `.ko.xz` and `.ko.zst` end a name, nothing else does. The Go operator takes the name for a regexp that the name of
//!   a file starts with.

mod command;
mod container;
mod firmware;
mod in_tree;
mod parameter;
mod path;
mod raw;
mod shell;
mod softdep;
mod worker;

pub use self::command::Command;
pub use self::container::container_load;
pub use self::container::container_unload;
pub use self::firmware::FileCopy;
pub use self::firmware::Firmware;
pub use self::in_tree::HostModules;
pub use self::in_tree::Presence;
pub use self::in_tree::fold_name;
pub use self::in_tree::module_of_file;
pub use self::parameter::Parameter;
pub use self::parameter::ParameterError;
pub use self::path::OutsideRoot;
pub use self::raw::Asked;
pub use self::raw::asked;
pub use self::shell::ShellError;
pub use self::softdep::softdep_conf;
pub use self::worker::WORKER_ROOT;
pub use self::worker::in_tree_modules;
pub use self::worker::load;
pub use self::worker::load_on;
pub use self::worker::remove_in_tree;
pub use self::worker::unload;
