//! `Module.symvers`: the symbols that a kernel build exports.

use thiserror::Error;

/// A `Module.symvers` file.
///
/// # Example: one line
///
/// ```
/// use kmm_core::kmod::Symvers;
///
/// let symvers = Symvers::parse("0x12345678\tusb_foo\tdrivers/usb/core/usbcore\tEXPORT_SYMBOL_GPL\tUSB_STORAGE\n")?;
/// let entry = &symvers.entries[0];
/// assert_eq!(entry.crc, 0x1234_5678);
/// assert_eq!(entry.owner, "drivers/usb/core/usbcore");
/// assert_eq!(entry.namespace.as_deref(), Some("USB_STORAGE"));
/// assert!(entry.gpl_only);
/// # Ok::<(), kmm_core::kmod::SymversError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symvers {
    /// The symbols in the order of the file.
    pub entries: Vec<SymversEntry>,
}

/// One line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymversEntry {
    /// The name of the symbol.
    pub name: String,
    /// Its checksum; 0 for all symbols of a kernel without module versions.
    pub crc: u32,
    /// Who exports it: `vmlinux`, or the path of a module in the build folder, without `.ko`.
    pub owner: String,
    /// Whether only modules under a GPL-compatible licence may use it.
    pub gpl_only: bool,
    /// The namespace it is in.
    pub namespace: Option<String>,
}

/// A line is not `CRC, symbol, owner, kind, namespace`, parted by tabs.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("Module.symvers, line {line}: {reason}")]
pub struct SymversError {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl Symvers {
    /// Reads the file. The namespace has been a fifth column since 5.4 (for a while the third); older files have none.
    ///
    /// # Errors
    ///
    /// When a line lacks a column, its checksum is no hexadecimal number of 32 bits, or its kind is unknown.
    pub fn parse(text: &str) -> Result<Self, SymversError> {
        let mut entries = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let entry = entry(line).map_err(|reason| SymversError {
                line: number + 1,
                reason,
            })?;
            entries.push(entry);
        }
        Ok(Self { entries })
    }

    /// Whether the kernel has module versions: any checksum is there.
    pub fn has_checksums(&self) -> bool {
        self.entries.iter().any(|entry| entry.crc != 0)
    }
}

fn entry(line: &str) -> Result<SymversEntry, String> {
    let columns: Vec<&str> = line.split('\t').collect();
    let (crc, name, owner, kind, namespace) = match columns.as_slice() {
        // 5.4 and 5.5 had the namespace before the owner.
        [crc, name, namespace, owner, kind] if kind.starts_with("EXPORT_") => {
            (crc, name, owner, kind, *namespace)
        }
        [crc, name, owner, kind] => (crc, name, owner, kind, ""),
        [crc, name, owner, kind, namespace, ..] => (crc, name, owner, kind, *namespace),
        _ => {
            return Err(format!(
                "{} columns parted by tabs, there are 4 or 5",
                columns.len()
            ));
        }
    };
    let digits = crc.strip_prefix("0x").unwrap_or(crc);
    let crc = u32::from_str_radix(digits, 16)
        .map_err(|_| format!("checksum `{crc}`, it is a hexadecimal number of 32 bits"))?;
    let gpl_only = match *kind {
        "EXPORT_SYMBOL" | "EXPORT_UNUSED_SYMBOL" => false,
        "EXPORT_SYMBOL_GPL" | "EXPORT_SYMBOL_GPL_FUTURE" | "EXPORT_UNUSED_SYMBOL_GPL" => true,
        other => {
            return Err(format!(
                "kind `{other}`, allowed are EXPORT_SYMBOL and EXPORT_SYMBOL_GPL"
            ));
        }
    };
    let namespace = Some(namespace)
        .filter(|namespace| !namespace.is_empty())
        .map(str::to_owned);
    Ok(SymversEntry {
        name: (*name).to_owned(),
        crc,
        owner: (*owner).to_owned(),
        gpl_only,
        namespace,
    })
}
