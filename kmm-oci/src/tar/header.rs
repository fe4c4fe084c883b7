//! One block of 512 bytes, as a header.

use crate::tar::Fault;

/// The size of a block.
pub(super) const BLOCK: usize = 512;

/// A block that is a header: its checksum is right.
pub(super) struct Block<'a>(&'a [u8; BLOCK]);

impl<'a> Block<'a> {
    /// Checks the sum over the block; both ways to compute it are in use.
    pub(super) fn new(bytes: &'a [u8; BLOCK]) -> Result<Self, Fault> {
        let block = Self(bytes);
        let given = block.number(148, 8, "checksum")?;
        let (mut unsigned, mut signed) = (0u64, 0i64);
        for (place, byte) in bytes.iter().enumerate() {
            let byte = if (148..156).contains(&place) { b' ' } else { *byte };
            unsigned += u64::from(byte);
            signed += i64::from(byte.cast_signed());
        }
        if given == unsigned || i64::try_from(given) == Ok(signed) {
            Ok(block)
        } else {
            Err(Fault::Checksum)
        }
    }

    pub(super) fn type_flag(&self) -> u8 {
        self.0[156]
    }

    pub(super) fn mode(&self) -> Result<u64, Fault> {
        self.number(100, 8, "mode")
    }

    pub(super) fn size(&self) -> Result<u64, Fault> {
        self.number(124, 12, "size")
    }

    /// The size of a sparse file of GNU tar's old form.
    pub(super) fn real_size(&self) -> Result<u64, Fault> {
        self.number(483, 12, "real size")
    }

    /// Whether blocks with more of a sparse file's map follow.
    pub(super) fn map_goes_on(&self) -> bool {
        self.0[482] != 0
    }

    /// The name, with the prefix of the formats that have one.
    pub(super) fn name(&self) -> Vec<u8> {
        let name = self.text(0, 100);
        let star = self.field(257, 6) == b"ustar\0" && self.field(508, 4) == b"tar\0";
        let prefix = match self.field(257, 6) == b"ustar\0" {
            true if star => self.text(345, 131),
            true => self.text(345, 155),
            false => &[],
        };
        if prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }

    pub(super) fn link(&self) -> Vec<u8> {
        self.text(157, 100).to_vec()
    }

    fn field(&self, start: usize, length: usize) -> &'a [u8] {
        self.0.get(start..start + length).unwrap_or_default()
    }

    fn text(&self, start: usize, length: usize) -> &'a [u8] {
        until_nul(self.field(start, length))
    }

    /// A number: octal digits, or big-endian bytes after a first bit that is set.
    fn number(&self, start: usize, length: usize, name: &'static str) -> Result<u64, Fault> {
        let field = self.field(start, length);
        let wrong = Fault::Number { field: name };
        match field.split_first() {
            Some((first, rest)) if first & 0x80 != 0 => {
                // The second bit is the sign.
                if first & 0x40 != 0 {
                    return Err(wrong);
                }
                let mut value = u64::from(first & 0x3f);
                for byte in rest {
                    if value >> 56 != 0 {
                        return Err(wrong);
                    }
                    value = value << 8 | u64::from(*byte);
                }
                Ok(value)
            }
            _ => octal(field).ok_or(wrong),
        }
    }
}

/// Octal digits between spaces and NULs; nothing at all is 0.
fn octal(field: &[u8]) -> Option<u64> {
    let trimmed = field.trim_ascii_start();
    let digits = until_nul(trimmed).trim_ascii();
    digits.iter().try_fold(0u64, |value, digit| {
        matches!(digit, b'0'..=b'7').then(|| value << 3 | u64::from(digit - b'0'))
    })
}

/// The bytes before the first NUL.
pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}
