//! What can be wrong with a manifest as a text: the texts of the `KMM00xx` codes.

use crate::diag::RuleText;
use crate::diag::Severity;

/// Every kind of finding that reading a manifest can give, by code.
pub fn rules() -> &'static [RuleText] {
    &[
        SYNTAX,
        DUPLICATE_KEY,
        MISSING_SEPARATOR,
        LIMIT,
        NOT_TEXT,
        TAB_INDENTATION,
        NOT_AN_OBJECT,
        KEY_NOT_STRING,
        UNKNOWN_ANCHOR,
        TAG,
        NOT_JSON,
        MISSING_KIND,
        MERGE_KEY,
    ]
}

/// Broken YAML or JSON.
pub(super) const SYNTAX: RuleText = RuleText {
    code: "KMM0001",
    name: "syntax",
    summary: "the text is neither YAML nor JSON",
    explanation: "\
The document cannot be read. Nothing else is said about it, for whatever it was to hold is unknown. Reading goes on
at the next line that starts with `---`, so the other documents of the file are checked all the same.

A common cause is a line inside a `|` text that is indented less than the lines above it: it ends the text, and what
follows is read as YAML.

```yaml
data:
  dockerfile: |
    FROM registry.example/dtk
 AS builder        # ends the text: indent it like the line above
```
",
    severity: Severity::Error,
};

/// One key twice in one mapping.
pub(super) const DUPLICATE_KEY: RuleText = RuleText {
    code: "KMM0002",
    name: "duplicate-key",
    summary: "a key stands twice in one mapping",
    explanation: "\
Only the last value of a key that stands twice counts. `kubectl apply -f` drops the others without a word, because it
turns YAML into JSON before it sends it; strict readers (the strict mode of sigs.k8s.io/yaml, and the API server where
it decodes the text itself with `fieldValidation=Strict`) refuse the object.

```yaml
modprobe:
  moduleName: kmod_a
  dirName: /opt
  moduleName: kmod_b     # this one counts
```

Keep one of them.
",
    severity: Severity::Error,
};

/// Two objects in one document.
pub(super) const MISSING_SEPARATOR: RuleText = RuleText {
    code: "KMM0003",
    name: "missing-separator",
    summary: "two objects stand in one document, without a line `---` between them",
    explanation: "\
`apiVersion` and `kind` start again in the middle of a mapping: a second object begins, but the line `---` between the
two is missing. Kubernetes clients read both as one object in which the later fields win, so that the first object is
never created.

```yaml
kind: Module
apiVersion: kmm.sigs.x-k8s.io/v1beta1
# here: ---
kind: ConfigMap
apiVersion: v1
```

Put `---` on a line of its own before the second object. Both are checked as if it were there.
",
    severity: Severity::Error,
};

/// More than is read.
pub(super) const LIMIT: RuleText = RuleText {
    code: "KMM0004",
    name: "limit",
    summary: "the text is larger, deeper or more repetitive than is read",
    explanation: "\
Reading is bounded so that no text can take all memory or time: by the bytes of the text, the number of documents, the
depth of nesting, and what aliases (`*name`) may add. No manifest that Kubernetes stores comes near these bounds: etcd
takes at most about 1.5 MiB per object.
",
    severity: Severity::Error,
};

/// Not a text.
pub(super) const NOT_TEXT: RuleText = RuleText {
    code: "KMM0005",
    name: "not-text",
    summary: "the file holds bytes that no YAML or JSON text holds",
    explanation: "\
A NUL byte, another control character, or bytes that are not UTF-8: the file is binary, compressed, or in another
encoding such as UTF-16. YAML allows no control characters but tab and line ends. Save the file as UTF-8; in a double
quoted string such characters can be written as escapes (`\"\\u0007\"`).
",
    severity: Severity::Error,
};

/// A tab where blanks must be.
pub(super) const TAB_INDENTATION: RuleText = RuleText {
    code: "KMM0006",
    name: "tab-indentation",
    summary: "a line is indented with a tab",
    explanation: "\
YAML is indented with blanks only; a tab at the start of a line is refused. Replace it by as many blanks as the lines
around it have.
",
    severity: Severity::Error,
};

