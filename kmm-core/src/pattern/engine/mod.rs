//! From the syntax tree to what searches.

mod hir;
mod threads;

use std::ops::Range;

use regex_automata::meta;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_syntax::hir::{Hir, Look};

use super::error::{ErrorKind, PatternError};
use super::syntax::Ast;
use threads::Threads;

/// Bytes that an automaton may take before threads are used instead.
const MAX_AUTOMATON: usize = 8 << 20;
/// Bytes that an automaton may take for states made while it searches.
const MAX_CACHE: usize = 4 << 20;

/// A pattern that can search, and which ends every match is tied to.
#[derive(Debug)]
pub(super) struct Engine {
    search: Search,
    pub(super) anchored_start: bool,
    pub(super) anchored_end: bool,
}

/// Two ways to search, with the same answers.
#[derive(Debug)]
enum Search {
    /// Over bytes, and fast.
    Automaton(Box<meta::Regex>),
    /// Over characters: `\pL{1000}` takes a thousand states, not a million, and nothing splits a character.
    Threads(Threads),
}

impl Engine {
    /// Compiles; an error is always [`ErrorKind::EngineLimit`].
    pub(super) fn compile(source: &str, ast: &Ast) -> Result<Engine, PatternError> {
        if let Some(hir) = hir::hir(ast)
            // Between the bytes of one character `\B` holds, and what is found there is not always left out.
            && !hir.properties().look_set().contains(Look::WordAsciiNegate)
            && let Some(regex) = automaton(&hir)
        {
            return Ok(Engine {
                anchored_start: hir.properties().look_set_prefix().contains(Look::Start),
                anchored_end: hir.properties().look_set_suffix().contains(Look::End),
                search: Search::Automaton(Box::new(regex)),
            });
        }
        let threads = Threads::new(ast)
            .map_err(|_| PatternError::new(ErrorKind::EngineLimit, source, 0..source.len()))?;
        let (anchored_start, anchored_end) = threads.anchors();
        Ok(Engine {
            search: Search::Threads(threads),
            anchored_start,
            anchored_end,
        })
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        match &self.search {
            Search::Automaton(regex) => regex.is_match(text),
            Search::Threads(threads) => threads.search(text, true).is_some(),
        }
    }

    pub(super) fn find(&self, text: &str) -> Option<Range<usize>> {
        match &self.search {
            Search::Automaton(regex) => regex.find(text).map(|found| found.range()),
            Search::Threads(threads) => threads.search(text, false),
        }
    }
}

fn automaton(hir: &Hir) -> Option<meta::Regex> {
    let config = meta::Config::new()
        .which_captures(WhichCaptures::Implicit)
        .nfa_size_limit(Some(MAX_AUTOMATON))
        // A whole automaton takes longer to build than the few kernels of a cluster take to match.
        .dfa(false)
        .onepass_size_limit(Some(1 << 20))
        .hybrid_cache_capacity(MAX_CACHE);
    meta::Builder::new().configure(config).build_from_hir(hir).ok()
}

#[cfg(test)]
mod tests;
