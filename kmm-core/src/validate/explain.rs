//! The long texts of all codes.

use crate::diag::RuleText;
use crate::document;
use crate::schema;

use super::Rule;
use super::admission;
use super::rules;

/// The text of the rule with this code or name; letters may be small or capital.
///
/// # Example: what `kmm validate --explain` prints
///
/// ```
/// use kmm_core::validate::explain;
///
/// let text = explain("kmm1001").unwrap();
/// assert_eq!(text.name, "literal-never-matches");
/// assert_eq!(explain("literal-never-matches"), Some(text));
/// assert_eq!(explain("KMM9999"), None);
/// ```
pub fn explain(code: &str) -> Option<RuleText> {
    texts().find(|text| text.code.eq_ignore_ascii_case(code) || text.name.eq_ignore_ascii_case(code))
}

/// The texts of all codes, in the order of the codes: reading, schema, webhook, Modules, Dockerfiles,
/// images.
pub fn texts() -> impl Iterator<Item = RuleText> {
    let reading = document::rules().iter().copied();
    let refused = schema::rules().iter().chain(admission::rules());
    let mut all: Vec<RuleText> = reading.chain(refused.chain(rules()).map(Rule::text)).collect();
    #[cfg(feature = "kmod")]
    all.extend(crate::image::texts());
    all.sort_by_key(|text| text.code);
    all.into_iter()
}
