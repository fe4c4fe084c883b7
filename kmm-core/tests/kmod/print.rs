use kmm_core::kmod::KernelObject;
use kmm_core::kmod::PlainOnly;
use kmm_core::kmod::Rendering;
use kmm_core::kmod::json;

use crate::builder::Object;

const PAIRS: [&str; 9] = [
    "name=a",
    "odd",
    "parmtype=typed:int",
    "parm=told:what",
    "parm=both:what",
    "parmtype=both:bool",
    "a_key_of_17_chars=x",
    "alias=one=two",
    "parm=broken",
];

fn printed(field: Option<&str>, nul: bool) -> String {
    let read = KernelObject::read(&Object::module(&PAIRS).build(), &PlainOnly).unwrap();
    let rendering = Rendering {
        field: field.map(str::to_owned),
        nul,
    };
    String::from_utf8(rendering.text("/x/a.ko", &read.info)).unwrap()
}

#[test]
fn lines_are_as_modinfo_prints_them() {
    let expected = "\
filename:       /x/a.ko
name:           a
odd:            
a_key_of_17_chars:  x
alias:          one=two
parm:           both:what (bool)
parm:           told:what
parm:           typed:int
";
    assert_eq!(printed(None, false), expected);
    let expected = "filename:       /x/a.ko\0name=a\0odd=\0a_key_of_17_chars=x\0alias=one=two\0\
                    parm:           both:what (bool)\0parm:           told:what\0parm:           typed:int\0";
    assert_eq!(printed(None, true), expected);
}

#[test]
fn one_field_is_printed_without_its_name() {
    assert_eq!(printed(Some("alias"), false), "one=two\n");
    assert_eq!(printed(Some("filename"), true), "/x/a.ko\0");
    assert_eq!(
        printed(Some("parm"), false),
        "both:what (bool)\ntold:what\ntyped: (int)\n"
    );
    assert_eq!(printed(Some("parmtype"), false), "typed:int\nboth:bool\n");
    assert_eq!(printed(Some("nothing"), false), "");
}

#[test]
fn json_has_every_value() {
    let read = KernelObject::read(&Object::module(&PAIRS).build(), &PlainOnly).unwrap();
    let value = json("/x/a.ko", &read.info);
    assert_eq!(value["fields"]["alias"], serde_json::json!(["one=two"]));
    assert_eq!(
        value["parameters"][0],
        serde_json::json!({"name": "typed", "type": "int", "description": null})
    );
    assert!(value["signature"].is_null());
}
