//! Names that are hashed once, when they are read: in parallel, where the rest looks them up one after the other.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::hash::BuildHasherDefault;
use std::hash::Hash;
use std::hash::Hasher;
use std::hash::RandomState;
use std::sync::LazyLock;

/// Names from files may be chosen to collide: the key of the hash is another one in every process.
static KEYED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// A name with its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hashed<'a> {
    hash: u32,
    pub(crate) name: &'a [u8],
}

/// A map by hashed names.
pub(crate) type ByName<'a, T> = HashMap<Hashed<'a>, T, BuildHasherDefault<Known>>;

impl<'a> Hashed<'a> {
    pub(crate) fn new(name: &'a [u8]) -> Self {
        let mut hasher = KEYED.build_hasher();
        hasher.write(name);
        Self::known(name, hasher.finish() as u32)
    }

    /// A name whose hash was kept.
    pub(crate) fn known(name: &'a [u8], hash: u32) -> Self {
        Self { hash, name }
    }

    pub(crate) fn hash(&self) -> u32 {
        self.hash
    }
}

impl Hash for Hashed<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u32(self.hash);
    }
}

/// Passes a hash on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known(u64);

impl Hasher for Known {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u32(&mut self, hash: u32) {
        // The map takes the place from the lowest bits and seven more from the highest.
        self.0 = u64::from(hash) << 32 | u64::from(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_hash_finds_what_the_name_finds() {
        let mut map: ByName<'_, usize> = ByName::default();
        let names: Vec<String> = (0..1000).map(|number| format!("symbol_{number}")).collect();
        for (number, name) in names.iter().enumerate() {
            map.insert(Hashed::new(name.as_bytes()), number);
        }
        for (number, name) in names.iter().enumerate() {
            let kept = Hashed::new(name.as_bytes()).hash();
            assert_eq!(map.get(&Hashed::known(name.as_bytes(), kept)), Some(&number));
        }
        assert_eq!(map.get(&Hashed::new(b"symbol_1000")), None);
    }
}
