//! From the syntax tree to an automaton that searches.

use regex_automata::meta;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::util::syntax;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, Look as HirLook, Repetition};

use super::error::{ErrorKind, PatternError};
use super::syntax::{Ast, Kind, Look};

/// Bytes that one compiled pattern may take before it is refused.
const MAX_PROGRAM: usize = 16 << 20;
/// Bytes that one pattern may take for states made while it searches.
const MAX_CACHE: usize = 4 << 20;
/// Ranges in all classes; each takes more than eight bytes of the program.
const MAX_RANGES: usize = 1 << 20;
/// Levels of the tree: what compiles it recurses.
const MAX_LEVELS: u32 = 1100;

/// A pattern that can search, and which ends every match is tied to.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) regex: meta::Regex,
    pub(super) anchored_start: bool,
    pub(super) anchored_end: bool,
}

/// Compiles; an error is always [`ErrorKind::EngineLimit`].
pub(super) fn compile(source: &str, ast: &Ast) -> Result<Engine, PatternError> {
    let too_large = || PatternError::new(ErrorKind::EngineLimit, source, 0..source.len());
    let hir = hir(ast).ok_or_else(too_large)?;
    let anchored_start = hir.properties().look_set_prefix().contains(HirLook::Start);
    let anchored_end = hir.properties().look_set_suffix().contains(HirLook::End);
    let config = meta::Config::new()
        .which_captures(WhichCaptures::Implicit)
        .nfa_size_limit(Some(MAX_PROGRAM))
        .onepass_size_limit(Some(1 << 20))
        .hybrid_cache_capacity(MAX_CACHE);
    let regex = meta::Builder::new()
        .configure(config)
        .syntax(syntax::Config::new())
        .build_from_hir(&hir);
    Ok(Engine {
        regex: regex.map_err(|_| too_large())?,
        anchored_start,
        anchored_end,
    })
}

/// The tree as `regex_syntax` has it; `None` if it is too large or too deep.
fn hir(ast: &Ast) -> Option<Hir> {
    enum Step {
        Enter(u32),
        Leave(u32),
    }
    let mut ranges = 0;
    let mut steps = vec![Step::Enter(ast.root)];
    let mut done: Vec<(Hir, u32)> = Vec::new();
    while let Some(step) = steps.pop() {
        let (hir, levels) = match step {
            Step::Enter(id) => match ast.kind(id) {
                Kind::Empty => (Hir::empty(), 1),
                Kind::Look(look) => (Hir::look(hir_look(*look)), 1),
                Kind::Literal { .. } | Kind::Dot { .. } | Kind::Class(_) => {
                    let set = ast.node(id).char_set()?;
                    let class: Vec<_> = set
                        .char_ranges()
                        .map(|(lo, hi)| ClassUnicodeRange::new(lo, hi))
                        .collect();
                    ranges += class.len();
                    if ranges > MAX_RANGES {
                        return None;
                    }
                    (Hir::class(Class::Unicode(ClassUnicode::new(class))), 1)
                }
                Kind::Concat(subs) | Kind::Alternate(subs) => {
                    steps.push(Step::Leave(id));
                    steps.extend(subs.iter().rev().map(|&sub| Step::Enter(sub)));
                    continue;
                }
                Kind::Repeat { sub, .. } => {
                    steps.push(Step::Leave(id));
                    steps.push(Step::Enter(*sub));
                    continue;
                }
            },
            Step::Leave(id) => match ast.kind(id) {
                Kind::Repeat { min, max, greedy, .. } => {
                    let (sub, levels) = done.pop()?;
                    let repetition = Repetition {
                        min: *min,
                        max: *max,
                        greedy: *greedy,
                        sub: Box::new(sub),
                    };
                    (Hir::repetition(repetition), levels + 1)
                }
                Kind::Concat(subs) | Kind::Alternate(subs) => {
                    let parts = done.split_off(done.len().checked_sub(subs.len())?);
                    let levels = parts.iter().map(|&(_, levels)| levels).max()? + 1;
                    let parts = parts.into_iter().map(|(part, _)| part).collect();
                    let concat = matches!(ast.kind(id), Kind::Concat(_));
                    (
                        if concat {
                            Hir::concat(parts)
                        } else {
                            Hir::alternation(parts)
                        },
                        levels,
                    )
                }
                _ => return None,
            },
        };
        if levels > MAX_LEVELS {
            return None;
        }
        done.push((hir, levels));
    }
    let (hir, _) = done.pop()?;
    Some(hir)
}

fn hir_look(look: Look) -> HirLook {
    match look {
        Look::TextStart => HirLook::Start,
        Look::TextEnd => HirLook::End,
        Look::LineStart => HirLook::StartLF,
        Look::LineEnd => HirLook::EndLF,
        Look::Word => HirLook::WordAscii,
        Look::NotWord => HirLook::WordAsciiNegate,
    }
}
