//! The order in which kmod's hash tables give their entries: that of `modules.symbols`, and of all files where there
//! is no `modules.order`.

/// Buckets of the table of modules.
pub(crate) const MODULES: u32 = 512;
/// Buckets of the table of symbols.
pub(crate) const SYMBOLS: u32 = 2048;

/// Sorts by bucket, and by name inside of a bucket.
pub(crate) fn sort<T>(entries: Vec<T>, buckets: u32, name: impl Fn(&T) -> &[u8]) -> Vec<T> {
    let hashed = entries.into_iter().map(|entry| {
        let bucket = superfast(name(&entry)) & (buckets - 1);
        (bucket, entry)
    });
    let mut hashed: Vec<(u32, T)> = hashed.collect();
    hashed.sort_by(|(a, first), (b, second)| a.cmp(b).then_with(|| name(first).cmp(name(second))));
    hashed.into_iter().map(|(_, entry)| entry).collect()
}

/// Paul Hsieh's SuperFastHash with signed characters, as kmod has it on little-endian machines with signed `char`.
fn superfast(key: &[u8]) -> u32 {
    let pair = |bytes: &[u8]| match bytes {
        [low, high, ..] => u32::from(u16::from_le_bytes([*low, *high])),
        _ => 0,
    };
    let signed = |byte: u8| i32::from(byte.cast_signed()).cast_unsigned();
    let mut hash = key.len() as u32;
    let mut chunks = key.chunks_exact(4);
    for chunk in &mut chunks {
        hash = hash.wrapping_add(pair(chunk));
        let mixed = (pair(chunk.get(2..).unwrap_or_default()) << 11) ^ hash;
        hash = (hash << 16) ^ mixed;
        hash = hash.wrapping_add(hash >> 11);
    }
    match chunks.remainder() {
        rest @ [_, _, last] => {
            hash = hash.wrapping_add(pair(rest));
            hash ^= hash << 16;
            hash ^= signed(*last) << 18;
            hash = hash.wrapping_add(hash >> 11);
        }
        rest @ [_, _] => {
            hash = hash.wrapping_add(pair(rest));
            hash ^= hash << 11;
            hash = hash.wrapping_add(hash >> 17);
        }
        [last] => {
            hash = hash.wrapping_add(signed(*last));
            hash ^= hash << 10;
            hash = hash.wrapping_add(hash >> 1);
        }
        _ => {}
    }
    hash ^= hash << 3;
    hash = hash.wrapping_add(hash >> 5);
    hash ^= hash << 4;
    hash = hash.wrapping_add(hash >> 17);
    hash ^= hash << 25;
    hash.wrapping_add(hash >> 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_of_rest_is_mixed_in() {
        let hashes: Vec<u32> = [&b"a"[..], b"ab", b"abc", b"abcd", b"abcde", b"\xff"]
            .iter()
            .map(|key| superfast(key))
            .collect();
        let mut unique = hashes.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), hashes.len());
    }
}
