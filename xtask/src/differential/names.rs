//! Kubernetes names: refused for the same reasons.

use anyhow::Result;
use fastrand::Rng;
use kmm_core::naming;

use super::text_of;
use crate::oracle::Oracle;
use crate::oracle::Question;

const PIECES: &[&str] = &[
    "a",
    "Z",
    "0",
    "-",
    "_",
    ".",
    "/",
    "é",
    " ",
    "kubernetes.io",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "x/y",
];

/// Why a name is refused; nothing where it is not.
type Check = fn(&str) -> Vec<String>;

pub(super) fn compare(random: &mut Rng, oracle: &mut Oracle) -> Result<Option<String>> {
    let name = text_of(random, PIECES, 6);
    let checks: [(&str, Check); 3] = [
        ("qualifiedName", naming::qualified_name),
        ("labelValue", naming::label_value),
        ("subdomain", naming::dns1123_subdomain),
    ];
    let (op, check) = checks[random.usize(..checks.len())];
    let answer = oracle.ask(&Question {
        op,
        text: &name,
        args: Vec::new(),
    })?;
    let theirs: Option<Vec<String>> = serde_json::from_value(answer.value)?;
    let (ours, theirs) = (check(&name), theirs.unwrap_or_default());
    Ok((ours != theirs).then(|| format!("{op} {name:?}: ours {ours:?}, Go {theirs:?}")))
}
