//! KMM1041: a module parameter that is neither `key` nor `key=value`.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::modprobe::Parameter;
use crate::modprobe::ParameterError;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1041",
    name: "parameter-malformed",
    summary: "a module parameter that is neither `key` nor `key=value`",
    explanation: r#"Each entry of `parameters` is one argument of `modprobe`: a `key` or `key=value`. Without a key the kernel cannot tell
what is meant. What starts with `-` is an option of modprobe. The kernel gets all parameters in one line and parts it at
blanks outside double quotes. The modprobe of kmod puts quotes round a value with blanks, others do not; so of
`debug=1 trace=1` in one entry, `debug` gets the value `1 trace=1`, or there are two parameters.

```yaml
parameters:
  - "=5"                      # no key
  - max_dev = 5               # blanks round the sign
  - debug=1 trace=1           # one or two, as modprobe likes
  - msg=hello world           # likewise
  - 'msg="hello world"'       # right: the quotes are for the kernel
```

Write one `key=value` an entry, without blanks round the `=`, and a value with blanks in double quotes.
"#,
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(modprobe) = fields::modprobe(subject) else {
        return;
    };
    let list = subject.container("modprobe.parameters");
    for (index, parameter) in modprobe.parameters.iter().enumerate() {
        let path = list.index(index);
        match Parameter::parse(parameter) {
            Ok(parameter) if key_fault(&parameter.key).is_none() => continue,
            Err(error @ ParameterError::Unclosed { .. }) => {
                let finding = RULE.finding(path, error.to_string());
                findings.push(
                    finding.with_help("close the quote: it takes the parameters that follow into the value"),
                );
                continue;
            }
            Ok(_) | Err(_) => {}
        }
        let words = words(parameter);
        let finding = match words.as_slice() {
            [] => RULE
                .finding(path, "this parameter is empty")
                .with_help("remove it, or write `key=value`"),
            [word] => match fault(word) {
                Some(fault) => RULE.finding(path, fault).with_help("write `key` or `key=value`"),
                None if word.len() == parameter.len() => continue,
                None => RULE
                    .finding(path.clone(), "this parameter has blanks at its ends")
                    .as_severity(Severity::Warning)
                    .with_help("remove the blanks")
                    .with_suggestion([Edit::SetString {
                        path,
                        value: (*word).to_owned(),
                    }]),
            },
            several => {
                let joined: String = several.concat();
                let torn = several
                    .iter()
                    .any(|word| *word == "=" || word.starts_with('=') || word.ends_with('='));
                if torn && fault(&joined).is_none() && joined.matches('=').count() == 1 {
                    RULE.finding(
                        path.clone(),
                        "blanks round the `=` make several parameters of this one",
                    )
                    .with_help(format!("write `{joined}`"))
                    .with_suggestion([Edit::SetString { path, value: joined }])
                } else if let Some(fault) = several.iter().find_map(|word| fault(word)) {
                    RULE.finding(path, fault)
                        .with_help("write one `key` or `key=value` in each entry")
                } else if several[1..].iter().any(|word| !word.contains('=')) {
                    let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                    let finding = RULE
                        .finding(
                            path.clone(),
                            "a blank outside double quotes may start another parameter",
                        )
                        .as_severity(Severity::Warning);
                    if value.contains('"') || key.contains(char::is_whitespace) {
                        finding.with_help("write one `key` or `key=value` in each entry")
                    } else {
                        let quoted = format!("{key}=\"{value}\"");
                        finding
                            .with_help(format!("write `{quoted}`, or one parameter in each entry"))
                            .with_suggestion([Edit::SetString { path, value: quoted }])
                    }
                } else {
                    let values = modprobe.parameters.iter().enumerate();
                    let values = values.flat_map(|(other, text)| match other == index {
                        true => several.iter().map(|word| (*word).to_owned()).collect(),
                        false => vec![text.clone()],
                    });
                    let edit = Edit::SetStrings {
                        path: list.clone(),
                        values: values.collect(),
                    };
                    RULE.finding(
                        path,
                        format!("this entry looks like {} parameters", several.len()),
                    )
                    .as_severity(Severity::Warning)
                    .with_help("write each in an entry of its own")
                    .with_suggestion([edit])
                }
            }
        };
        findings.push(finding);
    }
}

fn fault(word: &str) -> Option<String> {
    let key = word.split_once('=').map_or(word, |(key, _)| key);
    if key.is_empty() {
        return Some(format!("`{word}` has no key before its `=`"));
    }
    if key.starts_with('-') {
        return Some(format!(
            "`{word}` is taken as an option of modprobe, not as a parameter"
        ));
    }
    key_fault(key)
}

fn key_fault(key: &str) -> Option<String> {
    let odd = key
        .chars()
        .find(|&c| !(c.is_ascii_alphanumeric() || "_-.".contains(c)))?;
    Some(format!("`{key}` is no name of a parameter: it holds {odd:?}"))
}

/// Splits at blanks outside double quotes, as the kernel does.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut quoted = false;
    let mut start = None;
    for (at, c) in text.char_indices() {
        quoted ^= c == '"';
        if c.is_ascii_whitespace() && !quoted {
            words.extend(start.take().map(|start| &text[start..at]));
        } else {
            start = start.or(Some(at));
        }
    }
    words.extend(start.map(|start| &text[start..]));
    words
}
