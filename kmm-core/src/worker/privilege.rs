//! Why a call was refused with "Operation not permitted".
//!
//! The kernel gives the same number for a missing capability, for a container with its own user namespace, for
//! `kernel.modules_disabled`, and for lockdown. What is in `/proc` and `/sys` tells them apart.

use super::Reason;

/// A capability that a worker may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// `CAP_SYS_MODULE`: loading and unloading modules.
    SysModule,
    /// `CAP_SYSLOG`: reading the kernel's log.
    Syslog,
}

impl Capability {
    fn bit(self) -> u32 {
        match self {
            Self::SysModule => 16,
            Self::Syslog => 34,
        }
    }

    /// The name, as Kubernetes and podman take it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SysModule => "SYS_MODULE",
            Self::Syslog => "SYSLOG",
        }
    }
}

/// What is known of the process and of the kernel; `None` where it could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The effective user.
    pub uid: Option<u32>,
    /// The effective capabilities.
    pub capabilities: Option<u64>,
    /// Whether the process is in a user namespace of its own.
    pub own_namespace: Option<bool>,
    /// Whether the kernel takes no more modules.
    pub modules_disabled: Option<bool>,
    /// The level of lockdown: `none`, `integrity`, `confidentiality`.
    pub lockdown: Option<String>,
    /// Whether there is a list of modules, `/proc/modules`: every kernel that takes modules has it.
    pub module_list: Option<bool>,
}

impl Facts {
    /// Reads the texts of `/proc/self/status`, `/proc/self/uid_map`, `/proc/sys/kernel/modules_disabled` and
    /// `/sys/kernel/security/lockdown`.
    ///
    /// # Example: a user that is not root has no capabilities, whatever its pod was given
    ///
    /// ```
    /// use kmm_core::worker::Reason;
    /// use kmm_core::worker::privilege::{Capability, Facts};
    ///
    /// let status = "Uid:\t65532\t65532\t65532\t65532\nCapEff:\t0000000000000000\n";
    /// let facts = Facts::parse(Some(status), Some("0 0 4294967295"), Some("0\n"), None);
    /// let (reason, proof) = facts.missing(Capability::SysModule).unwrap();
    /// assert_eq!(reason, Reason::MissingCapability);
    /// assert_eq!(proof, "CAP_SYS_MODULE is not among the effective capabilities (0000000000000000) of user 65532; \
    ///     only user 0 gets those of a container");
    /// ```
    pub fn parse(
        status: Option<&str>,
        uid_map: Option<&str>,
        modules_disabled: Option<&str>,
        lockdown: Option<&str>,
    ) -> Self {
        let field = |name: &str| {
            let line = status?.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim().to_owned())
        };
        Self {
            uid: field("Uid:").and_then(|ids| ids.split_ascii_whitespace().nth(1)?.parse().ok()),
            capabilities: field("CapEff:").and_then(|digits| u64::from_str_radix(&digits, 16).ok()),
            own_namespace: uid_map.and_then(|map| {
                let words: Vec<&str> = map.split_ascii_whitespace().collect();
                (!words.is_empty()).then(|| words != ["0", "0", "4294967295"])
            }),
            modules_disabled: modules_disabled.map(|text| text.trim() == "1"),
            lockdown: lockdown.and_then(|text| {
                let (_, rest) = text.split_once('[')?;
                Some(rest.split_once(']')?.0.to_owned())
            }),
            module_list: None,
        }
    }

    /// Whether the kernel takes no modules for sure, whatever the process may do, with the proof.
    pub fn no_modules(&self) -> Option<(Reason, String)> {
        let proof = "/proc/modules is not there, which every kernel with loadable modules has";
        (self.module_list == Some(false)).then(|| (Reason::NoModuleSupport, proof.to_owned()))
    }

    /// Whether a capability is missing for sure, or modules are turned off, with the proof.
    pub fn missing(&self, capability: Capability) -> Option<(Reason, String)> {
        if let Some(held) = self.capabilities
            && held & (1 << capability.bit()) == 0
        {
            let name = capability.name();
            let user = self
                .uid
                .map_or_else(|| "of this process".to_owned(), |uid| format!("of user {uid}"));
            let only = match self.uid {
                Some(0) | None => "",
                Some(_) => "; only user 0 gets those of a container",
            };
            let proof =
                format!("CAP_{name} is not among the effective capabilities ({held:016x}) {user}{only}");
            return Some((Reason::MissingCapability, proof));
        }
        if self.own_namespace == Some(true) {
            let proof = "/proc/self/uid_map is not that of the host".to_owned();
            return Some((Reason::UserNamespace, proof));
        }
        if capability == Capability::SysModule && self.modules_disabled == Some(true) {
            return Some((
                Reason::ModulesDisabled,
                "/proc/sys/kernel/modules_disabled is 1".to_owned(),
            ));
        }
        None
    }

    /// Why loading or unloading was refused with "Operation not permitted".
    pub fn refused(&self, unsigned: bool) -> (Reason, String) {
        if let Some(found) = self.missing(Capability::SysModule) {
            return found;
        }
        match self.lockdown.as_deref() {
            Some(level @ ("integrity" | "confidentiality")) => {
                let proof = format!("/sys/kernel/security/lockdown is `{level}`");
                (Reason::Lockdown, proof)
            }
            Some(_) => (
                Reason::NotPermitted,
                "capabilities are there, and lockdown is off".to_owned(),
            ),
            None if unsigned && self.capabilities.is_some() => {
                let proof = "capabilities are there and the module has no signature; \
                             /sys/kernel/security/lockdown could not be read, lockdown is likely";
                (Reason::Lockdown, proof.to_owned())
            }
            None => {
                let proof =
                    "/sys/kernel/security/lockdown could not be read, so that lockdown cannot be told apart";
                (Reason::NotPermitted, proof.to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "Uid:\t0\t0\t0\t0\nCapEff:\t0000000400010000\n";

    #[test]
    fn one_number_five_reasons() {
        let host = Some("         0          0 4294967295\n");
        for (status, map, disabled, lockdown, unsigned, reason) in [
            (
                "Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\n",
                host,
                "0",
                None,
                true,
                Reason::MissingCapability,
            ),
            (
                ROOT,
                Some("0 100000 65536\n"),
                "0",
                None,
                true,
                Reason::UserNamespace,
            ),
            (ROOT, host, "1\n", None, true, Reason::ModulesDisabled),
            (
                ROOT,
                host,
                "0",
                Some("none [integrity] confidentiality"),
                false,
                Reason::Lockdown,
            ),
            (
                ROOT,
                host,
                "0",
                Some("[none] integrity confidentiality"),
                true,
                Reason::NotPermitted,
            ),
            (ROOT, host, "0", None, true, Reason::Lockdown),
            (ROOT, host, "0", None, false, Reason::NotPermitted),
        ] {
            let facts = Facts::parse(Some(status), map, Some(disabled), lockdown);
            assert_eq!(facts.refused(unsigned).0, reason, "{facts:?}");
        }
        let facts = Facts::parse(Some(ROOT), host, None, None);
        assert_eq!(facts.missing(Capability::Syslog), None);
        assert_eq!(Facts::default().missing(Capability::SysModule), None);
    }
}
