//! Templates: the same text, or the same error.

use anyhow::Result;
use fastrand::Rng;
use kmm_core::kernel::KernelVersion;
use kmm_core::template::Template;
use kmm_core::template::TemplateError;
use kmm_core::template::Variables;

use super::text_of;
use crate::oracle::Oracle;
use crate::oracle::Question;

const PIECES: &[&str] = &[
    "$",
    "{",
    "}",
    "${",
    "$$",
    "_",
    "A",
    "MOD_NAME",
    "${MOD_NAME}",
    "$KERNEL_X",
    "${KERNEL_FULL_VERSION}",
    "N",
    "1",
    ":",
    "-",
    "=",
    "+",
    ":-",
    ":=",
    ":+",
    "?",
    "x",
    " ",
    "\n",
    "/",
    ".",
    "é",
    "%",
    "#",
];

pub(super) fn compare(random: &mut Rng, oracle: &mut Oracle) -> Result<Option<String>> {
    let text = text_of(random, PIECES, 9);
    let variables = Variables::kernel(&KernelVersion::new("6.0.15-300.fc37.x86_64"))?.with_module("m", "ns");
    let ours = Template::parse(text.as_str()).expand(&variables);
    if matches!(ours, Err(TemplateError::NeverClosed { .. })) {
        // Go would not come back from it.
        return Ok(None);
    }
    let pairs: Vec<String> = variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let args = pairs.iter().map(String::as_str).collect();
    let answer = oracle.ask(&Question {
        op: "template",
        text: &text,
        args,
    })?;
    let theirs = match answer.error {
        Some(error) => Err(error),
        None => Ok(answer.value.as_str().unwrap_or_default().to_owned()),
    };
    let ours = ours.map_err(|error| error.to_string());
    Ok((ours != theirs).then(|| format!("{text:?}: ours {ours:?}, Go {theirs:?}")))
}
