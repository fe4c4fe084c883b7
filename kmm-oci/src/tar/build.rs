//! Makes tar streams for tests, right ones and wrong ones.

/// A tar stream being made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Builder {
    pub(crate) bytes: Vec<u8>,
}

impl Builder {
    /// A header block with a right checksum, and nothing after it.
    pub(crate) fn header(&mut self, name: &[u8], flag: u8, size: u64, link: &[u8]) -> &mut Self {
        let mut block = [0u8; 512];
        block[..name.len()].copy_from_slice(name);
        block[100..107].copy_from_slice(b"0000755");
        if size < 1 << 33 {
            block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        } else {
            block[124..136].copy_from_slice(&[&[0x80, 0, 0, 0], size.to_be_bytes().as_slice()].concat());
        }
        block[156] = flag;
        block[157..157 + link.len()].copy_from_slice(link);
        block[257..265].copy_from_slice(b"ustar\x0000");
        self.raw(block)
    }

    /// Adds a block after setting its checksum.
    pub(crate) fn raw(&mut self, mut block: [u8; 512]) -> &mut Self {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend_from_slice(&block);
        self
    }

    /// Adds content and its padding.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(&mut self, path: &str, content: &[u8]) -> &mut Self {
        self.long(path, b'L');
        self.header(cut(path), b'0', content.len() as u64, b"")
            .data(content)
    }

    pub(crate) fn folder(&mut self, path: &str) -> &mut Self {
        self.long(path, b'L');
        self.header(cut(path), b'5', 0, b"")
    }

    pub(crate) fn symlink(&mut self, path: &str, target: &str) -> &mut Self {
        self.long(path, b'L').long(target, b'K');
        self.header(cut(path), b'2', 0, cut(target))
    }

    pub(crate) fn hard_link(&mut self, path: &str, target: &str) -> &mut Self {
        self.long(path, b'L').long(target, b'K');
        self.header(cut(path), b'1', 0, cut(target))
    }

    pub(crate) fn pax(&mut self, records: &[(&str, &str)]) -> &mut Self {
        let mut text = String::new();
        for (key, value) in records {
            let rest = format!(" {key}={value}\n");
            let mut length = rest.len() + 1;
            while length != rest.len() + length.to_string().len() {
                length += 1;
            }
            text += &format!("{length}{rest}");
        }
        self.header(b"PaxHeaders", b'x', text.len() as u64, b"")
            .data(text.as_bytes())
    }

    /// The stream, with the two blocks of zeros.
    pub(crate) fn end(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }

    fn long(&mut self, text: &str, flag: u8) -> &mut Self {
        if text.len() > 100 {
            self.header(b"././@LongLink", flag, text.len() as u64 + 1, b"");
            self.data(&[text.as_bytes(), b"\0"].concat());
        }
        self
    }
}

fn cut(text: &str) -> &[u8] {
    &text.as_bytes()[..text.len().min(100)]
}
