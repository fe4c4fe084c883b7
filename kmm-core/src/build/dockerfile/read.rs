//! From logical lines to facts.

use std::ops::Range;

use super::Argument;
use super::Base;
use super::Copy;
use super::Depmod;
use super::Dockerfile;
use super::Fault;
use super::FaultKind;
use super::Instruction;
use super::MAX_LENGTH;
use super::Stage;
use super::Use;
use super::Word;
use super::lines;
use super::lines::Logical;
use super::shell;
use super::variables;
use super::words;

const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

pub(super) fn read(source: &str) -> Dockerfile {
    let mut faults = Vec::new();
    let too_long = source.len() > MAX_LENGTH;
    let (escape, lines) = if too_long {
        let kind = FaultKind::TooLong;
        faults.push(Fault { kind, span: 0..0 });
        ('\\', Vec::new())
    } else {
        lines::read(source, &mut faults)
    };
    let mut reader = Reader {
        source,
        file: Dockerfile {
            escape,
            instructions: Vec::new(),
            stages: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            uses: Vec::new(),
            copies: Vec::new(),
            depmods: Vec::new(),
            faults,
        },
    };
    for line in &lines {
        reader.line(line);
    }
    if reader.file.stages.is_empty() && !too_long {
        reader.fault(FaultKind::NoStage, 0..0);
    }
    reader.file
}

struct Reader<'a> {
    source: &'a str,
    file: Dockerfile,
}

