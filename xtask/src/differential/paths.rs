//! Text as Go prints and cuts it: `filepath.Join` and `strconv.Quote`.

use anyhow::Result;
use fastrand::Rng;
use kmm_core::go_text;

use super::text_of;
use crate::oracle::Oracle;
use crate::oracle::Question;

const PIECES: &[&str] = &[
    "/", "..", ".", "a", "opt", "//", "../", "\"", "\\", "\n", "\u{7f}", "é", "\u{a0}", "😀", "\u{200b}",
];

pub(super) fn compare(random: &mut Rng, oracle: &mut Oracle) -> Result<Option<String>> {
    let (first, second) = (text_of(random, PIECES, 5), text_of(random, PIECES, 5));
    let joined = oracle
        .ask(&Question {
            op: "join",
            text: &first,
            args: vec![&second],
        })?
        .value;
    let ours = go_text::join_path(&[&first, &second]);
    if joined != ours.as_str() {
        return Ok(Some(format!(
            "join {first:?} {second:?}: ours {ours:?}, Go {joined}"
        )));
    }
    let any: String = (0..random.usize(..4)).map(|_| random.char(..)).collect();
    let text = first + &any;
    let quoted = oracle
        .ask(&Question {
            op: "quote",
            text: &text,
            args: Vec::new(),
        })?
        .value;
    let ours = go_text::quote(&text);
    Ok((quoted != ours.as_str()).then(|| format!("quote {text:?}: ours {ours}, Go {quoted}")))
}
