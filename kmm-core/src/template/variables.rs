//! What templates may name.

use std::borrow::Cow;

use crate::kernel::KernelVersion;
use crate::kernel::TooFewComponents;

/// Names of the variables that come from the kernel version, in order: every template has them.
pub const KERNEL_VARIABLES: [&str; 6] = [
    "KERNEL_FULL_VERSION",
    "KERNEL_VERSION",
    "KERNEL_XYZ",
    "KERNEL_X",
    "KERNEL_Y",
    "KERNEL_Z",
];

/// Names of the variables that come from the Module, in order: only `containerImage` has them.
pub const MODULE_VARIABLES: [&str; 2] = ["MOD_NAME", "MOD_NAMESPACE"];

/// The variables that a template may name, in order; of two with one name the first counts.
///
/// # Example: the variables of an image reference
///
/// ```
/// use kmm_core::kernel::KernelVersion;
/// use kmm_core::template::Variables;
///
/// let kernel = KernelVersion::new("6.0.15-300.fc37.x86_64");
/// let variables = Variables::kernel(&kernel)?.with_module("driver", "default");
/// assert_eq!(variables.value_of("KERNEL_XYZ"), Some("6.0.15"));
/// assert_eq!(variables.value_of("MOD_NAME"), Some("driver"));
/// assert_eq!(variables.value_of("HOME"), None);
/// # Ok::<(), kmm_core::kernel::TooFewComponents>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    entries: Vec<(Cow<'static, str>, String)>,
}

impl Variables {
    /// No variables at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// The six [`KERNEL_VARIABLES`], all made from the normalised version.
    ///
    /// # Errors
    ///
    /// When the version has fewer than three parts.
    pub fn kernel(kernel: &KernelVersion) -> Result<Self, TooFewComponents> {
        let parts = kernel.components()?;
        let full = kernel.normalized().to_owned();
        let values = [
            full.clone(),
            full,
            parts.xyz(),
            parts.x.to_owned(),
            parts.y.to_owned(),
            parts.z.to_owned(),
        ];
        let names = KERNEL_VARIABLES.map(Cow::Borrowed);
        Ok(Self {
            entries: names.into_iter().zip(values).collect(),
        })
    }

    /// These variables and the two [`MODULE_VARIABLES`].
    #[must_use]
    pub fn with_module(mut self, name: impl Into<String>, namespace: impl Into<String>) -> Self {
        let names = MODULE_VARIABLES.map(Cow::Borrowed);
        self.entries
            .extend(names.into_iter().zip([name.into(), namespace.into()]));
        self
    }

    /// These variables and one more.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.entries.push((Cow::Owned(name.into()), value.into()));
        self
    }

    /// The value of the first variable of that name.
    pub fn value_of(&self, name: &str) -> Option<&str> {
        self.iter()
            .find_map(|(known, value)| (known == name).then_some(value))
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(entries: I) -> Self {
        let entry = |(name, value): (N, V)| (Cow::Owned(name.into()), value.into());
        Self {
            entries: entries.into_iter().map(entry).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_variables_come_in_order_from_the_normalised_version() {
        let variables = Variables::kernel(&KernelVersion::new("5.10,4+x-9_y+")).unwrap();
        let expected = [
            "5.10_4_x-9_y",
            "5.10_4_x-9_y",
            "5.10_4_x.9_y",
            "5",
            "10_4_x",
            "9_y",
        ];
        assert!(variables.iter().eq(KERNEL_VARIABLES.into_iter().zip(expected)));
    }

    #[test]
    fn a_kernel_of_two_parts_has_no_variables() {
        let error = Variables::kernel(&KernelVersion::new("6.1")).unwrap_err();
        assert_eq!(error.version, "6.1");
    }

    #[test]
    fn of_two_with_one_name_the_first_counts() {
        let variables: Variables = [("A", "1"), ("A", "2")].into_iter().collect();
        assert_eq!(variables.value_of("A"), Some("1"));
    }
}