impl Reader<'_> {
    fn fault(&mut self, kind: FaultKind, span: Range<usize>) {
        self.file.faults.push(Fault { kind, span });
    }

    fn line(&mut self, line: &Logical) {
        let (word, mut from) = keyword(&line.text, 0);
        let mut keyword_at = word.clone();
        let mut name = line.text[word].to_ascii_uppercase();
        if name == "ONBUILD" {
            let (word, after) = keyword(&line.text, from);
            name = line.text[word.clone()].to_ascii_uppercase();
            keyword_at = word;
            from = after;
        }
        if !KEYWORDS.contains(&name.as_str()) {
            let written = line.text[keyword_at.clone()].to_owned();
            return self.fault(FaultKind::UnknownInstruction(written), line.source(&keyword_at));
        }
        if self.file.stages.is_empty() && !matches!(name.as_str(), "ARG" | "FROM") {
            self.fault(FaultKind::BeforeFrom(name.clone()), line.source(&keyword_at));
        }
        let escape = self.file.escape;
        let from = flags(&line.text, from, escape, &name);
        let array = words::array(&line.text, from.arguments);
        let index = self.file.instructions.len();
        if name == "FROM" {
            self.stage(line, from.arguments, index);
        }
        let stage = self.file.last_stage();
        let mut text = line.text.get(from.arguments..).unwrap_or_default().to_owned();
        for body in &line.bodies {
            text.push('\n');
            text.push_str(&self.source[body.clone()]);
        }
        self.file.instructions.push(Instruction {
            keyword: name.clone(),
            span: line.span.clone(),
            stage,
            exec: array.is_some(),
            text,
        });
        self.uses(line, &name, from.start, index);
        let words = array.map_or_else(|| words::split(&line.text, from.arguments, escape), |array| array);
        match name.as_str() {
            "ARG" | "ENV" => self.declare(line, &name, &words, index),
            "COPY" | "ADD" => self.copy(line, &name, &words, &from, index),
            "RUN" => self.run(line, from.arguments, index),
            _ => {}
        }
    }

    fn stage(&mut self, line: &Logical, from: usize, instruction: usize) {
        let words = words::split(&line.text, from, self.file.escape);
        let Some((image, at)) = words.first().cloned() else {
            return self.fault(FaultKind::Incomplete("FROM".to_owned()), line.span.clone());
        };
        let name = match words.get(1..3) {
            Some([(by, _), (name, _)]) if by.eq_ignore_ascii_case("AS") => Some(name.clone()),
            _ => None,
        };
        let earlier = |stage: &Stage| {
            stage
                .name
                .as_ref()
                .is_some_and(|name| name.eq_ignore_ascii_case(&image))
        };
        let base = if let Some(stage) = self.file.stages.iter().rposition(earlier) {
            Base::Stage(stage)
        } else if image == "scratch" {
            Base::Scratch
        } else {
            Base::Image(image.clone())
        };
        self.file.stages.push(Stage {
            name,
            base,
            from: Word {
                text: image,
                span: line.source(&at),
            },
            instruction,
        });
    }

    fn uses(&mut self, line: &Logical, keyword: &str, from: usize, instruction: usize) {
        let escape = self.file.escape;
        let found = variables::scan(&line.text[from..], escape, true);
        let here = found.into_iter().map(|(name, form, range)| Use {
            name,
            form,
            span: line.source(&(from + range.start..from + range.end)),
            instruction,
        });
        self.file.uses.extend(here);
        // The shell's own escape is `\`, whatever the directive says.
        let escape = if keyword == "RUN" { '\\' } else { escape };
        for body in &line.bodies {
            let found = variables::scan(&self.source[body.clone()], escape, keyword == "RUN");
            let inside = found.into_iter().map(|(name, form, range)| Use {
                name,
                form,
                span: body.start + range.start..body.start + range.end,
                instruction,
            });
            self.file.uses.extend(inside);
        }
    }

    fn declare(
        &mut self,
        line: &Logical,
        keyword: &str,
        words: &[(String, Range<usize>)],
        instruction: usize,
    ) {
        let Some((first, at)) = words.first() else {
            return self.fault(FaultKind::Incomplete(keyword.to_owned()), line.span.clone());
        };
        let stage = self.file.last_stage();
        let mut declared = Vec::new();
        if keyword == "ENV" && !first.contains('=') {
            // `ENV NAME value`, the old form.
            let value = words
                .get(1..)
                .unwrap_or_default()
                .iter()
                .map(|(word, _)| word.as_str());
            declared.push((
                first.clone(),
                at.clone(),
                Some(value.collect::<Vec<_>>().join(" ")),
            ));
        } else {
            for (word, at) in words {
                match word.split_once('=') {
                    Some((name, value)) => {
                        let at = part(word, at, 0..name.len());
                        declared.push((name.to_owned(), at, Some(value.to_owned())));
                    }
                    None => declared.push((word.clone(), at.clone(), None)),
                }
            }
        }
        let list = if keyword == "ARG" {
            &mut self.file.arguments
        } else {
            &mut self.file.environment
        };
        list.extend(declared.into_iter().map(|(name, at, value)| Argument {
            name: Word {
                text: name,
                span: line.source(&at),
            },
            value,
            instruction,
            stage,
        }));
    }

    fn copy(
        &mut self,
        line: &Logical,
        keyword: &str,
        words: &[(String, Range<usize>)],
        flags: &Flags,
        instruction: usize,
    ) {
        let place = |(text, at): &(String, Range<usize>)| Word {
            text: text.clone(),
            span: line.source(at),
        };
        let Some((destination, sources)) = words.split_last().filter(|(_, sources)| !sources.is_empty())
        else {
            return self.fault(FaultKind::Incomplete(keyword.to_owned()), line.span.clone());
        };
        self.file.copies.push(Copy {
            from: flags.from.as_ref().map(place),
            sources: sources
                .iter()
                .filter(|(text, _)| !text.starts_with("<<"))
                .map(place)
                .collect(),
            destination: place(destination),
            instruction,
            stage: self.file.last_stage(),
        });
    }

    fn run(&mut self, line: &Logical, from: usize, instruction: usize) {
        let escape = self.file.escape;
        let mut found = Vec::new();
        match words::array(&line.text, from) {
            Some(array) => {
                let script = match array.as_slice() {
                    [(shell, _), (flag, _), (script, at)] if flag.contains('c') && shell.ends_with("sh") => {
                        Some((script, at))
                    }
                    _ => None,
                };
                match script {
                    // The script is one JSON string: all that it holds gets the place of the whole.
                    Some((script, at)) => {
                        let span = line.source(at);
                        for command in shell::commands(script, '\\') {
                            found.extend(depmod(&command, instruction, |_| span.clone()));
                        }
                    }
                    None => found.extend(depmod(&array, instruction, |at| line.source(at))),
                }
            }
            None => {
                let text = line.text.get(from..).unwrap_or_default();
                for command in shell::commands(text, escape) {
                    found.extend(depmod(&command, instruction, |at| {
                        line.source(&(from + at.start..from + at.end))
                    }));
                }
            }
        }
        for body in &line.bodies {
            for command in shell::commands(&self.source[body.clone()], '\\') {
                found.extend(depmod(&command, instruction, |at| {
                    body.start + at.start..body.start + at.end
                }));
            }
        }
        self.file.depmods.extend(found);
    }
}

