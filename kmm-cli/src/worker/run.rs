//! One run: its steps, and its result.

use std::cell::Cell;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kmm_core::api::ModuleConfig;
use kmm_core::worker::Kind;
use kmm_core::worker::LoadedModule;
use kmm_core::worker::Reason;
use kmm_core::worker::Report;
use kmm_core::worker::config;
use kmm_core::worker::loaded::Identity;
use kmm_core::worker::loaded::Observed;

use crate::arguments::Options;
use crate::failure::Failure;
use crate::log;
use crate::log::Level;
use crate::node::Node;

/// A run of the worker.
#[derive(Debug)]
pub struct Run {
    /// How it is done.
    pub options: Options,
    /// Where it is done.
    pub node: Node,
    report: Report,
    step: &'static str,
    /// How many places of the step were come by where the run may stop.
    places: Cell<u32>,
    told_to_stop: Arc<AtomicBool>,
    result_failed: bool,
}

impl Run {
    /// Begins: from here on SIGTERM ends the run between two steps.
    pub fn new(action: &str, options: Options) -> Self {
        let told_to_stop = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
            if let Err(error) = signal_hook::flag::register(signal, Arc::clone(&told_to_stop)) {
                // Then a signal ends the process at once, which the next run mends as well.
                log::line(
                    Level::Warning,
                    "start",
                    &format!("signals cannot be caught: {error}"),
                    &[],
                );
            }
        }
        let node = Node::new(&options.root);
        let mut report = Report::new(action, "");
        report.boot_id = node.boot_id();
        Self {
            node,
            options,
            report,
            step: "start",
            places: Cell::new(0),
            told_to_stop,
            result_failed: false,
        }
    }

    /// Begins a step, unless the run is to stop. The result says from now on that it was interrupted there.
    pub fn begin(&mut self, step: &'static str) -> Result<(), Failure> {
        self.step = step;
        self.places.set(0);
        step.clone_into(&mut self.report.step);
        self.write_result();
        self.check()
    }

    /// Whether the run is to stop.
    pub fn is_to_stop(&self) -> bool {
        self.told_to_stop.load(Ordering::Relaxed)
    }

    /// A place between two changes, where a run may stop.
    pub fn check(&self) -> Result<(), Failure> {
        self.places.set(self.places.get() + 1);
        if self.options.pause.as_ref().is_some_and(|place| self.is_at(place)) {
            log::line(Level::Info, self.step, "waiting to be told to stop", &[]);
            while !self.is_to_stop() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        self.stopped().map_or(Ok(()), Err)
    }

    /// The end of a run that is to stop.
    pub fn stopped(&self) -> Option<Failure> {
        let proof = || format!("told to stop before the end of the step `{}`", self.step);
        self.is_to_stop()
            .then(|| Failure::new(Reason::Interrupted, proof()))
    }

    /// Whether this is the first place of the step `place`, or the N-th of `STEP:N`.
    fn is_at(&self, place: &str) -> bool {
        let (step, number) = place.split_once(':').unwrap_or((place, "1"));
        step == self.step && number.parse() == Ok(self.places.get())
    }

    /// Logs what a step did.
    pub fn info(&self, message: &str, fields: &[(&str, &str)]) {
        log::line(Level::Info, self.step, message, fields);
    }

    /// Logs what is not as it should be, and puts it into the result.
    pub fn warn(&mut self, reason: Reason, proof: &str) {
        log::line(Level::Warning, self.step, proof, &[("reason", reason.name())]);
        self.report.warn(reason, proof);
    }

    /// Reads the configuration.
    pub fn read_config(&mut self) -> Result<ModuleConfig, Failure> {
        self.begin("config")?;
        let path = self.options.config.clone();
        let named = |reason: &dyn std::fmt::Display| {
            Failure::new(Reason::ConfigInvalid, format!("`{}`: {reason}", path.display()))
        };
        let mut bytes = Vec::new();
        std::fs::File::open(&path)
            .and_then(|file| file.take(config::LARGEST as u64 + 1).read_to_end(&mut bytes))
            .map_err(|error| named(&error))?;
        let text = String::from_utf8(bytes).map_err(|_| named(&"it is no UTF-8"))?;
        let config = config::read(&text).map_err(|error| named(&error))?;
        let spec = &config.modprobe;
        let modules = spec.modules_loading_order.iter().flatten();
        let option = modules
            .chain([&spec.module_name])
            .find(|name| name.starts_with('-'));
        if let (None, Some(option)) = (&spec.raw_args, option) {
            let reason = format!("`{option}` is no name of a module: modprobe takes it for an option");
            return Err(named(&reason));
        }
        self.info("configuration read", &[("module", &config.modprobe.module_name)]);
        Ok(config)
    }

    /// Which module, and which kernel it is about.
    pub fn about(&mut self, module: &str, kernel: &str) {
        module.clone_into(&mut self.report.module);
        kernel.clone_into(&mut self.report.kernel);
    }

    /// Puts into the result how a module was found.
    pub fn found(&mut self, name: &str, observed: &Observed, identity: Option<&Identity>) {
        let same = identity.and_then(|identity| match identity {
            Identity::Same(_) => Some(true),
            Identity::Rebuilt(_) | Identity::Other(_) => Some(false),
            Identity::Unknown => None,
        });
        self.report.modules.push(LoadedModule {
            name: name.to_owned(),
            state: observed.state().name(),
            srcversion: observed.srcversion.clone(),
            same_as_image: same,
        });
    }

    /// Ends the run and writes its result.
    pub fn end(&mut self, ended: Result<(Reason, String), Failure>) -> Kind {
        let (level, reason, proof) = match ended {
            Ok((reason, proof)) => {
                self.report.end(reason, self.step, proof.as_str());
                (Level::Info, reason, proof)
            }
            Err(failure) => {
                self.report.end(failure.reason, self.step, failure.proof.as_str());
                if let Some(mend) = failure.mend {
                    self.report.mend = mend;
                }
                (Level::Error, failure.reason, failure.proof)
            }
        };
        self.write_result();
        let mut fields = vec![("reason", reason.name()), ("proof", proof.as_str())];
        if !self.report.mend.is_empty() {
            fields.push(("mend", &self.report.mend));
        }
        log::line(level, self.step, reason.cause(), &fields);
        reason.kind()
    }

    fn write_result(&mut self) {
        if self.result_failed {
            return;
        }
        // In place: the file is a mount of its own, which cannot be renamed over.
        let write = || -> io::Result<()> {
            let text = self.report.to_json();
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&self.options.result)?;
            file.write_all(text.as_bytes())?;
            match file.set_len(text.len() as u64) {
                // A terminal or a pipe has no length.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
                other => other,
            }
        };
        if let Err(error) = write() {
            let message = format!("`{}` cannot be written: {error}", self.options.result.display());
            log::line(Level::Warning, self.step, &message, &[]);
            self.result_failed = true;
        }
    }
}
