//! Every fix mends what it says, and applies to the text.

use kmm_core::document;
use kmm_core::document::Limits;
use kmm_core::document::Node;
use kmm_core::path::FieldPath;

use crate::cases;

#[test]
fn a_fix_ends_its_finding() {
    let mut fixed = 0;
    for folder in cases::folders() {
        let code = folder.file_name().unwrap().to_str().unwrap().to_owned();
        for (name, _, mut objects) in cases::cases(&folder) {
            for index in 0..objects.len() {
                // Each fix ends at least one finding, so there are at most as many rounds as findings.
                loop {
                    let found = cases::run(&objects, index, false);
                    let found: Vec<_> = found.into_iter().filter(|found| found.code == code).collect();
                    let Some(fix) = found.iter().find_map(|found| found.fix.clone()) else {
                        break;
                    };
                    let text = serde_json::to_string_pretty(&objects[index].to_json()).unwrap();
                    let stream = document::read(&text, &Limits::default());
                    let mut editor = stream.editor(&text);
                    editor
                        .add(0, &FieldPath::root(), &fix.edits)
                        .unwrap_or_else(|error| panic!("{name}: {error}"));
                    let text = editor.finish().unwrap_or_else(|error| panic!("{name}: {error}"));
                    objects[index] = serde_json::from_str::<Node>(&text)
                        .unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
                    let after = cases::run(&objects, index, false);
                    let after = after.iter().filter(|found| found.code == code).count();
                    assert!(after < found.len(), "{name}: the fix changes nothing\n{text}");
                    fixed += 1;
                }
            }
        }
    }
    assert!(fixed > 40, "{fixed} fixes");
}

#[test]
fn quotes_keep_the_text_of_a_number() {
    let text = "kind: Module\nspec:\n  moduleLoader:\n    container:\n      version: 5.10 # here\n";
    let stream = document::read(text, &Limits::default());
    let objects: Vec<Node> = stream
        .documents
        .iter()
        .map(|document| document.root.clone())
        .collect();
    let found = cases::run(&objects, 0, false);
    let found = found.iter().find(|found| found.code == "KMM1072").unwrap();
    let mut editor = stream.editor(text);
    editor
        .add(0, &FieldPath::root(), &found.fix.as_ref().unwrap().edits)
        .unwrap();
    let out = editor.finish().unwrap();
    assert!(
        out.contains("version: \"5.10\" # here") || out.contains("version: '5.10' # here"),
        "{out}"
    );
}
