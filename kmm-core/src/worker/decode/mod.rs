//! What a line of the kernel's log or of modprobe means.
//!
//! Each line is held to a table of the messages that kernel and kmod have for modules ([`MESSAGES`]). A line that fits
//! none of them is left alone: nothing is guessed. Surprises:
//!
//! - modprobe turns the number of an error into words that say something else: `ENOENT` of a module whose firmware is
//!   missing reads "Unknown symbol in module, or unknown parameter". Words of modprobe alone are weak; where the kernel
//!   says something too, that counts ([`strongest`]).
//! - The kernel says nothing to modprobe about a parameter that does not exist, only to its log.
//! - "Function not implemented" stands for a kernel without modules, and for a file that modprobe cannot unpack: the name
//!   of the file tells, in the line itself or in what `modprobe -v` printed before.
//! - "Key was rejected by service" stands for no signature, a signature by an unknown key, and a wrong one.

mod line;
mod table;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::modprobe::fold_name;
use crate::modprobe::module_of_file;

use super::Reason;

pub use table::MESSAGES;
pub use table::Message;
pub use table::Speaker;

/// The most lines that are decoded; what follows is left out, and [`Decoded::left_out`] says so.
pub const MOST_LINES: usize = 100_000;

/// What a line means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// Which line, from 1 on.
    pub line: usize,
    /// Why.
    pub reason: Reason,
    /// Who said it.
    pub speaker: Speaker,
    /// The message, without time and program, and not more than a line of a terminal holds.
    pub proof: String,
    /// The module, where the line names one.
    pub module: Option<String>,
    /// The symbol, parameter, file, or other thing that it is about, where the line names one.
    pub subject: Option<String>,
    /// Whether it says more than the number of an error. Where it does not, the reason is the one that stands behind
    /// this number most often: a guess.
    #[serde(rename = "certain")]
    pub strong: bool,
}

impl Diagnosis {
    /// What happened, with the names that the line has.
    pub fn cause(&self) -> String {
        let mut out = self.reason.cause().trim_end_matches('.').to_owned();
        let named = [("module", &self.module), ("about", &self.subject)];
        let named: Vec<String> = named
            .iter()
            .filter_map(|(what, name)| name.as_ref().map(|name| format!("{what} `{name}`")))
            .collect();
        if !named.is_empty() {
            out.push_str(&format!(" ({})", named.join(", ")));
        }
        out.push('.');
        out
    }
}

/// All that was found in a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// The lines that are known, in order.
    pub found: Vec<Diagnosis>,
    /// How many lines there are.
    pub lines: usize,
    /// How many lines at the end were not looked at.
    pub left_out: usize,
}

/// Decodes a text: a log of the kernel, or what modprobe printed.
///
/// # Example: modprobe says one thing, the kernel another
///
/// ```
/// use kmm_core::worker::{Reason, decode};
///
/// let text = "\
/// modprobe: ERROR: could not insert 'nic': Unknown symbol in module, or unknown parameter (see dmesg)
/// [   12.345678] nic 0000:00:03.0: Direct firmware load for nic/fw.bin failed with error -2
/// ";
/// let decoded = decode::text(text);
/// assert_eq!(decoded.found.len(), 2);
/// let cause = decode::strongest(&decoded.found).unwrap();
/// assert_eq!((cause.reason, cause.subject.as_deref()), (Reason::FirmwareMissing, Some("nic/fw.bin")));
/// ```
pub fn text(text: &str) -> Decoded {
    let mut decoded = Decoded::default();
    let mut packed = BTreeSet::new();
    for found in text.lines() {
        decoded.lines += 1;
        if decoded.lines > MOST_LINES {
            decoded.left_out += 1;
            continue;
        }
        // What `modprobe -v` prints of the files that it loads.
        let file = found
            .strip_prefix("insmod ")
            .and_then(|rest| rest.split(' ').next());
        packed.extend(file.filter(|file| is_packed(file)).and_then(module_of_file));
        let Some(mut diagnosis) = line(found) else {
            continue;
        };
        diagnosis.line = decoded.lines;
        let module = diagnosis.module.as_deref().map(fold_name);
        if is_guess_of_no_modules(&diagnosis) && module.is_some_and(|name| packed.contains(&name)) {
            diagnosis.reason = Reason::CompressionUnknown;
        }
        decoded.found.push(diagnosis);
    }
    decoded
}

