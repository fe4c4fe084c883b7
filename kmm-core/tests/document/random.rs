//! Random trees in random layouts: reading, places and edits against what was written.

use kmm_core::diag::Edit;
use kmm_core::diag::Part;
use kmm_core::document::Limits;
use kmm_core::document::Node;
use kmm_core::document::Value;
use kmm_core::document::read;
use kmm_core::path::FieldPath;
use proptest::prelude::*;
use serde_json::Value as Json;
use serde_json::json;

/// Calls `visit` with every value below `node`, and its path.
pub(crate) fn each(node: &Node, visit: &mut dyn FnMut(&FieldPath, &Node)) {
    fn walk(path: &FieldPath, node: &Node, visit: &mut dyn FnMut(&FieldPath, &Node)) {
        visit(path, node);
        match &node.value {
            Value::Sequence(items) => {
                for (i, item) in items.iter().enumerate() {
                    walk(&path.index(i), item, visit);
                }
            }
            Value::Mapping(mapping) => {
                for entry in mapping.effective() {
                    walk(&path.field(&entry.key), &entry.value, visit);
                }
            }
            _ => {}
        }
    }
    walk(&FieldPath::root(), node, visit);
}

/// Edits of each kind for the value at `path`.
pub(crate) fn edits_of(path: &FieldPath, node: &Node) -> Vec<Edit> {
    let path = path.clone();
    let mut edits = vec![
        Edit::Remove { path: path.clone() },
        Edit::RenameKey {
            path: path.clone(),
            key: "new key".into(),
        },
        Edit::SetStrings {
            path: path.clone(),
            values: vec!["5.10".into(), "it's: \"x\"".into()],
        },
        Edit::SetStrings {
            path: path.clone(),
            values: vec![],
        },
    ];
    for value in ["plain", "5.10", "", "a: b # c", "two\nlines\n", "\\d '\"", " x "] {
        edits.push(Edit::SetString {
            path: path.clone(),
            value: value.into(),
        });
    }
    if let Some(text) = node.as_str() {
        let mut ends = text.char_indices().map(|(i, _)| i).chain([text.len()]);
        let (start, end) = (ends.next().unwrap_or(0), ends.last().unwrap_or(0));
        for new in ["", "z", "'\"\\", "a\nb", ": #"] {
            for range in [start..start, start..end, end..end] {
                edits.push(Edit::ReplaceWithin {
                    path: path.clone(),
                    range,
                    text: new.into(),
                });
            }
        }
    }
    edits
}

/// How a random tree is written: one number after the other is a choice.
struct Layout {
    choices: Vec<u8>,
    at: usize,
    comments: usize,
}

impl Layout {
    fn pick(&mut self, of: u8) -> u8 {
        let choice = self
            .choices
            .get(self.at % self.choices.len().max(1))
            .copied()
            .unwrap_or(0);
        self.at += 1;
        choice % of
    }

    fn comment(&mut self) -> String {
        if self.pick(3) != 0 {
            return String::new();
        }
        self.comments += 1;
        format!(" # c{}", self.comments)
    }

    fn scalar(&mut self, value: &Json, indent: usize, flow: bool, key: bool) -> String {
        let Json::String(text) = value else {
            return value.to_string();
        };
        let printable = text
            .chars()
            .all(|c| (' '..='~').contains(&c) || c.is_alphanumeric());
        match self.pick(4) {
            0 if text.len() > 1 && text.chars().all(|c| ('g'..'m').contains(&c)) => text.clone(),
            1 if printable => format!("'{}'", text.replace('\'', "''")),
            2 if !flow
                && !key
                && !text.is_empty()
                && text.chars().all(|c| c != '\n' && (' '..='~').contains(&c)) =>
            {
                let pad = " ".repeat(indent);
                if text.trim().is_empty() {
                    return serde_json::to_string(text).unwrap();
                }
                format!("|{}-\n{pad}{text}", if text.starts_with(' ') { "2" } else { "" })
            }
            _ => json_string(text),
        }
    }

    fn block(&mut self, value: &Json, indent: usize, out: &mut String) {
        let pad = " ".repeat(indent);
        match value {
            Json::Object(map) if !map.is_empty() && self.pick(4) != 0 => {
                for (key, value) in map {
                    if self.pick(5) == 0 {
                        self.comments += 1;
                        out.push_str(&format!("\n{pad}# c{}", self.comments));
                    }
                    out.push_str(&format!(
                        "\n{pad}{}:",
                        self.scalar(&json!(key), indent, false, true)
                    ));
                    self.block(value, indent + 2, out);
                }
            }
            Json::Array(items) if !items.is_empty() && self.pick(4) != 0 => {
                for item in items {
                    out.push_str(&format!("\n{pad}-"));
                    self.block(item, indent + 2, out);
                }
            }
            value => {
                let text = self.flow(value, indent);
                let comment = if text.starts_with('|') {
                    String::new()
                } else {
                    self.comment()
                };
                out.push_str(&format!(" {text}{comment}"));
            }
        }
    }

