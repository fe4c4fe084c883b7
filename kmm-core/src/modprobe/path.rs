//! Paths as text.

use thiserror::Error;

/// Joins parts of a path and cleans the result as Go's `filepath.Join` does, by its text alone: empty parts and `.` are
/// dropped, `x/..` is taken out, and slashes are single.
///
/// # Example: the folder of an image as a worker sees it
///
/// ```
/// use kmm_core::modprobe::join;
///
/// assert_eq!(join(&["/tmp", "/opt//kmods/../v1/"]), "/tmp/opt/v1");
/// assert_eq!(join(&["/tmp", "../x"]), "/x");
/// assert_eq!(join(&["", ""]), "");
/// ```
pub fn join(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    let Some(first) = parts.first() else {
        return String::new();
    };
    let rooted = first.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for step in parts.iter().flat_map(|part| part.split('/')) {
        match (step, kept.last()) {
            ("" | ".", _) => {}
            ("..", Some(&last)) if last != ".." => {
                kept.pop();
            }
            ("..", _) if rooted => {}
            _ => kept.push(step),
        }
    }
    match (rooted, kept.is_empty()) {
        (true, _) => format!("/{}", kept.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => kept.join("/"),
    }
}

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
    let joined = join(&[root, path]);
    let root = join(&[root]);
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
    fn joins_as_go_does() {
        for (parts, joined) in [
            (&["/tmp", "/opt"][..], "/tmp/opt"),
            (&["/tmp", "opt"], "/tmp/opt"),
            (&["/tmp", "./opt"], "/tmp/opt"),
            (&["/tmp", "/opt/."], "/tmp/opt"),
            (&["/tmp", "/"], "/tmp"),
            (&["/tmp", ""], "/tmp"),
            (&["/tmp", "/a b"], "/tmp/a b"),
            (&["/tmp", "/.."], "/"),
            (&["/tmp", "/../../.."], "/"),
            (&["/tmp", "/opt//kmod/../x"], "/tmp/opt/x"),
            (&["", "/a"], "/a"),
            (&["a", "..", "..", "b"], "../b"),
            (&["a/.."], "."),
            (&["..", ".."], "../.."),
            (&["//a"], "/a"),
        ] {
            assert_eq!(join(parts), joined, "{parts:?}");
        }
    }

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
