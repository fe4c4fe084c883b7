//! Reading JSON without places: where the YAML reader is left out, and for JSON that is no YAML.

use crate::diag::Part;
use crate::path::FieldPath;

use super::Node;
use super::rules;
use super::stream::Collector;

/// Reads one JSON value after the other.
pub(super) fn read(text: &str, out: &mut Collector<'_>) {
    let text = text.trim_start_matches('\u{feff}');
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Node>();
    while let Some(value) = values.next() {
        let end = values.byte_offset();
        match value {
            Ok(root) if out.has_room() => out.document(Some(root), 0..0, Vec::new()),
            Ok(_) => {
                out.find(rules::LIMIT.finding(FieldPath::root(), "there are too many documents"));
                return;
            }
            Err(error) => {
                let finding = rules::SYNTAX.finding(FieldPath::root(), format!("not JSON: {error}"));
                out.find(finding.at(Part::Source(end..end)));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::document::Limits;
    use crate::document::read;

    #[test]
    fn json_is_read_with_or_without_the_yaml_reader() {
        let stream = read(
            "\u{feff}{\"kind\": \"A\", \"n\": [1.5, 1e3]}\n{\"kind\": \"B\"}",
            &Limits::default(),
        );
        let kinds: Vec<_> = stream.objects().map(|object| object.kind).collect();
        assert_eq!(kinds, ["A", "B"]);
        let broken = read("{\"a\": [1}", &Limits::default());
        assert_eq!(broken.findings[0].diagnostic.code, "KMM0001");
        assert!(broken.documents.is_empty());
        let deep = read(&"[".repeat(100_000), &Limits::default());
        assert_eq!(deep.findings.len(), 1);
    }
}
