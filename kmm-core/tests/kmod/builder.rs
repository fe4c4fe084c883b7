//! Makes kernel objects by hand: of both classes and byte orders, with everything in its place or out of it.

/// A relocatable ELF file in the making.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) wide: bool,
    pub(crate) big_endian: bool,
    pub(crate) machine: u16,
    /// Name, type and contents.
    pub(crate) sections: Vec<(String, u32, Vec<u8>)>,
    /// Name, value, info and section.
    pub(crate) symbols: Vec<(String, u64, u8, u16)>,
    /// What follows the file: a signature.
    pub(crate) tail: Vec<u8>,
}

impl Object {
    pub(crate) fn new(wide: bool, big_endian: bool) -> Self {
        let mut object = Self {
            wide,
            big_endian,
            machine: 62,
            sections: Vec::new(),
            symbols: Vec::new(),
            tail: Vec::new(),
        };
        object.section(".gnu.linkonce.this_module", &[0; 896]);
        object
    }

    /// A module with these pairs of `.modinfo`.
    pub(crate) fn module(pairs: &[&str]) -> Self {
        let mut object = Self::new(true, false);
        object.modinfo(pairs);
        object
    }

    pub(crate) fn modinfo(&mut self, pairs: &[&str]) {
        let text: Vec<u8> = pairs.iter().flat_map(|pair| pair.bytes().chain([0])).collect();
        self.section(".modinfo", &text);
    }

    /// Adds a section and gives its number.
    pub(crate) fn section(&mut self, name: &str, bytes: &[u8]) -> u16 {
        self.sections.push((name.to_owned(), 1, bytes.to_vec()));
        self.sections.len() as u16
    }

    pub(crate) fn word(&self) -> usize {
        if self.wide { 8 } else { 4 }
    }

    pub(crate) fn number(&self, value: u64, size: usize) -> Vec<u8> {
        let bytes = value.to_le_bytes()[..size].to_vec();
        if self.big_endian {
            bytes.into_iter().rev().collect()
        } else {
            bytes
        }
    }

    /// Symbols that the module needs; weak ones start with `?`.
    pub(crate) fn imports(&mut self, names: &[&str]) {
        for name in names {
            let (name, info) = name.strip_prefix('?').map_or((*name, 0x10), |name| (name, 0x20));
            self.symbols.push((name.to_owned(), 0, info, 0));
        }
    }

    /// `__versions`.
    pub(crate) fn versions(&mut self, entries: &[(&str, u32)]) {
        let mut table = Vec::new();
        for (name, crc) in entries {
            let start = table.len();
            table.extend(self.number(u64::from(*crc), self.word()));
            table.extend(name.bytes());
            table.resize(start + 64, 0);
        }
        self.section("__versions", &table);
    }

    /// `__version_ext_crcs` and `__version_ext_names`.
    pub(crate) fn extended_versions(&mut self, entries: &[(&str, u32)]) {
        let crcs: Vec<u8> = entries
            .iter()
            .flat_map(|(_, crc)| self.number(u64::from(*crc), 4))
            .collect();
        let names: Vec<u8> = entries
            .iter()
            .flat_map(|(name, _)| name.bytes().chain([0]))
            .collect();
        self.section("__version_ext_crcs", &crcs);
        self.section("__version_ext_names", &names);
    }

    /// Symbols that the module offers: name, checksum, namespace and whether GPL-only.
    pub(crate) fn exports(&mut self, entries: &[(&str, u32, &str, bool)]) {
        let mut strings = Vec::new();
        let mut crcs = Vec::new();
        let plain = self.section("__ksymtab", &[0; 12]);
        let gpl = self.section("__ksymtab_gpl", &[0; 12]);
        let (strings_at, crcs_at) = (gpl + 1, gpl + 2);
        for (name, crc, namespace, gpl_only) in entries {
            let table = if *gpl_only { gpl } else { plain };
            self.symbols.push((format!("__ksymtab_{name}"), 0, 0, table));
            self.symbols
                .push((format!("__kstrtab_{name}"), strings.len() as u64, 0, strings_at));
            strings.extend(name.bytes().chain([0]));
            self.symbols
                .push((format!("__kstrtabns_{name}"), strings.len() as u64, 0, strings_at));
            strings.extend(namespace.bytes().chain([0]));
            self.symbols
                .push((format!("__crc_{name}"), crcs.len() as u64, 0, crcs_at));
            crcs.extend(self.number(u64::from(*crc), 4));
        }
        self.section("__ksymtab_strings", &strings);
        self.section("__kcrctab", &crcs);
    }

