//! `vermagic`: the kernel a module was built for, as the module says it.

use std::fmt;

/// A version magic string, taken apart.
///
/// # Example: a Debian kernel
///
/// ```
/// use kmm_core::kmod::{Preemption, Vermagic};
///
/// let magic = Vermagic::parse("6.1.0-56-rt-amd64 SMP preempt_rt mod_unload modversions ");
/// assert_eq!(magic.release(), "6.1.0-56-rt-amd64");
/// assert_eq!(magic.preemption, Preemption::RealTime);
/// assert!(magic.smp && magic.mod_unload && magic.modversions);
/// assert!(magic.rest.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vermagic {
    text: String,
    /// `SMP`: for more than one processor.
    pub smp: bool,
    /// How the kernel preempts.
    pub preemption: Preemption,
    /// `mod_unload`: modules can be removed.
    pub mod_unload: bool,
    /// `modversions`: symbols carry checksums, and those decide instead of the release.
    pub modversions: bool,
    /// What else stands there: `aarch64`, `ARMv7`, `RANDSTRUCT_PLUGIN_…`.
    pub rest: Vec<String>,
}

/// Which preemption model a kernel is built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preemption {
    /// None, or voluntary; vermagic does not tell them apart.
    None,
    /// `preempt`.
    Full,
    /// `preempt_rt`.
    RealTime,
}

impl Vermagic {
    /// Takes a string apart; there is none that is wrong.
    pub fn parse(text: &str) -> Self {
        let mut magic = Self {
            text: text.to_owned(),
            smp: false,
            preemption: Preemption::None,
            mod_unload: false,
            modversions: false,
            rest: Vec::new(),
        };
        for word in magic_part(text).split_ascii_whitespace() {
            match word {
                "SMP" => magic.smp = true,
                "preempt" => magic.preemption = Preemption::Full,
                "preempt_rt" => magic.preemption = Preemption::RealTime,
                "mod_unload" => magic.mod_unload = true,
                "modversions" => magic.modversions = true,
                other => magic.rest.push(other.to_owned()),
            }
        }
        magic
    }

    /// The whole string, with the blank at its end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The kernel release: all before the first blank.
    pub fn release(&self) -> &str {
        &self.text[..self.text.len() - magic_part(&self.text).len()]
    }

    /// Whether the kernel takes `self` for `kernel`: the whole strings must be equal, or all from the first blank on
    /// where the module carries checksums.
    pub fn fits(&self, kernel: &Vermagic, has_checksums: bool) -> bool {
        if has_checksums {
            magic_part(&self.text) == magic_part(&kernel.text)
        } else {
            self.text == kernel.text
        }
    }
}

impl fmt::Display for Vermagic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// All from the first blank on.
fn magic_part(text: &str) -> &str {
    text.find(' ').map_or("", |blank| &text[blank..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_checksums_the_release_does_not_matter() {
        let module = Vermagic::parse("6.1.0-1 SMP mod_unload modversions ");
        let kernel = Vermagic::parse("6.1.0-2 SMP mod_unload modversions ");
        assert!(module.fits(&kernel, true));
        assert!(!module.fits(&kernel, false));
        assert!(!module.fits(
            &Vermagic::parse("6.1.0-1 SMP preempt mod_unload modversions "),
            true
        ));
    }

    #[test]
    fn a_release_alone_is_a_release() {
        assert_eq!(Vermagic::parse("6.1.0").release(), "6.1.0");
        assert_eq!(Vermagic::parse("").release(), "");
    }
}
