//! What mapping regexps do to kernel versions that exist.

use std::sync::LazyLock;

use crate::pattern::Covered;
use crate::pattern::Matcher;
use crate::pattern::Nothing;
use crate::pattern::Pattern;
use crate::pattern::Witness;
use crate::pattern::covers;

/// How distributions go on after `X.Y.Z`.
const TAILS: [&str; 9] = [
    "",
    "-427.13.1.el9_4.x86_64",
    "-553.el8_10.x86_64",
    "-300.fc39.x86_64",
    "-1021-aws",
    "-45-generic",
    "-150600.21-default",
    "-18-amd64",
    "-talos",
];

/// The series that exist, and the last minor version of each.
const SERIES: [(u32, u32); 5] = [(3, 19), (4, 20), (5, 19), (6, 19), (7, 9)];

/// About as far as the patch levels of long-term kernels go.
const LAST_PATCH: u32 = 250;

/// Kernel versions such as nodes report.
static KERNELS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut kernels = Vec::new();
    for (major, last) in SERIES {
        for minor in 0..=last {
            for patch in 0..=9 {
                for tail in TAILS {
                    kernels.push(format!("{major}.{minor}.{patch}{tail}"));
                }
            }
            // Stable kernels, as they come from kernel.org.
            for patch in 10..=LAST_PATCH {
                kernels.push(format!("{major}.{minor}.{patch}"));
            }
        }
    }
    kernels
});

/// The version that a regexp starts with: `^6\.1…`.
#[derive(Clone, Copy)]
pub(super) struct Version<'a> {
    pub(super) major: &'a str,
    pub(super) minor: &'a str,
    /// Where in the regexp the minor version ends.
    pub(super) end: usize,
}

/// The version that a regexp starts with, where it says one in digits.
pub(super) fn version(source: &str) -> Option<Version<'_>> {
    let start = usize::from(source.starts_with('^'));
    let digits = |from: usize| source[from..].bytes().take_while(u8::is_ascii_digit).count();
    let major = digits(start);
    let dot = start + major;
    let length = match source.get(dot..) {
        Some(rest) if rest.starts_with("\\.") => 2,
        Some(rest) if rest.starts_with('.') => 1,
        Some(_) | None => return None,
    };
    let minor = digits(dot + length);
    let end = dot + length + minor;
    (major > 0 && minor > 0).then(|| Version {
        major: &source[start..dot],
        minor: &source[dot + length..end],
        end,
    })
}

/// A kernel that matches although its minor version only starts with the one that the regexp names.
pub(super) fn longer(pattern: &Pattern, version: Version<'_>) -> Option<&'static str> {
    let start = format!("{}.{}", version.major, version.minor);
    let other = |kernel: &str| {
        let rest = kernel.strip_prefix(start.as_str());
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let mut kernels = KERNELS.iter().filter(|kernel| other(kernel));
    kernels
        .find(|kernel| pattern.is_match(kernel))
        .map(String::as_str)
}

/// A kernel that matches `pattern` but not `strict`.
pub(super) fn wider(pattern: &Pattern, strict: &Pattern) -> Option<&'static str> {
    let mut kernels = KERNELS.iter();
    kernels
        .find(|kernel| pattern.is_match(kernel) && !strict.is_match(kernel))
        .map(String::as_str)
}

/// Whether every kernel that exists matches.
pub(super) fn takes_every_kernel(pattern: &Pattern) -> bool {
    few().all(|kernel| pattern.is_match(kernel))
}

/// Why no kernel version can match; `None` where one can, or where that cannot be told.
pub(super) fn matches_no_kernel(pattern: &Pattern) -> Option<Nothing> {
    // Many patterns match one of those that differ in everything, which is quickly seen.
    if few().any(|kernel| pattern.is_match(kernel)) {
        return None;
    }
    pattern.matches_nothing()
}

/// Which of the mappings `before` take all kernels of `later`; none where that cannot be told.
pub(super) fn shadowed_by(later: &Pattern, before: &[(usize, Matcher<'_>)]) -> Vec<usize> {
    let missed =
        |kernel: &str| later.is_match(kernel) && !before.iter().any(|(_, matcher)| matcher.is_match(kernel));
    if before.is_empty() || few().any(missed) || matches_no_kernel(later).is_some() {
        return Vec::new();
    }
    // Whatever takes all kernels takes this one: so few are asked about.
    let Witness::Some(witness) = later.witness() else {
        return Vec::new();
    };
    let mut candidates = before
        .iter()
        .filter(|(_, matcher)| matcher.is_match(&witness))
        .peekable();
    if candidates.peek().is_none() {
        return Vec::new();
    }
    let later = Matcher::Pattern(later);
    let taken = |matchers: &[Matcher<'_>]| covers(matchers, later) == Covered::Yes;
    if let Some((index, _)) = candidates.find(|(_, matcher)| taken(&[*matcher])) {
        return vec![*index];
    }
    let all: Vec<Matcher<'_>> = before.iter().map(|(_, matcher)| *matcher).collect();
    if before.len() > 1 && taken(&all) {
        before.iter().map(|(index, _)| *index).collect()
    } else {
        Vec::new()
    }
}

/// Kernels that differ in everything.
fn few() -> impl Iterator<Item = &'static str> {
    let odd = [
        "3.10.0-1160.el7.x86_64",
        "4.4.302-rt+custom",
        "4.18.0-553.16.1.el8_10.aarch64",
        "5.4.0-1103-azure",
        "5.15.0-1021-aws",
        "5.14.0-427.13.1.el9_4.x86_64+rt",
        "6.1.0-18-amd64",
        "6.4.0-150600.23.25-default",
        "6.6.35-talos",
        "6.12.0-55.9.1.el10_0.s390x",
        "7.0.0",
    ];
    odd.into_iter()
}