    /// Appends a trailer as the kernel's `sign-file` does.
    pub(crate) fn sign(&mut self, id_type: u8, signer: &[u8], key_id: &[u8], block: &[u8]) {
        self.tail = [signer, key_id, block].concat();
        let (signer, key_id) = (signer.len() as u8, key_id.len() as u8);
        self.tail.extend([
            u8::from(id_type != 2),
            if id_type == 2 { 0 } else { 4 },
            id_type,
            signer,
            key_id,
            0,
            0,
            0,
        ]);
        self.tail.extend((block.len() as u32).to_be_bytes());
        self.tail.extend(b"~Module signature appended~\n");
    }

    /// The bytes of the file.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut sections = vec![(String::new(), 0, Vec::new())];
        sections.extend(self.sections.iter().cloned());
        let (symtab, strtab) = self.symbol_table();
        sections.push((".symtab".to_owned(), 2, symtab));
        sections.push((".strtab".to_owned(), 3, strtab));
        let mut names = vec![0];
        let mut places: Vec<u64> = Vec::new();
        for (name, ..) in sections
            .iter()
            .map(|(name, ..)| (name.as_str(), ()))
            .chain([(".shstrtab", ())])
        {
            places.push(if name.is_empty() { 0 } else { names.len() as u64 });
            if !name.is_empty() {
                names.extend(name.bytes().chain([0]));
            }
        }
        sections.push((".shstrtab".to_owned(), 3, names));
        let header = if self.wide { 64 } else { 52 };
        let mut body: Vec<u8> = Vec::new();
        let mut headers: Vec<u8> = Vec::new();
        let w = self.word();
        for ((_, kind, bytes), name) in sections.iter().zip(places) {
            let offset = if *kind == 0 { 0 } else { header + body.len() as u64 };
            let fields = [
                (name, 4),
                (u64::from(*kind), 4),
                (0, w),
                (0, w),
                (offset, w),
                (bytes.len() as u64, w),
            ];
            let rest = [(0, 4), (0, 4), (1, w), (0, w)];
            for (value, size) in fields.into_iter().chain(rest) {
                headers.extend(self.number(value, size));
            }
            body.extend(bytes);
        }
        let count = sections.len() as u64;
        let mut file = b"\x7fELF".to_vec();
        file.extend([
            if self.wide { 2 } else { 1 },
            if self.big_endian { 2 } else { 1 },
            1,
        ]);
        file.resize(16, 0);
        let table = header + body.len() as u64;
        let entry = if self.wide { 64 } else { 40 };
        for (value, size) in [
            (1, 2),
            (u64::from(self.machine), 2),
            (1, 4),
            (0, w),
            (0, w),
            (table, w),
            (0, 4),
            (header, 2),
            (0, 2),
            (0, 2),
            (entry, 2),
            (count, 2),
            (count - 1, 2),
        ] {
            file.extend(self.number(value, size));
        }
        file.extend(body);
        file.extend(headers);
        file.extend(&self.tail);
        file
    }

    fn symbol_table(&self) -> (Vec<u8>, Vec<u8>) {
        let mut table = vec![0; if self.wide { 24 } else { 16 }];
        let mut strings = vec![0];
        for (name, value, info, section) in &self.symbols {
            let at = strings.len() as u64;
            strings.extend(name.bytes().chain([0]));
            let (info, section) = (u64::from(*info), u64::from(*section));
            let fields = if self.wide {
                [(at, 4), (info, 1), (0, 1), (section, 2), (*value, 8), (0, 8)]
            } else {
                [(at, 4), (*value, 4), (0, 4), (info, 1), (0, 1), (section, 2)]
            };
            for (value, size) in fields {
                table.extend(self.number(value, size));
            }
        }
        (table, strings)
    }
}

/// An element of DER.
#[allow(dead_code, reason = "not every test that makes modules signs them")]
pub(crate) fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let mut out = vec![tag];
    match contents.len() {
        short @ 0..0x80 => out.push(short as u8),
        long => out.extend([0x82, (long >> 8) as u8, long as u8]),
    }
    out.extend(contents);
    out
}
