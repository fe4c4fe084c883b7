//! Regexps: refused with the same words, found at the same places.

use anyhow::Result;
use fastrand::Rng;
use kmm_core::pattern::ErrorKind;
use kmm_core::pattern::Pattern;

use super::mutated;
use super::text_of;
use crate::oracle::Oracle;
use crate::oracle::Question;

const PIECES: &[&str] = &[
    "a",
    "b",
    "k",
    "K",
    "0",
    "5",
    "14",
    ".",
    "\\.",
    "-",
    "_",
    "é",
    "日",
    "*",
    "+",
    "?",
    "**",
    "{2}",
    "{2,}",
    "{,3}",
    "{1001}",
    "{0,2}?",
    "|",
    "(",
    ")",
    "(?:",
    "(?i)",
    "(?i:",
    "(?P<n>",
    "(?<n>",
    "(?s-m:",
    "(?U)",
    "(?)",
    "[",
    "]",
    "[^",
    "[a-z]",
    "[[:alpha:]]",
    "[[:^digit:]",
    "[0-9]+",
    "[a&&b]",
    "[\\d-z]",
    "\\d",
    "\\D",
    "\\w",
    "\\s",
    "\\b",
    "\\B",
    "\\A",
    "\\z",
    "\\Z",
    "^",
    "$",
    "(?m)",
    "\\Q",
    "\\E",
    "\\pN",
    "\\p{Greek}",
    "\\p{^Lu}",
    "\\PL",
    "\\p{Foo}",
    "\\x2e",
    "\\x{1f600}",
    "\\x{}",
    "\\07",
    "\\123",
    "\\8",
    "\\f",
    "\\n",
    "\\C",
    "\\_",
    "\\<",
    "{",
    "}",
    " ",
    "\n",
    "el9",
    "x86_64",
    "^5\\.14",
    ".+",
    ".*$",
];

const KERNELS: &[&str] = &[
    "5.14.0-570.12.1.el9_6.x86_64",
    "6.1.0-37-amd64",
    "6.8.0-60-generic",
    "6.12.30",
    "k",
    "K\u{212a}",
    "é\n日",
    "",
];

pub(super) fn compare(random: &mut Rng, oracle: &mut Oracle) -> Result<Option<String>> {
    let regexp = text_of(random, PIECES, 8);
    let regexp = if random.bool() {
        regexp
    } else {
        mutated(random, &regexp, PIECES)
    };
    let own = text_of(random, PIECES, 5);
    let known = KERNELS[random.usize(..KERNELS.len())];
    let near = mutated(random, known, PIECES);
    let texts = vec![known, near.as_str(), own.as_str()];
    let answer = oracle.ask(&Question {
        op: "regexp",
        text: &regexp,
        args: texts.clone(),
    })?;
    let pattern = match (Pattern::parse(&regexp), answer.error) {
        (Err(ours), _) if ours.kind() == ErrorKind::EngineLimit => return Ok(None),
        (Err(ours), Some(theirs)) if ours.to_string() == theirs => return Ok(None),
        (Err(ours), theirs) => return Ok(Some(format!("{regexp:?}: ours says {ours}, Go {theirs:?}"))),
        (Ok(_), Some(theirs)) => return Ok(Some(format!("{regexp:?}: ours takes it, Go says {theirs}"))),
        (Ok(pattern), None) => pattern,
    };
    let theirs: Vec<Option<(usize, usize)>> = serde_json::from_value(answer.value)?;
    for (text, theirs) in texts.into_iter().zip(theirs) {
        let ours = pattern.find(text).map(|range| (range.start, range.end));
        if ours != theirs {
            return Ok(Some(format!(
                "{regexp:?} in {text:?}: ours finds {ours:?}, Go {theirs:?}"
            )));
        }
    }
    Ok(None)
}
