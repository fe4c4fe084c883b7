//! Parsing Go's dialect.

mod ast;
mod class;
mod escape;
mod flags;
mod parser;

pub(super) use ast::{Ast, Kind, Look, NodeId};
pub(super) use parser::parse;