/// A list or a scalar where an object must be.
pub(super) const NOT_AN_OBJECT: RuleText = RuleText {
    code: "KMM0007",
    name: "not-an-object",
    summary: "a document is not a mapping",
    explanation: "\
A Kubernetes object is a mapping with `apiVersion` and `kind`. A document that is a list, a string or a number is no
object. Several objects are written as several documents, or as the `items` of an object of kind `List`.
",
    severity: Severity::Error,
};

/// A key that YAML reads as something else.
pub(super) const KEY_NOT_STRING: RuleText = RuleText {
    code: "KMM0008",
    name: "key-not-string",
    summary: "a key is not read as the string that it looks like, or is no string at all",
    explanation: "\
Kubernetes clients read YAML 1.1: the keys `y`, `yes`, `on` are the truth value, and become `true`; `010` becomes `8`;
`5.10` becomes `5.1`. An empty key, a list or a mapping as a key is refused.

```yaml
selector:
  \"on\": edge       # without the quotes: the label `true`
```

Put the key in quotes.
",
    severity: Severity::Error,
};

/// An alias of nothing.
pub(super) const UNKNOWN_ANCHOR: RuleText = RuleText {
    code: "KMM0009",
    name: "unknown-anchor",
    summary: "an alias names an anchor that is not there",
    explanation: "\
`*name` repeats the value that was marked `&name` earlier in the same document. Anchors do not reach from one document
into the next, an alias cannot stand before its anchor, and a value cannot hold an alias of itself. A plain string that
begins with `*` must be quoted.
",
    severity: Severity::Error,
};

/// A tag that means nothing here, or does not fit.
pub(super) const TAG: RuleText = RuleText {
    code: "KMM0010",
    name: "tag",
    summary: "a tag (`!name`) is unknown, or does not fit its value",
    explanation: "\
Kubernetes clients know the tags `!!str`, `!!int`, `!!float`, `!!bool`, `!!null`, `!!seq`, `!!map`, `!!timestamp`. A
value that does not fit its tag (`!!int five`) is refused. Other tags are ignored, and the scalar behind them is a
string; tags of templating tools mean that the file is not a manifest yet. `!!binary` is not decoded here.
",
    severity: Severity::Error,
};

/// A number that JSON does not have.
pub(super) const NOT_JSON: RuleText = RuleText {
    code: "KMM0011",
    name: "not-json",
    summary: "a value that JSON cannot hold: infinity, or not a number",
    explanation: "\
`.inf` and `.nan` are numbers in YAML, but Kubernetes stores JSON, which has none of them. Quote it where the string
is meant.
",
    severity: Severity::Error,
};

/// A mapping that does not say what it is.
pub(super) const MISSING_KIND: RuleText = RuleText {
    code: "KMM0012",
    name: "missing-kind",
    summary: "an object has no `apiVersion` or no `kind`",
    explanation: "\
Every Kubernetes object says what it is in `apiVersion` and `kind`, both strings. Without them no client can send it,
and nothing is known of its fields. A file that is no manifest (the values of a chart, for one) is better not given.
",
    severity: Severity::Warning,
};

/// A merge key that does not do what it seems to.
pub(super) const MERGE_KEY: RuleText = RuleText {
    code: "KMM0013",
    name: "merge-key",
    summary: "a merge key (`<<`) overrides a field above it, or has nothing to merge",
    explanation: "\
`<<: *name` puts the entries of a mapping in this place. It takes a mapping, or a list of mappings. Kubernetes clients
apply it where it stands: an entry above `<<` is overridden by a merged one, against what the YAML merge rule says; an
entry below it wins. Put `<<` first in its mapping.
",
    severity: Severity::Error,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_and_names_differ() {
        let rules = rules();
        assert!(rules.windows(2).all(|pair| pair[0].code < pair[1].code));
        for rule in rules {
            assert!(rule.code.starts_with("KMM00") && rule.code.len() == 7);
            assert!(!rule.summary.ends_with('.') && rule.explanation.ends_with('\n'));
            assert_eq!(rules.iter().filter(|other| other.name == rule.name).count(), 1);
        }
    }
}
