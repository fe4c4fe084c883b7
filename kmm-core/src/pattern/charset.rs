//! Sets of code points.

use super::unicode;

/// The largest code point.
pub(super) const MAX: u32 = 0x10_FFFF;

/// A set of code points as sorted ranges with gaps between them.
///
/// Surrogates may be members, as they may be in Go: no text holds them, but limits count them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct CharSet {
    ranges: Vec<(u32, u32)>,
}

impl CharSet {
    /// The set of all members of `ranges`, which may overlap and come in any order.
    pub(super) fn from_ranges(mut ranges: Vec<(u32, u32)>) -> CharSet {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (lo, hi) in ranges {
            match merged.last_mut() {
                Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
                _ => merged.push((lo, hi)),
            }
        }
        CharSet { ranges: merged }
    }

    pub(super) fn single(c: u32) -> CharSet {
        CharSet { ranges: vec![(c, c)] }
    }

    /// `c` and everything it folds to.
    pub(super) fn folded_single(c: u32) -> CharSet {
        CharSet::single(c).folded()
    }

    /// What `.` matches: everything, or everything but a newline.
    pub(super) fn dot(newline: bool) -> CharSet {
        if newline {
            CharSet {
                ranges: vec![(0, MAX)],
            }
        } else {
            CharSet {
                ranges: vec![(0, 0x9), (0xB, MAX)],
            }
        }
    }

    pub(super) fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub(super) fn contains(&self, c: u32) -> bool {
        let at = self.ranges.partition_point(|&(_, hi)| hi < c);
        self.ranges.get(at).is_some_and(|&(lo, _)| lo <= c)
    }

    pub(super) fn negated(&self) -> CharSet {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = 0;
        for &(lo, hi) in &self.ranges {
            if next < lo {
                ranges.push((next, lo - 1));
            }
            next = hi + 1;
        }
        if next <= MAX {
            ranges.push((next, MAX));
        }
        CharSet { ranges }
    }

    pub(super) fn union(&self, other: &CharSet) -> CharSet {
        let mut ranges = self.ranges.clone();
        ranges.extend_from_slice(&other.ranges);
        CharSet::from_ranges(ranges)
    }

    pub(super) fn intersection(&self, other: &CharSet) -> CharSet {
        let mut ranges = Vec::new();
        let (mut left, mut right) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        while let (Some(&&(a, b)), Some(&&(c, d))) = (left.peek(), right.peek()) {
            if a.max(c) <= b.min(d) {
                ranges.push((a.max(c), b.min(d)));
            }
            if b < d {
                left.next();
            } else {
                right.next();
            }
        }
        CharSet { ranges }
    }

    /// The set closed under simple case folding.
    pub(super) fn folded(&self) -> CharSet {
        let mut ranges = self.ranges.clone();
        for &(lo, hi) in &self.ranges {
            unicode::for_each_folding(lo, hi, |c| {
                for other in unicode::orbit(c) {
                    ranges.push((other, other));
                }
            });
        }
        CharSet::from_ranges(ranges)
    }

    /// The members that are scalar values, as characters.
    pub(super) fn char_ranges(&self) -> impl Iterator<Item = (char, char)> + '_ {
        const BELOW: u32 = 0xD7FF;
        const ABOVE: u32 = 0xE000;
        self.ranges.iter().flat_map(|&(lo, hi)| {
            let parts = [(lo, hi.min(BELOW)), (lo.max(ABOVE), hi)];
            parts.into_iter().filter_map(|(lo, hi)| {
                if lo > hi {
                    return None;
                }
                Some((char::from_u32(lo)?, char::from_u32(hi)?))
            })
        })
    }

    /// The members below 128, as bits.
    pub(super) fn ascii(&self) -> u128 {
        let mut bits = 0u128;
        for &(lo, hi) in &self.ranges {
            if lo > 127 {
                break;
            }
            for c in lo..=hi.min(127) {
                bits |= 1 << c;
            }
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_algebra() {
        let set = CharSet::from_ranges(vec![(5, 9), (0, 2), (3, 3), (8, 12)]);
        assert_eq!(set.ranges(), [(0, 3), (5, 12)]);
        assert_eq!(set.negated().ranges(), [(4, 4), (13, MAX)]);
        assert_eq!(set.negated().negated(), set);
        assert_eq!(
            set.intersection(&CharSet::from_ranges(vec![(2, 6), (12, 40)]))
                .ranges(),
            [(2, 3), (5, 6), (12, 12)]
        );
        assert!(set.contains(5) && !set.contains(4) && !set.contains(13));
        assert!(CharSet::default().negated().contains(MAX));
    }

    #[test]
    fn folding_follows_orbits() {
        let k = CharSet::folded_single('k' as u32);
        assert_eq!(k.ranges(), [(0x4B, 0x4B), (0x6B, 0x6B), (0x212A, 0x212A)]);
        assert_eq!(CharSet::folded_single(0x212A), k);
        assert_eq!(CharSet::folded_single('5' as u32).ranges(), [(0x35, 0x35)]);
    }

    #[test]
    fn characters_leave_out_surrogates() {
        let set = CharSet::from_ranges(vec![(0xD000, 0xE001)]);
        assert_eq!(
            set.char_ranges().collect::<Vec<_>>(),
            [('\u{D000}', '\u{D7FF}'), ('\u{E000}', '\u{E001}')]
        );
        assert_eq!(
            CharSet::from_ranges(vec![(0xD800, 0xDFFF)]).char_ranges().count(),
            0
        );
    }
}
