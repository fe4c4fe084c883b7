//! The alphabet of kernel releases.

use crate::pattern::charset::CharSet;

/// The most bytes a kernel release has: `uname` gives 65 with the final zero.
pub(super) const MAX_LENGTH: usize = 64;

/// Printable ASCII but the blank and `/`, as bits.
pub(super) const ALPHABET: u128 = ((1 << 0x7F) - (1 << 0x21)) & !(1 << b'/');

/// What `\w` holds, as bits.
pub(super) const WORD: u128 = bits(b'0', b'9') | bits(b'A', b'Z') | bits(b'a', b'z') | 1 << b'_';

/// What kernel releases mostly look like; examples come from here where they can.
pub(super) const SHAPE: &str =
    r"^[1-9][0-9]?\.[0-9]{1,3}\.[0-9]{1,3}(?:[-.+_~][0-9A-Za-z._+~-]*[0-9A-Za-z])?$";

const fn bits(from: u8, to: u8) -> u128 {
    (1 << (to + 1)) - (1 << from)
}

/// Characters in the order in which examples take them.
const PREFERENCE: &[u8] = b"0561234789.-abcdefghijklmnopqrstuvwxyz_+~ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The alphabet cut into classes that no pattern at hand tells apart.
#[derive(Debug)]
pub(super) struct Symbols {
    /// One byte for each class, the most believable one.
    pub(super) bytes: Vec<u8>,
}

impl Symbols {
    pub(super) fn new(sets: impl Iterator<Item = u128>) -> Symbols {
        let mut classes = vec![WORD, ALPHABET & !WORD];
        for set in sets {
            for at in 0..classes.len() {
                let (inside, outside) = (classes[at] & set, classes[at] & !set);
                if inside != 0 && outside != 0 {
                    classes[at] = inside;
                    classes.push(outside);
                }
            }
        }
        let mut bytes: Vec<(usize, u8)> = classes.iter().map(|&class| most_believable(class)).collect();
        bytes.sort_unstable();
        Symbols {
            bytes: bytes.into_iter().map(|(_, byte)| byte).collect(),
        }
    }
}

fn most_believable(class: u128) -> (usize, u8) {
    let known = PREFERENCE.iter().position(|&byte| class >> byte & 1 == 1);
    match known {
        Some(rank) => (rank, PREFERENCE[rank]),
        None => {
            let byte = class.trailing_zeros() as u8;
            (PREFERENCE.len() + usize::from(byte), byte)
        }
    }
}

/// Where a character stands, as far as assertions can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Side {
    /// The start of the text when looked at backwards, its end when looked at forwards.
    Edge,
    Newline,
    Word,
    Other,
}

impl Side {
    pub(super) const ALL: [Side; 4] = [Side::Edge, Side::Newline, Side::Word, Side::Other];
    pub(super) const CHARACTERS: [Side; 3] = [Side::Newline, Side::Word, Side::Other];

    pub(super) fn of(c: char) -> Side {
        match c {
            '\n' => Side::Newline,
            '_' => Side::Word,
            c if c.is_ascii_alphanumeric() => Side::Word,
            _ => Side::Other,
        }
    }

    /// All characters that stand so.
    pub(super) fn set(self) -> CharSet {
        let word = CharSet::from_ranges(vec![(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]);
        match self {
            Side::Edge => CharSet::default(),
            Side::Newline => CharSet::single(0xA),
            Side::Word => word,
            Side::Other => word.union(&CharSet::single(0xA)).negated(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet() {
        let has = |byte: u8| ALPHABET >> byte & 1 == 1;
        for byte in 0..=127 {
            assert_eq!(has(byte), byte.is_ascii_graphic() && byte != b'/', "{byte}");
            assert_eq!(
                WORD >> byte & 1 == 1,
                byte.is_ascii_alphanumeric() || byte == b'_',
                "{byte}"
            );
        }
    }

    #[test]
    fn symbols_part_the_alphabet() {
        let symbols = Symbols::new([1 << b'7', bits(b'0', b'9')].into_iter());
        assert_eq!(symbols.bytes, b"07.a");
    }
}
