//! How much is read.

/// How much of a text is read before it is refused; see the code `KMM0004`.
///
/// # Example: a larger file
///
/// ```
/// use kmm_core::document::Limits;
///
/// let limits = Limits { bytes: 1 << 30, ..Limits::default() };
/// assert_eq!(limits.depth, 100);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the text; 32 MiB.
    pub bytes: usize,
    /// Lists and mappings in one another; 100. Values above 120 count as 120: the tree is walked by recursion.
    pub depth: usize,
    /// Documents in one text; 100,000.
    pub documents: usize,
    /// What anchors and aliases may add to one document: the bytes of their keys and scalars, and 32 per value; 4 MiB.
    pub expansion: usize,
    /// Findings of one text; 1,000. What is found after that is left out.
    pub findings: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 32 << 20,
            depth: 100,
            documents: 100_000,
            expansion: 4 << 20,
            findings: 1_000,
        }
    }
}
