//! Stand-ins until the pattern and template engines are merged.

use std::fmt;

use crate::kernel::KernelVersion;
use crate::kernel::TooFewComponents;

/// Stand-in.
#[derive(Clone, Debug)]
pub struct Pattern(regex_automata::meta::Regex);

/// Stand-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError(String);

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, PatternError> {
        let config = regex_automata::util::syntax::Config::new().unicode(false).utf8(false);
        regex_automata::meta::Regex::builder()
            .syntax(config)
            .build(text)
            .map(Self)
            .map_err(|_| PatternError(format!("error parsing regexp: `{text}`")))
    }
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

/// Stand-in.
#[derive(Clone, Debug)]
pub struct Template(String);

/// Stand-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError;

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closing brace expected")
    }
}

/// Stand-in.
#[derive(Clone, Debug)]
pub struct Variables(Vec<(&'static str, String)>);

impl Variables {
    pub(crate) fn kernel(kernel: &KernelVersion) -> Result<Self, TooFewComponents> {
        let c = kernel.components()?;
        Ok(Self(vec![
            ("KERNEL_FULL_VERSION", kernel.normalized().to_owned()),
            ("KERNEL_VERSION", kernel.normalized().to_owned()),
            ("KERNEL_XYZ", c.xyz()),
            ("KERNEL_X", c.x.to_owned()),
            ("KERNEL_Y", c.y.to_owned()),
            ("KERNEL_Z", c.z.to_owned()),
        ]))
    }
    pub(crate) fn with_module(mut self, name: &str, namespace: &str) -> Self {
        self.0.push(("MOD_NAME", name.to_owned()));
        self.0.push(("MOD_NAMESPACE", namespace.to_owned()));
        self
    }
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.matches("${").count() > text.matches('}').count() {
            return Err(TemplateError);
        }
        Ok(Self(text.to_owned()))
    }
    pub(crate) fn expand(&self, variables: &Variables) -> String {
        let mut out = String::new();
        let mut rest = self.0.as_str();
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let braced = rest.starts_with('{');
            if braced {
                rest = &rest[1..];
            }
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let name = &rest[..end];
            rest = &rest[end..];
            if braced {
                rest = rest.split_once('}').map_or("", |(_, rest)| rest);
            }
            out.push_str(variables.0.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| v));
        }
        out.push_str(rest);
        out
    }
}