fn is_guess_of_no_modules(diagnosis: &Diagnosis) -> bool {
    diagnosis.reason == Reason::NoModuleSupport && !diagnosis.strong
}

/// Whether the file of a module is compressed, by its name.
fn is_packed(file: &str) -> bool {
    module_of_file(file).is_some() && !file.ends_with(".ko")
}

/// Decodes one line; `None` where it is not known.
///
/// # Example: a missing symbol
///
/// ```
/// use kmm_core::worker::{Reason, decode};
///
/// let found = decode::line("[ 3.14] nic: Unknown symbol acme_bus_add (err -2)").unwrap();
/// assert_eq!(found.reason, Reason::UnknownSymbol);
/// assert_eq!(found.module.as_deref(), Some("nic"));
/// assert_eq!(decode::line("[ 3.14] usb 1-1: new high-speed USB device"), None);
/// ```
pub fn line(text: &str) -> Option<Diagnosis> {
    let message = line::message(text);
    let known = |message| {
        MESSAGES.iter().find_map(|known| {
            let holes = line::fit(known.pattern, message)?;
            Some((known.reason, known.speaker, known.strong, holes))
        })
    };
    // Newer kernels name their module loader in front of what it says.
    let known = known(message).or_else(|| known(message.strip_prefix("module: ")?));
    let (reason, speaker, strong, holes) = known.or_else(|| operation(message))?;
    let hole = |names: &[&str]| {
        let found = holes.iter().find(|(name, _)| names.contains(name));
        found.map(|(_, value)| shortened(value))
    };
    let mut diagnosis = Diagnosis {
        line: 1,
        reason,
        speaker,
        proof: shortened(message),
        module: hole(&["module"]),
        subject: hole(&["symbol", "parameter", "file", "namespace", "other", "value"]),
        strong,
    };
    if is_guess_of_no_modules(&diagnosis) && diagnosis.subject.as_deref().is_some_and(is_packed) {
        diagnosis.reason = Reason::CompressionUnknown;
    }
    Some(diagnosis)
}

/// A sentence of modprobe that ends in the words for the number of an error.
fn operation(message: &str) -> Option<(Reason, Speaker, bool, line::Holes<'_>)> {
    table::OPERATIONS.iter().find_map(|(pattern, loading)| {
        let holes = line::fit(pattern, message)?;
        let words = holes
            .iter()
            .find(|(name, _)| *name == "error")?
            .1
            .trim_end_matches('.');
        let meaning = table::ERRORS.iter().find(|(known, ..)| known.contains(&words));
        let reason = match meaning {
            Some((_, load, _)) if *loading => *load,
            Some((_, _, unload)) => *unload,
            None => Reason::InitFailed,
        };
        Some((reason, Speaker::Kmod, false, holes))
    })
}

/// The line that says most: what the kernel or modprobe says in so many words goes before the number of an error, and
/// among equals the last. Lines that tell of no failure do not count.
pub fn strongest(found: &[Diagnosis]) -> Option<&Diagnosis> {
    let failures = found
        .iter()
        .filter(|diagnosis| diagnosis.reason.kind() == super::Kind::Failed);
    failures.max_by_key(|diagnosis| {
        (
            diagnosis.strong,
            !is_side_effect(diagnosis.reason),
            diagnosis.line,
        )
    })
}

/// Reasons that a module can live with.
fn is_side_effect(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::ParameterUnknown | Reason::FirmwareMissing | Reason::KernelFault
    )
}

fn shortened(text: &str) -> String {
    const MOST: usize = 300;
    let end = text.floor_char_boundary(MOST);
    let mut out: String = text.get(..end).unwrap_or(text).to_owned();
    out = out.replace(|c: char| c.is_control(), "\u{fffd}");
    if end < text.len() {
        out.push('…');
    }
    out
}
