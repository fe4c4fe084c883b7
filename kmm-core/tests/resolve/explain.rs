//! Why a mapping did or did not win, in words.

use kmm_core::kernel::KernelVersion;
use kmm_core::module::Compiled;
use serde_json::json;

use super::properties::module_of;

#[test]
fn every_reason_in_words() {
    let compiled = Compiled::new(&module_of(&json!({
        "containerImage": "reg.example/$MOD_NAME:$KERNEL_XYZ$NOPE",
        "registryTLS": {"insecure": true},
        "build": {"dockerfileConfigMap": {"name": "c"}},
        "kernelMappings": [
            {"regexp": r"^.+\fc37\.x86_64$"},
            {"literal": "6.1.0"},
            {"literal": "6.2.0-13-amd64"},
            {"literal": "6.1.0-13-amd64+"},
            {},
            {"regexp": r"^6\.2\."},
            {"literal": "5", "regexp": r"^5\."},
            {
                "regexp": "amd64$", "registryTLS": {},
                "build": {"dockerfileConfigMap": {"name": "m"}, "selector": {"a": "b"}}
            },
            {"regexp": "("},
        ],
    })));
    let explanation = compiled.explain(&KernelVersion::new("6.1.0-13-amd64+"));
    assert_eq!(explanation.winner(), Some(7));
    let text = explanation.to_string();
    for line in [
        "ns/drv on 6.1.0-13-amd64+: `reg.example/drv:6.1.0` by kernelMappings[7]",
        r"kernelMappings[0], regexp `^.+\fc37\.x86_64$`: no: it matches nothing: `\f` is a form feed, which no kernel release has",
        "kernelMappings[1], literal `6.1.0`: no: the kernel goes on with `-13-amd64`",
        "kernelMappings[2], literal `6.2.0-13-amd64`: no: byte 2 is '2' in the literal and '1' in the kernel",
        "kernelMappings[3], literal `6.1.0-13-amd64+`: no: one `+` at the end of a kernel is dropped before mappings see it; drop it here too",
        "kernelMappings[4]: no: it has neither literal nor regexp",
        "kernelMappings[7], regexp `amd64$`: wins: found at bytes 9 to 14",
        "kernelMappings[8], regexp `(`: not reached: kernelMappings[7] wins",
        "registryTLS: mapping (replaces the container's as a whole)",
        "build.dockerfileConfigMap: mapping",
        "build.selector: unset (the mapping's value is ignored because the container has `build` too)",
        "tolerations[0]: operator",
        "containerImage = `reg.example/$MOD_NAME:$KERNEL_XYZ$NOPE` -> `reg.example/drv:6.1.0`",
        "  `$NOPE` -> nothing: it is not set here",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "no line\n{line}\nin\n{text}"
        );
    }
    let near = explanation.mappings[5].to_string();
    assert!(near.contains("`6.` fits, then `2` could come, not `1`"), "{near}");
    assert!(explanation.mappings[6].to_string().contains("; "), "{text}");
}

#[test]
fn a_regexp_that_is_refused_ends_it() {
    let compiled = Compiled::new(&module_of(&json!({
        "kernelMappings": [{"literal": "6.1"}, {"regexp": "("}, {"regexp": "."}],
    })));
    let explanation = compiled.explain(&KernelVersion::new("6.1.0"));
    let lines: Vec<String> = explanation.mappings.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "kernelMappings[0], literal `6.1`: no: the kernel goes on with `.0`",
            "kernelMappings[1], regexp `(`: refused: error parsing regexp: missing closing ): `(`",
            "kernelMappings[2], regexp `.`: not reached: the regexp of kernelMappings[1] is refused",
        ]
    );
    assert!(explanation.origins.is_empty() && explanation.templates.is_empty());
}

#[test]
fn the_json_is_what_the_guide_says() {
    let compiled = Compiled::new(&module_of(&json!({
        "kernelMappings": [{"literal": "5.0.0"}, {"regexp": "6", "containerImage": "a:$KERNEL_X"}],
    })));
    let json = serde_json::to_value(compiled.explain(&KernelVersion::new("6.1.0"))).unwrap();
    assert_eq!(
        json["mappings"],
        json!([
            {"index": 0, "literal": "5.0.0", "verdict": "missed",
             "literalMiss": {"kind": "differs", "at": 0, "literal": "5", "kernel": "6"}},
            {"index": 1, "regexp": "6", "verdict": "won", "found": [0, 1]},
        ])
    );
    assert_eq!(
        json["templates"],
        json!([{
            "field": "containerImage",
            "path": "spec.moduleLoader.container.kernelMappings[1].containerImage",
            "template": "a:$KERNEL_X", "text": "a:6", "error": null,
            "steps": [
                {"start": 0, "end": 2, "source": "a:", "value": "a:", "origin": "text"},
                {"start": 2, "end": 11, "source": "$KERNEL_X", "value": "6", "origin": "variable"},
            ],
        }])
    );
    assert_eq!((&json["winner"], &json["error"]), (&json!(1), &json!(null)));
}
