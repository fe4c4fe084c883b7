//! From bytes of a text to lines and columns.

/// Where the lines of a text begin.
///
/// Lines end with `\n`, `\r\n` or a lone `\r`, as in YAML.
///
/// # Example: line and column of a byte
///
/// ```
/// use kmm_core::document::LineIndex;
///
/// let text = "a: ä\nb: 1\n";
/// let lines = LineIndex::new(text);
/// let place = lines.position(text, 9);
/// assert_eq!((place.line, place.column), (2, 4));
/// ```
#[derive(Clone, Debug)]
pub struct LineIndex {
    starts: Vec<usize>,
}

/// A place in a text, as people count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, in Unicode characters, counted from 1.
    pub column: usize,
    /// The column, in bytes, counted from 1.
    pub byte_column: usize,
}

impl LineIndex {
    /// The lines of `text`.
    pub fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for (i, byte) in bytes.iter().enumerate() {
            if *byte == b'\n' || *byte == b'\r' && bytes.get(i + 1) != Some(&b'\n') {
                starts.push(i + 1);
            }
        }
        Self { starts }
    }

    /// How many lines there are; a line end at the end of the text begins another, empty one.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// Where byte `offset` of `text`, the text of this index, stands. An offset behind the end is the end; one inside
    /// a character is the character.
    pub fn position(&self, text: &str, offset: usize) -> Position {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let before = text.get(start..offset).unwrap_or("");
        // A byte order mark is no character of its line.
        let marks = usize::from(start == 0 && before.starts_with('\u{feff}'));
        Position {
            line,
            column: before.chars().count() - marks + 1,
            byte_column: before.len() + 1,
        }
    }

    /// The text of line `line`, counted from 1, without its end; `None` behind the last.
    pub fn line<'t>(&self, text: &'t str, line: usize) -> Option<&'t str> {
        let start = *self.starts.get(line.checked_sub(1)?)?;
        let end = self.starts.get(line).copied().unwrap_or(text.len());
        Some(text.get(start..end)?.trim_end_matches(['\n', '\r']))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_counts_once() {
        let text = "a\r\nbä\rc\n";
        let lines = LineIndex::new(text);
        assert_eq!(lines.count(), 4);
        assert_eq!(lines.line(text, 2), Some("bä"));
        assert_eq!(lines.line(text, 4), Some(""));
        assert_eq!(lines.line(text, 5), None);
        let at = lines.position(text, 6);
        assert_eq!((at.line, at.column, at.byte_column), (2, 3, 4));
        assert_eq!(lines.position(text, 999).line, 4);
        assert_eq!(lines.position(text, 5), lines.position(text, 4));
    }
}
