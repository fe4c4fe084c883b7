//! Naive second opinions on matching and analysis, for tests.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::syntax::{Kind, Look, NodeId};
use super::{Covered, Matcher, Miss, Pattern, Witness, covers};

/// Where matches end that start at `at`, found by trying everything.
fn ends(pattern: &Pattern, id: NodeId, text: &[char], at: usize) -> BTreeSet<usize> {
    let ast = pattern.ast();
    let word = |at: Option<&char>| at.is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_');
    let before = at.checked_sub(1).and_then(|at| text.get(at));
    let after = text.get(at);
    let here = |holds: bool| {
        if holds {
            BTreeSet::from([at])
        } else {
            BTreeSet::new()
        }
    };
    match ast.kind(id) {
        Kind::Empty => here(true),
        Kind::Look(look) => here(match look {
            Look::TextStart => before.is_none(),
            Look::TextEnd => after.is_none(),
            Look::LineStart => before.is_none_or(|&c| c == '\n'),
            Look::LineEnd => after.is_none_or(|&c| c == '\n'),
            Look::Word => word(before) != word(after),
            Look::NotWord => word(before) == word(after),
        }),
        Kind::Literal { .. } | Kind::Dot { .. } | Kind::Class(_) => {
            let set = ast.node(id).char_set().unwrap();
            if after.is_some_and(|&c| set.contains(c as u32)) {
                BTreeSet::from([at + 1])
            } else {
                BTreeSet::new()
            }
        }
        Kind::Concat(subs) => subs
            .iter()
            .fold(BTreeSet::from([at]), |from, &sub| step(pattern, sub, text, &from)),
        Kind::Alternate(subs) => subs
            .iter()
            .flat_map(|&sub| ends(pattern, sub, text, at))
            .collect(),
        Kind::Repeat { sub, min, max, .. } => {
            let mut from = BTreeSet::from([at]);
            for _ in 0..*min {
                from = step(pattern, *sub, text, &from);
            }
            let mut all = from.clone();
            for _ in *min..max.unwrap_or(*min + text.len() as u32 + 1) {
                from = step(pattern, *sub, text, &from);
                all.extend(&from);
            }
            all
        }
    }
}

fn step(pattern: &Pattern, id: NodeId, text: &[char], from: &BTreeSet<usize>) -> BTreeSet<usize> {
    from.iter().flat_map(|&at| ends(pattern, id, text, at)).collect()
}

fn matches(pattern: &Pattern, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    (0..=text.len()).any(|start| !ends(pattern, pattern.ast().root, &text, start).is_empty())
}

/// All texts of at most `length` characters of `alphabet`.
fn texts(alphabet: &[char], length: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = 0;
    for _ in 0..length {
        let end = all.len();
        for at in last..end {
            all.extend(
                alphabet
                    .iter()
                    .map(|c| format!("{}{c}", all[at]))
                    .collect::<Vec<_>>(),
            );
        }
        last = end;
    }
    all
}

fn leaf() -> impl Strategy<Value = String> {
    const LEAVES: &[&str] = &[
        "a", "5", "-", ".", "[a5]", "[^a]", r"\d", r"\W", "^", "$", r"\b", r"\B", "(?m:^)", "(?m:$)", r"\z",
        "",
    ];
    proptest::sample::select(LEAVES).prop_map(str::to_owned)
}

fn pattern_of(depth: u32, size: u32, quantifiers: &'static [&'static str]) -> impl Strategy<Value = Pattern> {
    let source = leaf().prop_recursive(depth, size, 3, move |inner| {
        prop_oneof![
            3 => (inner.clone(), inner.clone()).prop_map(|(a, b)| a + &b),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(?:{a}|{b})")),
            1 => (inner, proptest::sample::select(quantifiers)).prop_map(|(a, q)| format!("(?:{a}){q}")),
        ]
    });
    source.prop_filter_map("counts multiply to more than 1,000", |source| {
        Pattern::parse(&source).ok()
    })
}

fn pattern() -> impl Strategy<Value = Pattern> {
    pattern_of(4, 12, &["*", "+", "?", "*?", "{2}", "{0,2}", "{3,}", "{1,70}"])
}

