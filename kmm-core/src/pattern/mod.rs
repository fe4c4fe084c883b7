//! Kernel mapping regexps in Go's dialect.
