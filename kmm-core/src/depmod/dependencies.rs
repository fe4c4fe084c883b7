//! Reading `modules.dep`.

use std::collections::HashMap;

use crate::depmod::IndexError;
use crate::depmod::select::module_name;

/// What a `modules.dep` says: which modules there are, and what each needs.
///
/// # Example: what has to be loaded first
///
/// ```
/// use kmm_core::depmod::Dependencies;
///
/// let text = b"extra/a.ko: extra/b-c.ko\nextra/b-c.ko:\n";
/// let dependencies = Dependencies::parse(text)?;
/// assert_eq!(dependencies.of("a").map(|module| module.needs.as_slice()), Some(&["extra/b-c.ko".to_owned()][..]));
/// assert_eq!(dependencies.of("b_c").map(|module| module.path.as_str()), Some("extra/b-c.ko"));
/// # Ok::<(), kmm_core::depmod::IndexError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dependencies {
    modules: Vec<DependencyLine>,
    places: HashMap<String, usize>,
}

/// A line of `modules.dep`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DependencyLine {
    /// Where the module lies: from the folder of the index on, or an absolute path.
    pub path: String,
    /// The paths of all modules that it needs, those that are loaded last first.
    pub needs: Vec<String>,
}

impl DependencyLine {
    /// The name of the module, as `modprobe` knows it: with `_` for `-`.
    pub fn name(&self) -> String {
        name_of(&self.path)
    }

    /// Reads `PATH: PATH …`, which is also the value of a key in `modules.dep.bin`.
    ///
    /// # Errors
    ///
    /// The reason, when there is no `:` or nothing before it.
    pub(crate) fn parse(line: &str) -> Result<Self, &'static str> {
        let (path, needs) = line.split_once(':').ok_or("there is no `:` after the path")?;
        if path.is_empty() {
            return Err("there is no path before the `:`");
        }
        Ok(Self {
            path: path.to_owned(),
            needs: needs
                .split([' ', '\t'])
                .filter(|needed| !needed.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }
}

impl Dependencies {
    /// The most bytes that are read: 64 MiB, 50 times what a distribution's kernel has.
    pub const LARGEST: usize = 64 << 20;

    /// Reads the text of a `modules.dep`. Blank lines and lines that start with `#` are passed over.
    ///
    /// # Errors
    ///
    /// When there are more than [`LARGEST`](Self::LARGEST) bytes, they are no UTF-8, or a line has no `:` or no path.
    pub fn parse(text: &[u8]) -> Result<Self, IndexError> {
        if text.len() > Self::LARGEST {
            return Err(IndexError::TooLarge {
                size: text.len(),
                limit: Self::LARGEST,
            });
        }
        let mut found = Self::default();
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let wrong = |reason| IndexError::Line {
                line: number + 1,
                reason,
            };
            let line = std::str::from_utf8(line)
                .map_err(|_| wrong("it is no UTF-8"))?
                .trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let module = DependencyLine::parse(line).map_err(wrong)?;
            // Of several modules of one name, `modprobe` takes the first.
            found.places.entry(module.name()).or_insert(found.modules.len());
            found.modules.push(module);
        }
        Ok(found)
    }

    /// All modules, in the order of the lines.
    pub fn modules(&self) -> &[DependencyLine] {
        &self.modules
    }

    /// The module of a name; `-` and `_` are alike.
    pub fn of(&self, module: &str) -> Option<&DependencyLine> {
        self.modules.get(*self.places.get(&module.replace('-', "_"))?)
    }
}

/// The name of the module at a path.
pub(crate) fn name_of(path: &str) -> String {
    module_name(path.rsplit('/').next().unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_none_are_named() {
        for (text, line, reason) in [
            ("a.ko:\nb.ko\n", 2, "there is no `:` after the path"),
            (": a.ko\n", 1, "there is no path before the `:`"),
        ] {
            assert_eq!(
                Dependencies::parse(text.as_bytes()),
                Err(IndexError::Line { line, reason })
            );
        }
        assert_eq!(
            Dependencies::parse(b"a.ko:\n\xff.ko:\n").unwrap_err().to_string(),
            "line 2: it is no UTF-8"
        );
    }

    #[test]
    fn the_first_of_a_name_counts() {
        let found = Dependencies::parse(b"# made by hand\n\na/x-y.ko.xz:\nb/x_y.ko: a/z.ko\n").unwrap();
        assert_eq!(found.modules().len(), 2);
        assert_eq!(found.of("x-y").unwrap().path, "a/x-y.ko.xz");
        assert_eq!(found.of("z"), None);
    }
}
