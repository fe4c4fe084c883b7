//! Templates: recorded answers of the Go operator, vectors of our own, and properties.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it must be"
)]

use std::ops::Range;

use kmm_core::kernel::KernelVersion;
use kmm_core::template::Form;
use kmm_core::template::Operator;
use kmm_core::template::Origin;
use kmm_core::template::Template;
use kmm_core::template::TemplateError;
use kmm_core::template::Variables;
use proptest::prelude::Just;
use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prelude::prop_assert;
use proptest::prelude::prop_assert_eq;
use proptest::proptest;
use serde::Deserialize;

#[derive(Deserialize)]
struct Recorded {
    kernel: String,
    name: String,
    namespace: String,
    template: String,
    text: Option<String>,
    err: Option<String>,
    #[serde(default)]
    hang: bool,
}

#[test]
fn recorded_answers_of_the_go_operator() {
    let records: Vec<Recorded> = serde_json::from_str(include_str!("data/upstream/template.json")).unwrap();
    assert_eq!(records.len(), 208);
    for record in &records {
        let template = Template::parse(record.template.as_str());
        // The records hold what mappings see, from which no `+` is dropped any more.
        let kernel = KernelVersion::new(format!("{}+", record.kernel));
        let expanded = Variables::kernel(&kernel)
            .map_err(|error| error.to_string())
            .and_then(|variables| {
                let variables = variables.with_module(record.name.as_str(), record.namespace.as_str());
                let expanded = template.expand(&variables);
                if record.hang {
                    assert!(matches!(expanded, Err(TemplateError::NeverClosed { .. })));
                }
                expanded.map_err(|error| error.with_template(&template))
            });
        if !record.hang {
            let (text, error) = (expanded.as_ref().ok(), expanded.as_ref().err());
            assert_eq!(
                (text, error),
                (record.text.as_ref(), record.err.as_ref()),
                "{template}"
            );
        }
    }
}

#[derive(Deserialize)]
struct Vectors {
    kernel: String,
    name: String,
    namespace: String,
    variables: std::collections::BTreeMap<String, String>,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    template: String,
    text: Option<String>,
    error: Option<String>,
}

fn vectors() -> (Variables, Vec<Vector>) {
    let file: Vectors = serde_json::from_str(include_str!("data/template/vectors.json")).unwrap();
    let kernel = KernelVersion::new(file.kernel);
    let mut variables = Variables::kernel(&kernel)
        .unwrap()
        .with_module(file.name, file.namespace);
    for (name, value) in file.variables {
        variables = variables.with(name, value);
    }
    (variables, file.vectors)
}

#[test]
fn vectors_of_the_grammar() {
    let (variables, vectors) = vectors();
    for vector in &vectors {
        let expanded = Template::parse(vector.template.as_str()).expand(&variables);
        let error = expanded.as_ref().err().map(|error| match error {
            TemplateError::Unclosed { .. } => "unclosed",
            TemplateError::NeverClosed { .. } => "never closed",
            other => unreachable!("{other}"),
        });
        let found = (expanded.as_deref().ok(), error);
        assert_eq!(
            found,
            (vector.text.as_deref(), vector.error.as_deref()),
            "{}",
            vector.template
        );
    }
}

/// For `docs/compat.md`, B-28: the Go operator never returns from these.
#[test]
fn compat_b28_a_substitution_that_is_never_closed_is_an_error() {
    let (variables, _) = vectors();
    for (source, start) in [("${X-$_}", 0), ("ab${N:-x$_}", 2), ("$A${N:-$${_}", 2)] {
        let error = Template::parse(source).expand(&variables).unwrap_err();
        assert_eq!(error, TemplateError::NeverClosed { start }, "{source}");
    }
    assert_eq!(
        TemplateError::NeverClosed { start: 0 }.to_string(),
        "substitution is never closed: a `_` in it that is no name makes all that follows text, also the `}`"
    );
}

#[test]
fn errors_say_where() {
    for (source, at) in [
        ("a${", 3),
        ("${A", 3),
        ("é${A\n}", 5),
        ("${A:}", 5),
        ("${A} ${B:-x\r}", 11),
    ] {
        assert_eq!(
            Template::parse(source).error(),
            Some(&TemplateError::Unclosed { at }),
            "{source}"
        );
    }
}

