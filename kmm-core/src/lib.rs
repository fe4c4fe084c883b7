//! What a `Module` of Kernel Module Management means, as a pure library.
//!
//! A `Module` names kernel modules, and for each kernel an image that holds them. This crate decides what such an object
//! means: which mapping takes a kernel, which image and which `modprobe` commands follow, whether a node gets it and why
//! not, and what is wrong with the manifest. It decides as the Go operator does; the differences are listed in
//! `docs/compat.md`.
//!
//! It is for operators, admission webhooks, CI checks and command lines that need these answers. `kmm` is made of it.
//! Everything is synchronous, takes values and returns values, and gives the same answer for the same input.
//!
//! # Example: check a manifest, then ask what a kernel gets
//!
//! ```
//! # #[cfg(feature = "yaml")] {
//! use kmm_core::{api, document, kernel::KernelVersion, module::Compiled, validate};
//!
//! let text = r"
//! apiVersion: kmm.sigs.x-k8s.io/v1beta1
//! kind: Module
//! metadata: {name: acme-nic, namespace: drivers}
//! spec:
//!   selector: {}
//!   moduleLoader:
//!     container:
//!       modprobe: {moduleName: acme_nic}
//!       kernelMappings:
//!       - regexp: '^6\.1\.0-[0-9]+-amd64$'
//!         containerImage: registry.example.com/nic:${KERNEL_FULL_VERSION}
//! ";
//! let stream = document::read(text, &document::Limits::default());
//! let object = stream.objects().next().ok_or("no object")?;
//! let findings = validate::examine(object.node, &validate::Surroundings::default());
//! assert!(findings.is_empty());
//!
//! let module = api::read::<api::Module>(object.node)?.object;
//! let resolved = Compiled::new(&module).resolve(&KernelVersion::new("6.1.0-37-amd64"))?;
//! assert_eq!(resolved.container_image, "registry.example.com/nic:6.1.0-37-amd64");
//! assert_eq!(resolved.commands()?.load[0].to_shell(), "modprobe -vd /tmp/opt acme_nic");
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The way of the data
//!
//! ```text
//! text ──document──► Node ──schema──► stored JSON ──api──► Module ──module──► Compiled ─┐
//!                     └──validate──► Diagnostic                                         │
//! kernel string ──────────────────────────────────────────► KernelVersion ──resolve─────┴► Resolved ──modprobe──► Command
//! Node objects ───────────────────────────────────────────► NodeFacts ──────node────────► gates, reasons
//! ```
//!
//! A Module is compiled once and resolved for any number of kernels; [`resolve::Resolver`] remembers the answer for each.
//!
//! | module | holds |
//! |---|---|
//! | [`document`] | manifests as they were written: every key in order, each value with its place; edits |
//! | [`schema`] | the CRD schemas, applied as the API server applies them: faults, unknown fields, defaults |
//! | [`api`] | wire types of every custom resource, and strict reading into them |
//! | [`kernel`] | kernel versions in the four forms that are in use |
//! | [`pattern`] | regexps in Go's dialect: match, explain a miss, find a witness |
//! | [`template`] | `${VAR}` in image names and files to sign |
//! | [`module`] | a Module made ready: regexps and templates parsed, the two levels merged |
//! | [`resolve`] | what a Module means for a kernel, why, and which kernels no mapping covers |
//! | [`node`] | whether a node gets a Module, gate by gate, with the change that opens each |
//! | [`modprobe`] | command lines as values, for the worker and for a driver container |
//! | [`reconcile`] | what the operator decides: from the objects of a cluster to actions, with reasons |
//! | [`driver`] | one loop round these decisions: caches, queue, own writes |
//! | [`kmod`] | kernel objects (`.ko`): modinfo, symbols, signature, and whether a kernel loads them |
//! | [`depmod`] | the index of a module tree, byte for byte as depmod writes it |
//! | [`image`] | what the layers of an image add up to, and whether it fits a kernel |
//! | [`sim`] | a cluster in memory, with the operator in it: a dry run |
//! | [`sign`] | signatures of kernel modules: verification over the caller's cryptography |
//! | [`build`] | what a Dockerfile says, read without building it |
//! | [`preflight`] | before a kernel upgrade: the images a kernel needs, and whether each Module will load |
//! | [`worker`] | what a worker does on a node: prechecks, proof of what is loaded, firmware, messages of the kernel |
//! | [`validate`] | the rules of the Go operator's webhooks, and lints |
//! | [`diag`] | findings: code, severity, field path, message, help, fix |
//! | [`path`] | field paths, as Kubernetes prints them |
//! | [`naming`] | what Kubernetes takes as a name or a label |
//! | [`go_text`] | text as Go prints and cuts it |
//!
//! A finding carries a field path and no line: [`document::Document::locate`] turns the path into a place in the source,
//! where there is one.
//!
//! # Features
//!
//! - `yaml` (default): [`document::read`] reads YAML, and every value has its place. Without it only JSON is read, and
//!   nothing has a place. The operator's decisions ([`reconcile`], [`driver`], [`sim`]) need it: worker pods carry their
//!   configuration as YAML.
//! - `kmod` (default): [`kmod`] reads kernel objects, [`depmod`] makes the index of a module tree. Neither brings a crate;
//!   decompressors stay with the caller.
//!
//! # Limits
//!
//! Input may be hostile. Nothing here panics on it, and beyond a bound the answer is an error or a "cannot tell" that says
//! so, never a wrong one.
//!
//! - A text: 32 MiB, 100 levels, 100,000 documents, 4 MiB from aliases for each document. After 1,000 findings about the
//!   text the rest is left out. All of these can be set with [`document::Limits`].
//! - A regexp: Go's own limits, and one on the memory of the engine ([`pattern::ErrorKind::EngineLimit`]). Matching takes
//!   time linear in the text.
//! - Questions about regexps (witnesses, shadowing): bounded in states and steps; beyond that the answer is "cannot tell".
//!   Kernel versions are taken to have at most 64 bytes, as `uname` gives them.
//! - A Dockerfile: 1 MiB, what a ConfigMap can hold.
//!
//! # What this crate does not do
//!
//! It does no I/O: no files, no network, no cluster, no processes, no clock, no environment. It runs no command that it
//! returns, pulls no image, builds and signs nothing: what is in files and images is handed to it. It has no Kubernetes
//! client and no Kubernetes types: volumes, environment and resources stay JSON. It keeps no state of its own: a
//! [`Driver`](driver::Driver) and a simulated cluster are values of the caller.

pub mod api;
pub mod build;
#[cfg(feature = "kmod")]
pub mod depmod;
pub mod diag;
pub mod document;
#[cfg(feature = "yaml")]
pub mod driver;
pub mod go_text;
#[cfg(feature = "kmod")]
pub mod image;
pub mod kernel;
#[cfg(feature = "kmod")]
pub mod kmod;
pub mod modprobe;
pub mod module;
pub mod naming;
pub mod node;
pub mod path;
pub mod pattern;
pub mod preflight;
#[cfg(feature = "yaml")]
pub mod reconcile;
pub mod resolve;
pub mod schema;
#[cfg(feature = "kmod")]
pub mod sign;
#[cfg(feature = "yaml")]
pub mod sim;
pub mod template;
pub mod validate;
#[cfg(feature = "kmod")]
pub mod worker;