fn believable(kernel: &str) -> bool {
    (1..=64).contains(&kernel.len()) && kernel.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn matching(pattern in pattern(), text in "[a5\\-_\n é]{0,6}") {
        prop_assert_eq!(pattern.is_match(&text), matches(&pattern, &text));
        prop_assert_eq!(pattern.find(&text).is_some(), matches(&pattern, &text));
    }

    #[test]
    fn witnesses(pattern in pattern()) {
        match pattern.witness() {
            Witness::Some(kernel) => prop_assert!(believable(&kernel) && pattern.is_match(&kernel), "{}", kernel),
            Witness::Nothing(_) => {
                for text in texts(&['a', '5', '-'], 4).iter().skip(1) {
                    prop_assert!(!pattern.is_match(text), "{:?}", text);
                }
            }
            Witness::CannotTell => prop_assert!(false),
        }
    }

    #[test]
    fn covering(one in pattern(), two in pattern(), later in pattern(), literal in "[a5-]{1,3}") {
        let earlier = [Matcher::Pattern(&one), Matcher::Literal(&literal), Matcher::Pattern(&two)];
        let taken = |kernel: &str| earlier.iter().any(|matcher| matcher.is_match(kernel));
        match covers(&earlier, Matcher::Pattern(&later)) {
            Covered::No { witness } => {
                prop_assert!(believable(&witness) && later.is_match(&witness) && !taken(&witness), "{}", witness);
            }
            Covered::Yes => {
                for text in texts(&['a', '5', '-'], 4).iter().skip(1) {
                    prop_assert!(!later.is_match(text) || taken(text), "{:?}", text);
                }
            }
            Covered::CannotTell => prop_assert!(false),
        }
        let all = pattern_covers_all(&one);
        prop_assert_eq!(one.is_catch_all(), Some(all));
    }
}

fn pattern_covers_all(pattern: &Pattern) -> bool {
    let any = Pattern::parse("").unwrap();
    covers(&[Matcher::Pattern(pattern)], Matcher::Pattern(&any)) == Covered::Yes
}

/// How far from `start` some text can follow and make a match that takes all of it; with what follows.
fn continuations(
    pattern: &Pattern,
    kernel: &[char],
    tails: &[String],
) -> Option<(usize, usize, Vec<String>)> {
    let mut best: Option<(usize, usize, Vec<String>)> = None;
    for start in 0..=kernel.len() {
        for end in start..=kernel.len() {
            let fits = |tail: &&String| {
                let text: Vec<char> = kernel[..end].iter().copied().chain(tail.chars()).collect();
                ends(pattern, pattern.ast().root, &text, start)
                    .last()
                    .is_some_and(|&last| last >= end)
            };
            let longer = best.as_ref().is_none_or(|(from, to, _)| to - from < end - start);
            if longer {
                let fitting: Vec<String> = tails.iter().filter(fits).cloned().collect();
                if !fitting.is_empty() {
                    best = Some((start, end, fitting));
                }
            }
        }
    }
    best
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn near_misses(pattern in pattern_of(3, 4, &["*", "+", "?"]), kernel in "[a5-]{0,4}") {
        let chars: Vec<char> = kernel.chars().collect();
        match pattern.explain_miss(&kernel) {
            Miss::Matches(range) => prop_assert!(pattern.find(&kernel) == Some(range)),
            Miss::MatchesNothing(_) => prop_assert!(pattern.matches_nothing().is_some()),
            Miss::CannotTell => prop_assert!(false),
            Miss::Stopped(stop) => {
                let alphabet = ['a', '5', '-', '\n'];
                let best = continuations(&pattern, &chars, &texts(&alphabet, 4));
                let (start, end, tails) = best.unwrap_or((0, 0, Vec::new()));
                prop_assert_eq!((stop.matched.start, stop.matched.end), (start, end));
                prop_assert_eq!(stop.expected.allows_end(), tails.iter().any(String::is_empty));
                for c in alphabet {
                    prop_assert_eq!(stop.expected.allows(c), tails.iter().any(|tail| tail.starts_with(c)), "{:?}", c);
                }
            }
        }
    }

    #[test]
    fn nothing_panics(source in "\\PC{0,24}", more in "[\\[\\]()*+?{}|^$.\\\\:<>pPQExdbi0-9a-]{0,24}", kernel in "\\PC{0,12}") {
        for source in [&source, &more] {
            match Pattern::parse(source) {
                Err(error) => {
                    prop_assert!(source.get(error.span()).is_some());
                    prop_assert!(!error.to_string().is_empty());
                }
                Ok(pattern) => {
                    let miss = pattern.explain_miss(&kernel);
                    if let Miss::Stopped(stop) = &miss {
                        prop_assert!(kernel.get(stop.matched.clone()).is_some());
                        prop_assert!(!stop.expected.to_string().is_empty());
                    }
                    for span in pattern.version_dots().into_iter().chain(pattern.odd_escapes().into_iter().map(|e| e.span)) {
                        prop_assert!(source.get(span).is_some());
                    }
                    let _ = (pattern.plain_text(), pattern.is_catch_all(), pattern.witness());
                }
            }
            let escaped = Pattern::parse(&super::escape(source));
            prop_assert!(escaped.is_ok_and(|pattern| pattern.find(source) == Some(0..source.len())));
        }
    }
}