#[test]
fn references_have_name_span_and_form() {
    let template = Template::parse("$A-${B}:${C:-x}${D-$E}${F+y}$$Z${G:=}");
    let found: Vec<_> = template
        .references()
        .map(|r| {
            (
                r.name,
                &template.source()[r.span],
                &template.source()[r.piece],
                r.form,
            )
        })
        .collect();
    let expected = [
        ("A", "A", "$A", Form::Bare),
        ("B", "B", "${B}", Form::Braced),
        ("C", "C", "${C:-x}", Form::WithDefault(Operator::WhereEmpty)),
        ("D", "D", "${D-$E}", Form::WithDefault(Operator::WhereUnset)),
        ("E", "E", "${D-$E}", Form::Default),
        ("F", "F", "${F+y}", Form::WithDefault(Operator::WhereSet)),
        ("G", "G", "${G:=}", Form::Braced),
    ];
    assert_eq!(found, expected);
}

#[test]
fn trace_names_where_each_value_comes_from() {
    let (variables, _) = vectors();
    let template = Template::parse("r/${A}$NOPE$$${N:-$B}${EMPTY:-d}${A:-d}${N+x}${A+x}${_}");
    let steps = template.trace(&variables).unwrap();
    let found: Vec<_> = steps
        .iter()
        .map(|step| (step.source, step.value, step.origin))
        .collect();
    let expected = [
        ("r/", "r/", Origin::Text),
        ("${A}", "AAA", Origin::Variable),
        ("$NOPE", "", Origin::Unset),
        ("$$", "$", Origin::Text),
        ("${N:-$B}", "BBB", Origin::Default),
        ("${EMPTY:-d}", "d", Origin::Default),
        ("${A:-d}", "AAA", Origin::Variable),
        ("${N+x}", "", Origin::Unset),
        ("${A+x}", "x", Origin::Default),
        ("${_}", "${_}", Origin::Text),
    ];
    assert_eq!(found, expected);
}

#[test]
fn simple_templates() {
    for source in [
        "",
        "a/b:c",
        "$A",
        "${A}",
        "x$A-${B}y",
        "${A:-b}",
        "${A:-}",
        "${A:-a:b/c d}",
        "$$",
        "$$$A",
        "$$_",
        "$${",
        "}",
        "$1",
    ] {
        assert!(Template::parse(source).is_simple(), "{source}");
    }
}

#[test]
fn the_first_piece_that_is_not_simple() {
    for (source, piece) in [
        ("a$", "$"),
        ("a$.b", "$."),
        ("a$ {A}", "$ "),
        ("$A${}b", "${}"),
        ("${_}", "${_}"),
        ("$_", "$_"),
        ("${A-b}", "${A-b}"),
        ("${A:=b}$", "${A:=b}"),
        ("${A:+b}", "${A:+b}"),
        ("${A:?b}", "${A:?b}"),
        ("${A%b}", "${A%b}"),
        ("${A:-$B}", "${A:-$B}"),
        ("${A:-${B}}", "${A:-${B}"),
        ("${A:-{}", "${A:-{}"),
        ("${A}${B", "${B"),
        ("${A:}", "${A:}"),
        ("${ A }", "${ A }"),
        ("${-A}x", "${-A}"),
        ("${X-$_} and more", "${X-$_}"),
        ("é$é$", "$"),
    ] {
        let span = Template::parse(source).first_not_simple();
        assert_eq!(span.map(|span| &source[span]), Some(piece), "{source}");
    }
}

#[test]
fn hostile_templates_are_bounded() {
    let variables = Variables::new().with("A", "a");
    for unit in [
        "${", "${A", "$", "$$", "$_", "${_", "${A:-", "${A:-$_", "}", "${$", "$A", "${A:-x}", "${A:-${", ":",
        "\n", "é",
    ] {
        let source = unit.repeat((1 << 20) / unit.len());
        let template = Template::parse(source);
        let _ = template.first_not_simple();
        assert!(template.references().count() <= template.source().len());
        if let Ok(text) = template.expand(&variables) {
            assert!(text.len() <= template.source().len(), "{unit}");
        }
    }
}

/// Strings over an alphabet in which odd templates are common.
fn nasty() -> impl Strategy<Value = String> {
    const UNITS: &[&str] = &[
        "$", "$", "{", "}", "}", "_", "A", "B", "N", ":", "-", "+", "=", "?", " ", "x", "\n", "é", "½", "${",
        "${A", "${N:-", "$_", "$$",
    ];
    let unit = proptest::sample::select(UNITS);
    proptest::collection::vec(unit, 0..16).prop_map(|units| units.concat())
}

