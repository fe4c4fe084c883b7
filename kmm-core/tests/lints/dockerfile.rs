//! What the Dockerfile reader makes of odd and of usual files.

use kmm_core::build::Dockerfile;
use kmm_core::build::dockerfile::Base;
use kmm_core::build::dockerfile::FaultKind;
use kmm_core::build::dockerfile::Form;
use kmm_core::build::dockerfile::Visibility;

fn texts(source: &str) -> Vec<(String, Form, &str)> {
    let file = Dockerfile::read(source);
    file.uses
        .iter()
        .map(|found| (found.name.clone(), found.form, &source[found.span.clone()]))
        .collect()
}

#[test]
fn continuations_and_comments_join() {
    let source = "FROM a\nRUN one \\\n# a comment\n\n  two ${X} && \\  \n  depmod -b /opt $X\nRUN three\n";
    let file = Dockerfile::read(source);
    assert_eq!(file.instructions.len(), 3);
    assert_eq!(&source[file.uses[0].span.clone()], "${X}");
    assert_eq!(&source[file.depmods[0].span.clone()], "depmod -b /opt $X");
    assert_eq!(file.faults, []);
}

#[test]
fn the_escape_directive_counts_at_the_top_only() {
    assert_eq!(Dockerfile::read("# escape=`\nFROM a\n").escape, '`');
    assert_eq!(Dockerfile::read("FROM a\n# escape=`\n").escape, '\\');
    let file = Dockerfile::read("# syntax=x\n# escape=`\nFROM a\nRUN b `\n c\n");
    assert_eq!(file.instructions.len(), 2);
}

#[test]
fn stages_start_from_stages() {
    let file = Dockerfile::read(
        "ARG V=1\nFROM reg/a:${V} AS One\nFROM one as two\nFROM scratch\nCOPY --from=two /x /y\n",
    );
    assert_eq!(file.stages[0].name.as_deref(), Some("One"));
    assert_eq!(file.stages[1].base, Base::Stage(0));
    assert_eq!(file.stages[2].base, Base::Scratch);
    assert!(file.descends(1, 0) && !file.descends(2, 0));
    assert_eq!(file.root_image(1), "reg/a:${V}");
    assert_eq!(file.copies[0].from.as_ref().unwrap().text, "two");
    assert_eq!(file.visibility(&file.uses[0]), Visibility::Declared);
}

#[test]
fn heredocs_are_part_of_their_instruction() {
    let source = "FROM a\nRUN <<EOF\ndepmod -b /opt ${K}\nEOF\nCOPY <<-\"X\" /etc/f\n\tFROM b\n\tX\nRUN cat <<< word\n";
    let file = Dockerfile::read(source);
    assert_eq!(file.instructions.len(), 4);
    assert_eq!(&source[file.depmods[0].span.clone()], "depmod -b /opt ${K}");
    assert_eq!(&source[file.uses[0].span.clone()], "${K}");
    assert!(file.copies[0].sources.is_empty());
    let open = Dockerfile::read("FROM a\nRUN <<EOF\nx\n");
    assert_eq!(open.faults[0].kind, FaultKind::OpenHeredoc("EOF".to_owned()));
}

#[test]
fn variables_in_all_forms() {
    let found = texts("FROM a\nCOPY a /x/$ {K}/\nRUN b $A ${B} ${C:-$D} $(EF) '$G' \\$H $$ $1 \"$I\"\n");
    let names: Vec<(&str, Form)> = found
        .iter()
        .map(|(name, form, _)| (name.as_str(), *form))
        .collect();
    assert_eq!(
        names,
        [
            ("K", Form::Spaced),
            ("A", Form::Bare),
            ("B", Form::Braced),
            ("C", Form::Guarded),
            ("D", Form::Bare),
            ("EF", Form::Parenthesised),
            ("I", Form::Bare),
        ]
    );
    assert_eq!(found[0].2, "$ {K}");
}

#[test]
fn depmod_in_all_forms() {
    let options = |line: &str| {
        let file = Dockerfile::read(&format!("FROM a\nRUN {line}\n"));
        let text =
            |word: &Option<kmm_core::build::dockerfile::Word>| word.as_ref().map(|word| word.text.clone());
        file.depmods
            .iter()
            .map(|found| (text(&found.base), text(&found.version)))
            .collect::<Vec<_>>()
    };
    let some = |text: &str| Some(text.to_owned());
    for line in [
        "depmod -b /opt ${K}",
        "x && /sbin/depmod -ab /opt ${K}",
        "depmod -b/opt -F System.map ${K} > /dev/null",
        "depmod --basedir=/opt ${K}; y",
        "if x; then depmod --basedir /opt \"${K}\"; fi",
        "[\"depmod\", \"-b\", \"/opt\", \"${K}\"]",
        "[\"sh\", \"-c\", \"depmod -b /opt ${K}\"]",
        "--mount=type=cache,target=/x V=1 depmod -b /opt ${K}",
    ] {
        assert_eq!(options(line), [(some("/opt"), some("${K}"))], "{line}");
    }
    assert_eq!(options("depmod"), [(None, None)]);
    assert_eq!(options("echo depmod"), []);
    assert_eq!(
        options("depmod -a && depmod -b /x"),
        [(None, None), (some("/x"), None)]
    );
}

#[test]
fn shells_set_variables_themselves() {
    let file =
        Dockerfile::read("FROM a\nRUN K=$(uname -r) && make $K && for F in a b; do echo $F; done; echo $L\n");
    let seen: Vec<Visibility> = file.uses.iter().map(|found| file.visibility(found)).collect();
    assert_eq!(
        seen,
        [Visibility::Shell, Visibility::Shell, Visibility::Undeclared]
    );
}

#[test]
fn what_is_not_understood_is_said() {
    let kinds = |source: &str| {
        Dockerfile::read(source)
            .faults
            .into_iter()
            .map(|fault| fault.kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(""), [FaultKind::NoStage]);
    assert_eq!(
        kinds("FROM a\n as builder\n"),
        [FaultKind::UnknownInstruction("as".to_owned())]
    );
    assert_eq!(
        kinds("RUN x\nFROM a\n"),
        [FaultKind::BeforeFrom("RUN".to_owned())]
    );
    assert_eq!(
        kinds("FROM a\nCOPY x\n"),
        [FaultKind::Incomplete("COPY".to_owned())]
    );
    assert_eq!(kinds(&"#".repeat((1 << 20) + 1)), [FaultKind::TooLong]);
}

#[test]
fn large_files_are_read_in_reasonable_time() {
    let start = "FROM a\n".to_owned();
    for part in [
        "RUN x \\\n",
        "RUN <<E\n",
        "$ ",
        "${A",
        "\\\n",
        "ARG A\n",
        "COPY a b\n",
        "FROM b\n",
        "\"",
        "<<",
    ] {
        Dockerfile::read(&(start.clone() + &part.repeat(20_000)));
    }
}
