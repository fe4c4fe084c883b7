//! The symbols of the kernel itself, which the check of unresolved symbols needs (`-E`, `-F`).

/// The kernel's symbols, from its `Module.symvers` or its `System.map`.
///
/// # Example: what a module may need of the kernel
///
/// ```
/// use kmm_core::depmod::KernelSymbols;
///
/// let symbols = KernelSymbols::from_symvers(b"0x12345678\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n");
/// assert!(symbols.complaints.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelSymbols {
    pub(crate) entries: Vec<(Vec<u8>, u64)>,
    /// Whether the checksums count.
    pub(crate) checksums: bool,
    /// Lines that were left out.
    pub complaints: Vec<String>,
}

impl KernelSymbols {
    /// The symbols of `vmlinux` in a `Module.symvers` (`-E`); those of modules are taken from the modules.
    pub fn from_symvers(text: &[u8]) -> Self {
        let mut symbols = Self {
            checksums: true,
            ..Self::default()
        };
        for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let mut words = line
                .split(|byte| matches!(byte, b' ' | b'\t'))
                .filter(|word| !word.is_empty());
            let (Some(crc), Some(name), Some(b"vmlinux")) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            let digits = std::str::from_utf8(crc).unwrap_or_default();
            let digits = digits
                .strip_prefix("0x")
                .or(digits.strip_prefix("0X"))
                .unwrap_or(digits);
            match u64::from_str_radix(digits, 16) {
                Ok(crc) => symbols.entries.push((name.to_vec(), crc)),
                Err(_) => {
                    let crc = String::from_utf8_lossy(crc);
                    symbols
                        .complaints
                        .push(format!("{}: Invalid symbol version {crc}", number + 1));
                }
            }
        }
        symbols.add_made_up();
        symbols
    }

    /// The symbols `__ksymtab_NAME` of a `System.map` (`-F`), without checksums.
    pub fn from_system_map(text: &[u8]) -> Self {
        let mut symbols = Self::default();
        for (number, line) in text
            .split(|byte| *byte == b'\n')
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
        {
            let Some(name) = line.splitn(3, |byte| *byte == b' ').nth(2) else {
                let line = String::from_utf8_lossy(line);
                symbols
                    .complaints
                    .push(format!("{}: invalid line: {line}", number + 1));
                continue;
            };
            if let Some(name) = name.strip_prefix(b"__ksymtab_") {
                symbols.entries.push((name.to_vec(), 0));
            }
        }
        symbols.add_made_up();
        symbols
    }

    /// What the loader makes up for modules.
    fn add_made_up(&mut self) {
        for name in ["__this_module", "_GLOBAL_OFFSET_TABLE_", "TOC."] {
            self.entries.push((name.as_bytes().to_vec(), 0));
        }
    }
}
