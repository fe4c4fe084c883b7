//! The tree as `regex_syntax` has it.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, Look as HirLook, Repetition};

use crate::pattern::syntax::{Ast, Kind, Look};

/// Ranges in all classes; each takes more than eight bytes of the compiled automaton.
const MAX_RANGES: usize = 1 << 20;
/// Levels of the tree, groups not counted: what compiles it recurses, and must fit in a small stack.
const MAX_LEVELS: u32 = 60;

/// Translates; `None` if it is too large or too deep.
pub(super) fn hir(ast: &Ast) -> Option<Hir> {
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
