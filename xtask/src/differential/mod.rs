//! Random inputs, asked of Go and of ours: the answers have to be the same.

mod names;
mod paths;
mod regexp;
mod template;
mod yaml;

use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use fastrand::Rng;

use crate::oracle;
use crate::oracle::Oracle;

/// One comparison: makes one random input, asks both sides, and says how they differ.
type Compare = fn(&mut Rng, &mut Oracle) -> Result<Option<String>>;

const KINDS: &[(&str, Compare)] = &[
    ("regexps", regexp::compare),
    ("templates", template::compare),
    ("YAML values", yaml::compare),
    ("names", names::compare),
    ("paths and quotes", paths::compare),
];

/// Differences of one kind that are printed before the run gives up.
const MOST_SHOWN: usize = 10;

/// `cargo xtask differential [N [SEED]]`.
pub(crate) fn command(words: &[&str]) -> Result<()> {
    let inputs = words
        .first()
        .map_or(Ok(100_000), |word| word.parse())
        .context("N is a number of inputs")?;
    let seed = words
        .get(1)
        .map_or(Ok(fastrand::u64(..)), |word| word.parse())
        .context("SEED is a number")?;
    run(&oracle::build()?, inputs, seed)
}

/// Compares `inputs` random inputs of each kind.
///
/// # Errors
///
/// When an answer differs, or Go gives none.
pub(crate) fn run(go: &Path, inputs: usize, seed: u64) -> Result<()> {
    println!("seed {seed}: `cargo xtask differential {inputs} {seed}` repeats this");
    let mut differing = 0;
    for (name, compare) in KINDS {
        let mut random = Rng::with_seed(seed);
        let mut oracle = Oracle::start(go)?;
        let mut shown = 0;
        for _ in 0..inputs {
            if let Some(difference) = compare(&mut random, &mut oracle)? {
                println!("{name}: {difference}");
                shown += 1;
                if shown == MOST_SHOWN {
                    break;
                }
            }
        }
        println!("{inputs} {name}: {shown} differ");
        differing += shown;
    }
    if differing > 0 {
        bail!("{differing} answers differ from Go's");
    }
    Ok(())
}

/// A text of `pieces`, at most `most` of them.
fn text_of(random: &mut Rng, pieces: &[&str], most: usize) -> String {
    (0..random.usize(..=most))
        .map(|_| pieces[random.usize(..pieces.len())])
        .collect()
}

/// A text with one change: a character taken out, doubled or replaced.
fn mutated(random: &mut Rng, text: &str, pieces: &[&str]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    if chars.is_empty() {
        return text_of(random, pieces, 3);
    }
    let at = random.usize(..chars.len());
    match random.u8(..4) {
        0 => {
            chars.remove(at);
        }
        1 => chars.insert(at, chars[at]),
        _ => {
            let piece = pieces[random.usize(..pieces.len())];
            chars.splice(at..=at, piece.chars());
        }
    }
    chars.into_iter().collect()
}