struct Flags {
    /// Where the flags start.
    start: usize,
    /// Where the arguments start.
    arguments: usize,
    from: Option<(String, Range<usize>)>,
}

/// Where the next word stands, and what comes after it.
fn keyword(text: &str, from: usize) -> (Range<usize>, usize) {
    let rest = &text[from..];
    let start = from + rest.len() - rest.trim_start().len();
    let end = text[start..]
        .find(char::is_whitespace)
        .map_or(text.len(), |length| start + length);
    (start..end, end)
}

fn flags(text: &str, start: usize, escape: char, keyword: &str) -> Flags {
    let mut flags = Flags {
        start,
        arguments: start,
        from: None,
    };
    if !matches!(keyword, "ADD" | "COPY" | "FROM" | "RUN" | "HEALTHCHECK") {
        return flags;
    }
    let words = words::split(text, start, escape);
    for (word, at) in words.into_iter().take_while(|(word, _)| word.starts_with("--")) {
        flags.arguments = at.end;
        if let Some(stage) = word.strip_prefix("--from=") {
            flags.from = Some((stage.to_owned(), part(&word, &at, "--from=".len()..word.len())));
        }
    }
    flags
}

fn depmod(
    command: &[(String, Range<usize>)],
    instruction: usize,
    source: impl Fn(&Range<usize>) -> Range<usize>,
) -> Option<Depmod> {
    let (program, first) = command.first()?;
    if program.rsplit('/').next() != Some("depmod") {
        return None;
    }
    let last = command.last().map_or(first, |(_, at)| at);
    let mut found = Depmod {
        base: None,
        version: None,
        span: source(first).start..source(last).end,
        instruction,
    };
    let mut rest = command[1..].iter();
    while let Some((word, at)) = rest.next() {
        let tail = |skip: usize| Word {
            text: word[skip..].to_owned(),
            span: source(&part(word, at, skip..word.len())),
        };
        if let Some(option) = word.strip_prefix("--") {
            match option.split_once('=') {
                Some(("basedir", _)) => found.base = Some(tail("--basedir=".len())),
                Some(_) => {}
                None if option == "basedir" => {
                    found.base = rest.next().map(|(text, at)| place(text, at, &source))
                }
                None if matches!(
                    option,
                    "config" | "filesyms" | "symvers" | "symbol-prefix" | "outdir" | "moduledir"
                ) =>
                {
                    rest.next();
                }
                None => {}
            }
        } else if let Some(cluster) = word.strip_prefix('-').filter(|cluster| !cluster.is_empty()) {
            let Some(takes) = cluster.find(['b', 'C', 'F', 'E', 'P', 'o', 'm']) else {
                continue;
            };
            let attached = takes + 2;
            let base = cluster[takes..].starts_with('b');
            let value = if attached < word.len() && word.is_char_boundary(attached) {
                Some(tail(attached))
            } else {
                rest.next().map(|(text, at)| place(text, at, &source))
            };
            if base {
                found.base = value;
            }
        } else if matches!(word.as_str(), ">" | ">>" | "2>" | "<") {
            rest.next();
        } else if found.version.is_none() && !word.contains(['>', '<']) {
            found.version = Some(place(word, at, &source));
        }
    }
    Some(found)
}

/// The place of a part of a word; of the whole word where quotes or escapes are in it.
fn part(word: &str, at: &Range<usize>, part: Range<usize>) -> Range<usize> {
    if at.len() == word.len() {
        at.start + part.start..at.start + part.end
    } else {
        at.clone()
    }
}

fn place(text: &str, at: &Range<usize>, source: &impl Fn(&Range<usize>) -> Range<usize>) -> Word {
    Word {
        text: text.to_owned(),
        span: source(at),
    }
}
