//! As much of DER as the signer of a module needs: elements one after the other, definite lengths only.

/// Goes over the elements of a constructed value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Der<'a> {
    rest: &'a [u8],
}

/// One element: its tag byte and its contents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) contents: &'a [u8],
}

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BITS: u8 = 0x03;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0]`, with elements inside.
pub(crate) const CONTEXT_0: u8 = 0xa0;
/// `[1]`, with elements inside.
pub(crate) const CONTEXT_1: u8 = 0xa1;
/// `[3]`, with elements inside.
pub(crate) const CONTEXT_3: u8 = 0xa3;
/// `[0]`, with bytes inside.
pub(crate) const CONTEXT_0_BYTES: u8 = 0x80;

impl<'a> Der<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The tag of the next element.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element; the error says what is wrong with it.
    pub(crate) fn next(&mut self) -> Result<Element<'a>, String> {
        let [tag, length, ..] = self.rest else {
            return Err("an element is missing".to_owned());
        };
        if tag & 0x1f == 0x1f {
            return Err(format!(
                "tag `{tag:#x}` goes over several bytes, which nothing here does"
            ));
        }
        let (size, header) = match *length {
            short @ 0..0x80 => (usize::from(short), 2),
            0x80 => return Err("a length is not given; DER asks for it".to_owned()),
            long => {
                let count = usize::from(long & 0x7f);
                let digits = self.rest.get(2..2 + count).filter(|_| count <= 4);
                let digits = digits.ok_or("a length of an element is cut off or has more than 4 bytes")?;
                (
                    digits
                        .iter()
                        .fold(0, |size, byte| (size << 8) | usize::from(*byte)),
                    2 + count,
                )
            }
        };
        let tag = *tag;
        let available = self.rest.len() - header;
        let contents = header
            .checked_add(size)
            .and_then(|end| self.rest.get(header..end));
        let contents = contents.ok_or_else(|| {
            format!("an element of {size} bytes (tag {tag:#x}) is cut off after {available}")
        })?;
        self.rest = self.rest.get(header + size..).unwrap_or_default();
        Ok(Element { tag, contents })
    }

    /// The next element with its tag and length.
    pub(crate) fn whole(&mut self) -> Result<&'a [u8], String> {
        let before = self.rest;
        self.next()?;
        Ok(before.get(..before.len() - self.rest.len()).unwrap_or_default())
    }

    /// The contents of the next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8, what: &str) -> Result<&'a [u8], String> {
        let element = self.next().map_err(|reason| format!("{what}: {reason}"))?;
        if element.tag != tag {
            return Err(format!("{what}: tag `{:#x}`, it has {tag:#x}", element.tag));
        }
        Ok(element.contents)
    }

    /// Leaves out the next element if it has this tag.
    pub(crate) fn skip(&mut self, tag: u8) -> Result<(), String> {
        if self.peek() == Some(tag) {
            self.next()?;
        }
        Ok(())
    }
}

/// Bytes of an object identifier that are shown.
const LONGEST_OID: usize = 64;

/// An object identifier in dotted form. Of one that is longer than any in use, the length.
pub(crate) fn dotted(oid: &[u8]) -> String {
    if oid.len() > LONGEST_OID {
        return format!("an object identifier of {} bytes", oid.len());
    }
    let mut parts: Vec<u64> = Vec::new();
    let mut value: u64 = 0;
    for byte in oid {
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if parts.is_empty() {
                let first = (value / 40).min(2);
                parts.push(first);
                value -= first * 40;
            }
            parts.push(value);
            value = 0;
        }
    }
    parts.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
}