fn small_variables() -> Variables {
    [("A", "AAA"), ("B", ""), ("A", "second"), ("é", "E")]
        .into_iter()
        .collect()
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 2048, failure_persistence: None, ..Default::default() })]

    #[test]
    fn agrees_with_the_naive_reading(source in nasty()) {
        let variables = small_variables();
        let expected = naive::expand(&source, &|name| variables.value_of(name).map(str::to_owned));
        let found = Template::parse(source).expand(&variables).map_err(|error| error.to_string());
        match expected {
            Ok(text) => prop_assert_eq!(found, Ok(text)),
            Err(naive::Fault::Brace) => prop_assert_eq!(found, Err("closing brace expected".to_owned())),
            Err(naive::Fault::Endless) => prop_assert!(found.unwrap_err().starts_with("substitution is never closed")),
        }
    }

    #[test]
    fn any_text_is_read(source in proptest::prop_oneof![nasty(), any::<String>()]) {
        let template = Template::parse(source.as_str());
        let variables = small_variables();
        prop_assert_eq!(template.source(), &source);
        let in_source = |span: &Range<usize>| source.get(span.clone()).is_some();
        for reference in template.references() {
            prop_assert!(in_source(&reference.piece));
            prop_assert_eq!(source.get(reference.span), Some(reference.name));
        }
        if let Some(span) = template.first_not_simple() {
            prop_assert!(in_source(&span));
            prop_assert!(source[span].starts_with('$'));
        }
        match template.trace(&variables) {
            Ok(steps) => {
                prop_assert_eq!(steps.iter().map(|step| step.source).collect::<String>(), source);
                let values: String = steps.iter().map(|step| step.value).collect();
                prop_assert_eq!(Ok(values), template.expand(&variables));
                prop_assert!(steps.windows(2).all(|pair| pair[0].span.end == pair[1].span.start));
            }
            Err(error) => prop_assert_eq!(Some(&error), template.error()),
        }
    }

    #[test]
    fn simple_templates_mean_what_they_say(
        parts in proptest::collection::vec(
            proptest::prop_oneof![
                Just(("$$".to_owned(), "$".to_owned())),
                "[a-z/:.@} -]{1,5}".prop_map(|text| (text.clone(), text)),
                Just(("$A-".to_owned(), "AAA-".to_owned())),
                Just(("${A}".to_owned(), "AAA".to_owned())),
                Just(("${N}".to_owned(), String::new())),
                "[a-z/:.@ +=-]{0,5}".prop_map(|text| (format!("${{N:-{text}}}"), text)),
                "[a-z/:.@ +=-]{0,5}".prop_map(|text| (format!("${{B:-{text}}}"), text)),
                "[a-z/:.@ +=-]{0,5}".prop_map(|text| (format!("${{A:-{text}}}"), "AAA".to_owned())),
            ],
            0..8,
        )
    ) {
        let (sources, values): (String, String) = parts.into_iter().unzip();
        let template = Template::parse(sources);
        prop_assert!(template.is_simple());
        prop_assert_eq!(template.expand(&small_variables()), Ok(values));
    }
}

/// The grammar once more: state functions over a list of characters, then a reader over a list of tokens. Slow, and
/// built otherwise than the library, so that one mistake is not made twice.
mod naive {
    #[derive(Debug, PartialEq)]
    pub(crate) enum Fault {
        Brace,
        Endless,
    }

    #[derive(Clone, Debug, PartialEq)]
    enum Token {
        Text(String),
        Name(String),
        Open,
        Close(String),
        Operator(String),
        Fault,
    }

    struct Machine {
        input: Vec<char>,
        next: usize,
        pending: String,
        opened: i32,
        at_open: bool,
        tokens: Vec<Token>,
    }

    enum Goto {
        Text,
        Name,
        Operator,
        Default,
        Stop,
    }

    fn word(c: char) -> bool {
        // Enough for the alphabet of these tests.
        c == '_' || c.is_alphabetic() || c.is_ascii_digit()
    }

    impl Machine {
        fn look(&self) -> Option<char> {
            self.input.get(self.next).copied()
        }

        fn shift(&mut self) {
            self.pending.extend(self.look());
            self.next += 1;
        }

        fn starts_open(&self, back: usize) -> bool {
            self.input[self.next - back..].starts_with(&['$', '{'])
        }

        fn give(&mut self, make: fn(String) -> Token) {
            self.at_open = self.starts_open(self.pending.chars().count());
            self.tokens.push(make(std::mem::take(&mut self.pending)));
        }

        fn flush_text(&mut self) {
            if !self.pending.is_empty() {
                self.give(Token::Text);
            }
        }

        fn in_text(&mut self) -> Goto {
            let dollar = self.look() == Some('$');
            match (dollar, self.input.get(self.next + 1).copied()) {
                (true, Some('$')) => {
                    self.flush_text();
                    self.next += 2;
                    self.tokens.push(Token::Text("$".to_owned()));
                    Goto::Text
                }
                (true, Some('{')) => {
                    self.flush_text();
                    self.shift();
                    self.shift();
                    self.give(|_| Token::Open);
                    self.opened += 1;
                    Goto::Operator
                }
                (true, Some(c)) if word(c) => {
                    self.flush_text();
                    self.shift();
                    Goto::Name
                }
                _ if self.look().is_none() => {
                    self.flush_text();
                    Goto::Stop
                }
                _ => {
                    self.shift();
                    Goto::Text
                }
            }
        }

