//! Pax headers: records of `LENGTH KEY=VALUE\n`.

use crate::tar::Fault;

/// What a pax header says that is used here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// The real name of a sparse file.
    pub(super) sparse_name: Option<Vec<u8>>,
    /// The real size of a sparse file.
    pub(super) sparse_size: Option<u64>,
    pub(super) sparse: bool,
}

impl Pax {
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, Fault> {
        let mut pax = Self::default();
        while !bytes.is_empty() {
            let (record, rest) = record(bytes).ok_or(Fault::Pax)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or(Fault::Pax)?;
            let (key, value) = record.split_at(equals);
            pax.take(key, value.get(1..).unwrap_or_default())?;
            bytes = rest;
        }
        Ok(pax)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        // A record without a value takes back what an earlier one said.
        let text = (!value.is_empty()).then(|| value.to_vec());
        match key {
            b"path" => self.path = text,
            b"linkpath" => self.link = text,
            b"size" => self.size = number(value, "pax size")?,
            b"GNU.sparse.name" => self.sparse_name = text,
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => {
                self.sparse_size = number(value, "pax size of a sparse file")?;
            }
            _ => {}
        }
        self.sparse |= key.starts_with(b"GNU.sparse.");
        Ok(())
    }
}

/// The first record, without its length and line end, and what follows.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    // The length of a header that is bounded has few digits.
    let space = bytes.iter().take(12).position(|byte| *byte == b' ')?;
    let length = decimal(bytes.get(..space)?)?;
    let length = usize::try_from(length).ok()?;
    let record = bytes.get(space + 1..length)?;
    Some((record.strip_suffix(b"\n")?, bytes.get(length..)?))
}

fn number(value: &[u8], field: &'static str) -> Result<Option<u64>, Fault> {
    if value.is_empty() {
        return Ok(None);
    }
    decimal(value).map(Some).ok_or(Fault::Number { field })
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_and_the_last_one_counts() {
        let pax = Pax::parse(b"20 path=long=\xffname\n\n").unwrap();
        assert_eq!(pax.path.as_deref(), Some(b"long=\xffname\n".as_slice()));
        let pax = Pax::parse(b"9 path=a\n19 path=long=\xffname\n12 size=123\n").unwrap();
        assert_eq!(pax.path.as_deref(), Some(b"long=\xffname".as_slice()));
        assert_eq!(pax.size, Some(123));
        assert!(!pax.sparse);
    }

    #[test]
    fn what_is_no_record() {
        for bytes in [
            b"path=a\n".as_slice(),
            b"9 path=ab\n",
            b"0 path=a\n",
            b"1 \n",
            b"-9 path=a\n",
            b"99999999999999999999999 path=a\n",
            b"9 path:a\n",
            b"20 path=a\n",
            b"10 size=a\n\n",
            b"31 size=99999999999999999999999\n",
        ] {
            assert!(Pax::parse(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
