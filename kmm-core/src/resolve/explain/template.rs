//! How the templates of the winning mapping expanded.

use std::fmt;

use serde::Serialize;

use crate::kernel::KernelVersion;
use crate::module::Compiled;
use crate::module::Mapping;
use crate::module::SourcedTemplate;
use crate::template::Origin;
use crate::template::Variables;

/// How one template expanded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateExplanation {
    /// The field of the result: `sign.filesToSign[1]`.
    pub field: String,
    /// The field of the Module that the template stands in.
    pub path: String,
    /// The template.
    pub template: String,
    /// What it expands to; `None` where it is broken.
    pub text: Option<String>,
    /// What is wrong with it, or with the kernel.
    pub error: Option<String>,
    /// Its pieces, in order, and what each expands to.
    pub steps: Vec<TemplateStep>,
}

/// What one piece of a template expanded to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateStep {
    /// First byte of the piece in the template.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// The piece.
    pub source: String,
    /// What stands in its place.
    pub value: String,
    /// Where that comes from: `text`, `variable`, `unset` or `default`.
    pub origin: &'static str,
}

/// Explains the image, then the signing templates.
pub(super) fn explain(
    compiled: &Compiled,
    mapping: &Mapping,
    kernel: &KernelVersion,
) -> Vec<TemplateExplanation> {
    let of_kernel = Variables::kernel(kernel).map_err(|error| error.to_string());
    let of_module = of_kernel
        .clone()
        .map(|variables| variables.with_module(compiled.name(), compiled.namespace()));
    let mut templates = vec![expand("containerImage".to_owned(), &mapping.image, &of_module)];
    if let Some(sign) = &mapping.sign {
        if !sign.unsigned_image.template.source().is_empty() {
            let field = "sign.unsignedImage".to_owned();
            templates.push(expand(field, &sign.unsigned_image, &of_kernel));
        }
        for (index, file) in sign.files_to_sign.iter().enumerate() {
            templates.push(expand(format!("sign.filesToSign[{index}]"), file, &of_kernel));
        }
    }
    templates
}

fn expand(
    field: String,
    sourced: &SourcedTemplate,
    variables: &Result<Variables, String>,
) -> TemplateExplanation {
    let SourcedTemplate { path, template } = sourced;
    let steps: Result<Vec<TemplateStep>, String> = match variables {
        Err(error) => Err(error.clone()),
        Ok(variables) => match template.trace(variables) {
            Err(error) => Err(error.to_string()),
            Ok(steps) => Ok(steps
                .into_iter()
                .map(|step| TemplateStep {
                    start: step.span.start,
                    end: step.span.end,
                    source: step.source.to_owned(),
                    value: step.value.to_owned(),
                    origin: match step.origin {
                        Origin::Text => "text",
                        Origin::Variable => "variable",
                        Origin::Unset => "unset",
                        Origin::Default => "default",
                    },
                })
                .collect()),
        },
    };
    let (steps, error) = match steps {
        Ok(steps) => (steps, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let text = match &error {
        None => Some(steps.iter().map(|step| step.value.as_str()).collect()),
        Some(_) => None,
    };
    TemplateExplanation {
        field,
        path: path.to_string(),
        template: template.source().to_owned(),
        text,
        error,
        steps,
    }
}

impl fmt::Display for TemplateExplanation {
    /// The template, what it expands to, and a line for each piece that is not text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = `{}`", self.field, self.template)?;
        match (&self.text, &self.error) {
            (Some(text), _) => write!(f, " -> `{text}`")?,
            (None, Some(error)) => write!(f, ": {error}")?,
            (None, None) => {}
        }
        for step in self.steps.iter().filter(|step| step.origin != "text") {
            match step.origin {
                "unset" => write!(f, "\n  `{}` -> nothing: it is not set here", step.source)?,
                origin => write!(f, "\n  `{}` -> `{}` ({origin})", step.source, step.value)?,
            }
        }
        Ok(())
    }
}
