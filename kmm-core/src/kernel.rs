//! Kernel versions as nodes report them, and the forms in which they are used.
//!
//! Surprises:
//! - Mappings never see the raw string: one trailing `+` is dropped first, and only one.
//! - Templates use a third form, in which every character outside `[A-Za-z0-9._-]` is `_`. Build arguments and
//!   folders use the matched form. For kernels with a `+` in the middle the two differ.
//! - X, Y and Z are what stands between separators; nothing says that they are numbers (`5.10-foo` has Z `foo`).

use std::fmt;

use thiserror::Error;

/// A kernel version in its four forms.
///
/// # Example: the forms of a locally built kernel
///
/// ```
/// use kmm_core::kernel::KernelVersion;
///
/// let kernel = KernelVersion::new("6.6.35+rt_1+");
/// assert_eq!(kernel.raw(), "6.6.35+rt_1+");
/// assert_eq!(kernel.matched(), "6.6.35+rt_1");
/// assert_eq!(kernel.normalized(), "6.6.35_rt_1");
/// assert_eq!(kernel.dns_safe(), "6-6-35-rt-1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KernelVersion {
    raw: String,
    /// How much of `raw` is the matched form.
    matched: usize,
    normalized: String,
}

impl KernelVersion {
    /// The kernel version that a node reports (`status.nodeInfo.kernelVersion`, `uname -r`).
    pub fn new(raw: impl Into<String>) -> Self {
        let raw = raw.into();
        let matched = raw.strip_suffix('+').unwrap_or(&raw).len();
        Self::cut(raw, matched)
    }

    /// A kernel version that is in matched form already: a `+` at its end stays.
    ///
    /// This is how the kernel of a `PreflightValidation` is taken, and that of a `ModuleImagesConfig`.
    ///
    /// # Example: no plus is dropped twice
    ///
    /// ```
    /// use kmm_core::kernel::KernelVersion;
    ///
    /// let kernel = KernelVersion::from_matched("6.6.35+");
    /// assert_eq!(kernel.matched(), "6.6.35+");
    /// assert_eq!(kernel.normalized(), "6.6.35_");
    /// ```
    pub fn from_matched(matched: impl Into<String>) -> Self {
        let raw = matched.into();
        let matched = raw.len();
        Self::cut(raw, matched)
    }

    fn cut(raw: String, matched: usize) -> Self {
        let normalized = normalize(&raw[..matched]);
        Self {
            raw,
            matched,
            normalized,
        }
    }

    /// As the node reports it.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// As mappings see it, and as `lib/modules/<kernel>` is named in an image: without one trailing `+`.
    pub fn matched(&self) -> &str {
        &self.raw[..self.matched]
    }

    /// As templates see it: the matched form with `_` for every character outside `[A-Za-z0-9._-]`.
    pub fn normalized(&self) -> &str {
        &self.normalized
    }

    /// As names and label values of build and sign pods hold it: the normalised form in lower case, with `-` for `_`
    /// and `.`, and without `-` at either end.
    pub fn dns_safe(&self) -> String {
        let lower = self.normalized.to_lowercase().replace(['_', '.'], "-");
        lower.trim_matches('-').to_owned()
    }

    /// The first three parts of the normalised form, split at `.`, `,` and `-`.
    ///
    /// # Errors
    ///
    /// When there are fewer than three parts.
    pub fn components(&self) -> Result<Components<'_>, TooFewComponents> {
        let mut parts = self.normalized.split(['.', ',', '-']);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(x), Some(y), Some(z)) => Ok(Components { x, y, z }),
            _ => Err(TooFewComponents {
                version: self.normalized.clone(),
            }),
        }
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

impl From<&str> for KernelVersion {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

/// The first three parts of a kernel version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Components<'a> {
    /// Major version, as a rule.
    pub x: &'a str,
    /// Minor version, as a rule.
    pub y: &'a str,
    /// Patch level, as a rule.
    pub z: &'a str,
}

impl Components<'_> {
    /// The parts joined by dots.
    pub fn xyz(&self) -> String {
        format!("{}.{}.{}", self.x, self.y, self.z)
    }
}

/// A kernel version has fewer than three parts; the text is the Go operator's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("invalid kernel version {version}: expected at least three components (major.minor.patch)")]
pub struct TooFewComponents {
    /// The normalised version.
    pub version: String,
}

fn normalize(version: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    version.chars().map(|c| if keep(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_plus_is_dropped() {
        assert_eq!(KernelVersion::new("6.6.35++").matched(), "6.6.35+");
        assert_eq!(KernelVersion::new("6.6.35++").normalized(), "6.6.35_");
    }

    #[test]
    fn every_odd_character_becomes_one_underscore() {
        for odd in ["+", "&", "%", "?", " ", "é"] {
            assert_eq!(KernelVersion::new(format!("1.2.3{odd}4")).normalized(), "1.2.3_4");
        }
    }

    #[test]
    fn components_need_three_parts_and_no_numbers() {
        let kernel = KernelVersion::new("5.10-foo.1");
        assert_eq!(kernel.components().unwrap().xyz(), "5.10.foo");
        assert!(KernelVersion::new("5.10").components().is_err());
        assert_eq!(
            KernelVersion::new("6,1,0").components().unwrap_err().version,
            "6_1_0"
        );
    }

    #[test]
    fn dns_safe_trims_and_lowers() {
        assert_eq!(KernelVersion::new("-6.1.0_AMD64-").dns_safe(), "6-1-0-amd64");
    }
}
