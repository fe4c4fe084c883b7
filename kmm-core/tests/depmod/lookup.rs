//! Reads a binary index back, the way `modprobe` goes through it.

use std::collections::BTreeMap;

/// Every key with its values in their order.
pub(crate) fn entries(bytes: &[u8]) -> BTreeMap<Vec<u8>, Vec<(u32, Vec<u8>)>> {
    assert_eq!(word(bytes, 0), 0xb007_f457);
    assert_eq!(word(bytes, 4), 0x0002_0001);
    let mut found = BTreeMap::new();
    let mut open = vec![(word(bytes, 8), Vec::new())];
    while let Some((offset, mut key)) = open.pop() {
        let mut at = (offset & 0x0fff_ffff) as usize;
        if offset & 0x8000_0000 != 0 {
            key.extend(string(bytes, &mut at));
        }
        if offset & 0x2000_0000 != 0 {
            let (first, last) = (bytes[at], bytes[at + 1]);
            at += 2;
            for byte in first..=last {
                let child = word(bytes, at);
                at += 4;
                if child != 0 {
                    open.push((child, [key.as_slice(), &[byte]].concat()));
                }
            }
        }
        if offset & 0x4000_0000 != 0 {
            let count = word(bytes, at);
            at += 4;
            let values = (0..count).map(|_| {
                let priority = word(bytes, at);
                at += 4;
                (priority, string(bytes, &mut at).to_vec())
            });
            let values = values.collect();
            assert_eq!(found.insert(key, values), None);
        }
    }
    found
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn string<'a>(bytes: &'a [u8], at: &mut usize) -> &'a [u8] {
    let length = bytes[*at..].iter().position(|byte| *byte == 0).unwrap();
    let found = &bytes[*at..*at + length];
    *at += length + 1;
    found
}
