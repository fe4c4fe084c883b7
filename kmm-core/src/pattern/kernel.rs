//! The alphabet of kernel releases.

/// The most bytes a kernel release has: `uname` gives 65 with the final zero.
pub(super) const MAX_LENGTH: usize = 64;

/// Printable ASCII but the blank and `/`, as bits.
pub(super) const ALPHABET: u128 = ((1 << 0x7F) - (1 << 0x21)) & !(1 << b'/');

/// What `\w` holds, as bits.
pub(super) const WORD: u128 = bits(b'0', b'9') | bits(b'A', b'Z') | bits(b'a', b'z') | 1 << b'_';

const fn bits(from: u8, to: u8) -> u128 {
    (1 << (to + 1)) - (1 << from)
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
}
