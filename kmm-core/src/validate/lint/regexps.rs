//! What mapping regexps do to kernel versions that exist.

use std::sync::LazyLock;

use crate::pattern::Pattern;

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
    kernels.find(|kernel| pattern.is_match(kernel)).map(String::as_str)
}

/// A kernel that matches `pattern` but not `strict`.
pub(super) fn wider(pattern: &Pattern, strict: &Pattern) -> Option<&'static str> {
    let mut kernels = KERNELS.iter();
    kernels.find(|kernel| pattern.is_match(kernel) && !strict.is_match(kernel)).map(String::as_str)
}

/// Whether every kernel that exists matches.
pub(super) fn takes_every_kernel(pattern: &Pattern) -> bool {
    // A few that differ in everything tell nearly all patterns apart before the many are asked.
    let few = ["3.10.0-1160.el7.x86_64", "6.6.35-talos", "5.15.0-1021-aws", "7.0.0", "4.4.302-rt+custom"];
    few.iter().all(|kernel| pattern.is_match(kernel)) && KERNELS.iter().all(|kernel| pattern.is_match(kernel))
}

/// Whether no kernel version can match; `false` where that cannot be told.
pub(super) fn matches_no_kernel(pattern: &Pattern) -> bool {
    let odd = !pattern.odd_escapes().is_empty();
    odd && !KERNELS.iter().any(|kernel| pattern.is_match(kernel))
}

/// Which of the mappings `before` take all kernels of `pattern`; none where that cannot be told.
pub(super) fn shadowed_by<'a>(
    pattern: &Pattern,
    before: &[usize],
    find: impl Fn(usize) -> Option<&'a Pattern>,
) -> Vec<usize> {
    let same = |earlier: &&usize| {
        let earlier = find(**earlier);
        earlier.is_some_and(|earlier| earlier.as_str() == pattern.as_str() || takes_every_kernel(earlier))
    };
    before.iter().filter(same).take(1).copied().collect()
}
