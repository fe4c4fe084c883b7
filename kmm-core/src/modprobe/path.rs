//! Paths that must stay in a folder.

use thiserror::Error;

use crate::go_text::join_path;

/// A path of a Module leaves the folder that it must stay in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{field}` is `{path}`, which leads out of `{root}`: remove the `..`")]
pub struct OutsideRoot {
    /// The field that holds the path: `dirName`, `firmwarePath`, or `file` for a file below it.
    pub field: &'static str,
    /// The path as it is written.
    pub path: String,
    /// The folder that it must stay in.
    pub root: String,
}

/// `path` below `root`; `root` itself is allowed.
pub(super) fn join_below(root: &str, path: &str, field: &'static str) -> Result<String, OutsideRoot> {
    let joined = join_path(&[root, path]);
    let root = join_path(&[root]);
    let below = joined.strip_prefix(root.as_str());
    if below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || root.ends_with('/')) {
        return Ok(joined);
    }
    Err(OutsideRoot {
        field,
        path: path.to_owned(),
        root,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_means_the_folder_or_in_it() {
        assert_eq!(join_below("/tmp", "/../tmp/x", "dirName").unwrap(), "/tmp/x");
        assert_eq!(join_below("/tmp", "/", "dirName").unwrap(), "/tmp");
        assert_eq!(join_below("/", "../x", "dirName").unwrap(), "/x");
        for path in ["../x", "/..", "../tmpx", "a/../../b"] {
            let error = join_below("/tmp", path, "dirName").unwrap_err();
            assert_eq!((error.path.as_str(), error.root.as_str()), (path, "/tmp"));
        }
    }
}