        fn in_name(&mut self) -> Goto {
            match self.look() {
                Some(c) if word(c) => {
                    self.shift();
                    Goto::Name
                }
                _ if self.pending == "_" || self.pending == "$_" => Goto::Text,
                _ => {
                    self.give(Token::Name);
                    if self.opened > 0 {
                        Goto::Operator
                    } else {
                        Goto::Text
                    }
                }
            }
        }

        fn ended(&mut self) -> bool {
            let ended = matches!(self.look(), None | Some('\n' | '\r'));
            if ended {
                self.tokens.push(Token::Fault);
            }
            ended
        }

        fn in_operator(&mut self) -> Goto {
            if self.ended() {
                return Goto::Stop;
            }
            if self.look().is_some_and(word) && self.at_open {
                return Goto::Name;
            }
            self.shift();
            match self.pending.as_str() {
                "}" => {
                    self.give(Token::Close);
                    self.opened -= 1;
                    return Goto::Text;
                }
                "+" | "-" | "=" => self.give(Token::Operator),
                ":" => {
                    self.shift();
                    if matches!(self.pending.as_str(), ":-" | ":=" | ":+") {
                        self.give(Token::Operator);
                    }
                }
                _ => {}
            }
            Goto::Default
        }

        fn in_default(&mut self) -> Goto {
            if self.ended() {
                return Goto::Stop;
            }
            let c = self.look();
            self.shift();
            if c == Some('$') || (c.is_some_and(word) && self.at_open) {
                return Goto::Name;
            }
            if c == Some('}') {
                self.give(Token::Close);
                self.opened -= 1;
                return Goto::Text;
            }
            self.give(Token::Text);
            Goto::Default
        }
    }

    fn scan(source: &str) -> Vec<Token> {
        let mut machine = Machine {
            input: source.chars().collect(),
            next: 0,
            pending: String::new(),
            opened: 0,
            at_open: false,
            tokens: Vec::new(),
        };
        let mut goto = Goto::Text;
        loop {
            goto = match goto {
                Goto::Text => machine.in_text(),
                Goto::Name => machine.in_name(),
                Goto::Operator => machine.in_operator(),
                Goto::Default => machine.in_default(),
                Goto::Stop => return machine.tokens,
            }
        }
    }

    fn source_of(token: &Token) -> &str {
        match token {
            Token::Text(s) | Token::Name(s) | Token::Close(s) | Token::Operator(s) => s,
            Token::Open => "${",
            Token::Fault => "",
        }
    }

    fn bare(name: &str) -> &str {
        name.strip_prefix('$').unwrap_or(name)
    }

    pub(crate) fn expand(source: &str, look_up: &dyn Fn(&str) -> Option<String>) -> Result<String, Fault> {
        let tokens = scan(source);
        if tokens.contains(&Token::Fault) {
            return Err(Fault::Brace);
        }
        let mut out = String::new();
        let mut i = 0;
        while i < tokens.len() {
            match (&tokens[i], tokens.get(i + 1)) {
                (Token::Name(name), _) => out += &look_up(bare(name)).unwrap_or_default(),
                (Token::Open, Some(Token::Name(name))) => {
                    let inside = &tokens[i + 2..];
                    let close = inside.iter().position(|token| matches!(token, Token::Close(_)));
                    let inside = &inside[..close.ok_or(Fault::Endless)?];
                    out += &substitute(name, inside, look_up);
                    i += 2 + inside.len();
                }
                (token, _) => out += source_of(token),
            }
            i += 1;
        }
        Ok(out)
    }

    fn substitute(name: &str, inside: &[Token], look_up: &dyn Fn(&str) -> Option<String>) -> String {
        let text_at = inside.iter().position(|token| matches!(token, Token::Text(_)));
        let (before, text) = inside.split_at(text_at.unwrap_or(inside.len()));
        let named = before.iter().rev().find(|token| matches!(token, Token::Name(_)));
        let operator = before.iter().rev().find(|token| !matches!(token, Token::Name(_)));
        let default = if text.is_empty() {
            named.map(|name| look_up(bare(source_of(name))).unwrap_or_default())
        } else {
            Some(text.iter().map(source_of).collect())
        };
        let value = look_up(name);
        match (operator.map(source_of), default) {
            (None, _) | (_, None) => value.unwrap_or_default(),
            (Some(":-" | ":="), Some(default)) => value.filter(|v| !v.is_empty()).unwrap_or(default),
            (Some("+" | ":+"), Some(default)) => value.map(|_| default).unwrap_or_default(),
            (Some(_), Some(default)) => value.unwrap_or(default),
        }
    }
}