    fn flow(&mut self, value: &Json, indent: usize) -> String {
        match value {
            Json::Object(map) => {
                let entries: Vec<String> = map
                    .iter()
                    .map(|(key, value)| {
                        format!(
                            "{}: {}",
                            self.scalar(&json!(key), 0, true, true),
                            self.inner(value)
                        )
                    })
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
            Json::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.inner(item)).collect();
                format!("[{}]", items.join(" , "))
            }
            scalar => self.scalar(scalar, indent, false, false),
        }
    }

    fn inner(&mut self, value: &Json) -> String {
        match value {
            Json::Object(_) | Json::Array(_) => self.flow(value, 0),
            scalar => self.scalar(scalar, 0, true, false),
        }
    }
}

fn json_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if (' '..='~').contains(&c) || c.is_alphanumeric() => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out + "\""
}

fn tree() -> impl Strategy<Value = Json> {
    let text = prop_oneof![
        "[g-l]{1,5}",
        "[ -~]{0,12}",
        "[a-c\n '\"\\\\é😀#:-]{0,12}",
        prop::sample::select(vec!["yes", "5.10", "~", "0x1F", "a: b", "x\ny\n", "\u{1}"])
            .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        text.clone().prop_map(Json::from),
    ];
    let node = leaf.prop_recursive(4, 24, 4, move |inner| {
        let key = "[g-l.5 ]{1,4}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(key, inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[g-l]{1,4}", node, 1..4)
        .prop_map(|map| Json::Object(map.into_iter().collect()))
}

fn written(tree: &Json, choices: Vec<u8>) -> (String, usize) {
    let mut layout = Layout {
        choices,
        at: 0,
        comments: 0,
    };
    let mut out = String::new();
    if layout.pick(6) == 0 {
        return (serde_json::to_string_pretty(tree).unwrap(), 0);
    }
    layout.block(tree, 0, &mut out);
    (out.trim_start().to_owned() + "\n", layout.comments)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 100 } else { 20_000 }))]

    #[test]
    fn what_is_written_is_read(tree in tree(), choices in prop::collection::vec(any::<u8>(), 1..30)) {
        let (text, _) = written(&tree, choices);
        let stream = read(&text, &Limits::default());
        prop_assert!(stream.findings.is_empty(), "{text}\n{:?}", stream.findings);
        prop_assert_eq!(&stream.documents[0].root.to_json(), &tree, "{}", text);
        let document = &stream.documents[0];
        let mut wrong = None;
        each(&document.root, &mut |path, node| {
            let place = document.locate(path, &Part::Value, &text);
            let source = &text[place.clone()];
            if let (Some(value), false) = (node.as_str(), source.is_empty()) {
                if !source.starts_with('|') {
                    let again = read(&format!("a: {source}"), &Limits::default());
                    if again.documents[0].root.get("a").and_then(Node::as_str) != Some(value) {
                        wrong = Some(format!("{path} {source:?}"));
                    }
                }
                for (at, c) in value.char_indices() {
                    let byte = document.locate(path, &Part::Within(at..at + c.len_utf8()), &text);
                    let shown = &text[byte.clone()];
                    let fits = shown.chars().eq([c]) || shown.starts_with('\\') || shown == "''" && c == '\'';
                    if !fits || byte.start < place.start || byte.end > place.end {
                        wrong = Some(format!("{path} {at} {c:?} {shown:?}"));
                    }
                }
            }
        });
        prop_assert_eq!(wrong, None, "{}", text);
    }

    #[test]
    fn edits_change_what_they_say(tree in tree(), choices in prop::collection::vec(any::<u8>(), 1..30), which in any::<prop::sample::Index>()) {
        let (text, comments) = written(&tree, choices);
        let stream = read(&text, &Limits::default());
        let mut paths = Vec::new();
        each(&stream.documents[0].root, &mut |path, node| paths.push((path.clone(), node.clone())));
        let (path, node) = which.get(&paths);
        for edit in edits_of(path, node) {
            if path.segments().is_empty() || !sensible(path, &edit) {
                continue;
            }
            let mut editor = stream.editor(&text);
            let added = editor.add(0, &FieldPath::root(), std::slice::from_ref(&edit));
            prop_assert_eq!(added, Ok(()), "{:?}\n{}", edit, text);
            // `finish` reads the outcome again and compares; here it must succeed, and keep the comments.
            let out = editor.finish();
            prop_assert!(out.is_ok(), "{out:?} {edit:?}\n{text}");
            let out = out.unwrap();
            if serde_json::from_str::<Json>(&text).is_ok() {
                prop_assert!(serde_json::from_str::<Json>(&out).is_ok(), "{edit:?}\n{text}\n{out}");
            }
            let inside = text[node.span.clone()].matches("# c").count() + 1;
            let removed = matches!(edit, Edit::Remove { .. }) || !matches!(node.value, Value::String(_));
            let kept = out.matches("# c").count();
            if !removed && !matches!(edit, Edit::SetString { .. } | Edit::SetStrings { .. } | Edit::ReplaceWithin { .. }) {
                prop_assert_eq!(kept, text.matches("# c").count(), "{:?}\n{}\n{}", edit, text, out);
            }
            let _ = (inside, comments);
        }
    }
}

fn sensible(path: &FieldPath, edit: &Edit) -> bool {
    match edit {
        Edit::RenameKey { .. } => matches!(path.segments().last(), Some(kmm_core::path::Segment::Field(_))),
        _ => true,
    }
}
