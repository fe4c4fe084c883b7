//! Resolving, explaining, coverage and nodes, against data and against naive implementations.

mod coverage;
mod explain;
mod node;
mod oracle;
mod properties;
mod upstream;
mod vectors;
