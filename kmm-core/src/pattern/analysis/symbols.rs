//! The characters that examples are made of.

use crate::pattern::kernel::{ALPHABET, WORD};

/// What kernel releases mostly look like; examples come from here where they can.
pub(super) const SHAPE: &str =
    r"^[1-9][0-9]?\.[0-9]{1,3}\.[0-9]{1,3}(?:[-.+_~][0-9A-Za-z._+~-]*[0-9A-Za-z])?$";

/// Characters in the order in which examples take them.
const PREFERENCE: &[u8] = b"0561234789-.abcdefghijklmnopqrstuvwxyz_+~ABCDEFGHIJKLMNOPQRSTUVWXYZ";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_part_the_alphabet() {
        let symbols = Symbols::new([1 << b'7', 0x3FF << b'0'].into_iter());
        assert_eq!(symbols.bytes, b"07-a");
    }
}
