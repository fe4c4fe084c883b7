//! Build arguments: how one list overrides another, and what the operator adds.

use std::collections::BTreeMap;

use crate::api::BuildArg;
use crate::kernel::KernelVersion;

/// The arguments with the overrides applied, as the Go operator's `ApplyBuildArgOverrides` does.
///
/// Every argument whose name is overridden takes the new value where it stands, duplicates too; of two overrides of
/// one name the later wins; overrides of names that are not there are appended, sorted by name.
///
/// # Example: one value replaced, one added
///
/// ```
/// use kmm_core::api::BuildArg;
/// use kmm_core::module::build_args::overridden;
///
/// let arg = |name: &str, value: &str| BuildArg { name: name.into(), value: value.into() };
/// let args = overridden(&[arg("B", "1"), arg("A", "1")], &[arg("C", "2"), arg("B", "2")]);
/// assert_eq!(args, [arg("B", "2"), arg("A", "1"), arg("C", "2")]);
/// ```
pub fn overridden(args: &[BuildArg], overrides: &[BuildArg]) -> Vec<BuildArg> {
    let mut unused: BTreeMap<&str, &BuildArg> =
        overrides.iter().map(|arg| (arg.name.as_str(), arg)).collect();
    let by_name = unused.clone();
    let mut result: Vec<BuildArg> = Vec::with_capacity(args.len() + unused.len());
    for arg in args {
        unused.remove(arg.name.as_str());
        let winner = by_name.get(arg.name.as_str()).copied().unwrap_or(arg);
        result.push(winner.clone());
    }
    result.extend(unused.into_values().cloned());
    result
}

/// The arguments that the operator gives to every build: `KERNEL_FULL_VERSION`, `KERNEL_VERSION`, `MOD_NAME`,
/// `MOD_NAMESPACE`.
///
/// Both kernel arguments are the matched form, not the normalised one of templates.
pub fn defaults(kernel: &KernelVersion, name: &str, namespace: &str) -> Vec<BuildArg> {
    [
        ("KERNEL_FULL_VERSION", kernel.matched()),
        ("KERNEL_VERSION", kernel.matched()),
        ("MOD_NAME", name),
        ("MOD_NAMESPACE", namespace),
    ]
    .into_iter()
    .map(|(name, value)| BuildArg {
        name: name.to_owned(),
        value: value.to_owned(),
    })
    .collect()
}

/// What the build gets: the user's arguments with [`defaults`] over them.
///
/// # Example: a user cannot change what the operator sets
///
/// ```
/// use kmm_core::api::BuildArg;
/// use kmm_core::kernel::KernelVersion;
/// use kmm_core::module::build_args::effective;
///
/// let mine = [BuildArg { name: "KERNEL_VERSION".into(), value: "5.14".into() }];
/// let args = effective(&mine, &KernelVersion::new("6.1.0+"), "drv", "default");
/// assert_eq!(args[0].value, "6.1.0");
/// assert_eq!(args[1].name, "KERNEL_FULL_VERSION");
/// ```
pub fn effective(args: &[BuildArg], kernel: &KernelVersion, name: &str, namespace: &str) -> Vec<BuildArg> {
    overridden(args, &defaults(kernel, name, namespace))
}
