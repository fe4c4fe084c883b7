//! Calls of `depmod`.

use std::ops::Range;

use super::Depmod;
use super::Word;
use super::read::part;

/// What a command says to `depmod`, where it is one; `source` takes ranges of words to ranges of the Dockerfile.
pub(super) fn depmod(
    command: &[(String, Range<usize>)],
    instruction: usize,
    source: impl Fn(&Range<usize>) -> Range<usize>,
) -> Option<Depmod> {
    let (program, first) = command.first()?;
    if program.rsplit('/').next() != Some("depmod") {
        return None;
    }
    let last = command.last().map_or(first, |(_, at)| at);
    let mut found = Depmod {
        base: None,
        version: None,
        span: source(first).start..source(last).end,
        instruction,
    };
    let mut rest = command[1..].iter();
    while let Some((word, at)) = rest.next() {
        let tail = |skip: usize| Word {
            text: word[skip..].to_owned(),
            span: source(&part(word, at, skip..word.len())),
        };
        if let Some(option) = word.strip_prefix("--") {
            match option.split_once('=') {
                Some(("basedir", _)) => found.base = Some(tail("--basedir=".len())),
                Some(_) => {}
                None if option == "basedir" => {
                    found.base = rest.next().map(|(text, at)| place(text, at, &source));
                }
                None if matches!(
                    option,
                    "config" | "filesyms" | "symvers" | "symbol-prefix" | "outdir" | "moduledir"
                ) =>
                {
                    rest.next();
                }
                None => {}
            }
        } else if let Some(cluster) = word.strip_prefix('-').filter(|cluster| !cluster.is_empty()) {
            let Some(takes) = cluster.find(['b', 'C', 'F', 'E', 'P', 'o', 'm']) else {
                continue;
            };
            let attached = takes + 2;
            let base = cluster[takes..].starts_with('b');
            let value = if attached < word.len() && word.is_char_boundary(attached) {
                Some(tail(attached))
            } else {
                rest.next().map(|(text, at)| place(text, at, &source))
            };
            if base {
                found.base = value;
            }
        } else if matches!(word.as_str(), ">" | ">>" | "2>" | "<") {
            rest.next();
        } else if found.version.is_none() && !word.contains(['>', '<']) {
            found.version = Some(place(word, at, &source));
        }
    }
    Some(found)
}

fn place(text: &str, at: &Range<usize>, source: &impl Fn(&Range<usize>) -> Range<usize>) -> Word {
    Word {
        text: text.to_owned(),
        span: source(at),
    }
}
