use super::*;

fn ask(webhook: Webhook, operation: &str, object: &Value, old: &Value) -> Value {
    let review = json!({"request": {"uid": "u", "operation": operation, "object": object, "oldObject": old}});
    let answered = answer(webhook, review.to_string().as_bytes(), &Cluster::default()).unwrap();
    assert_eq!(answered.review["response"]["uid"], "u");
    answered.review["response"].clone()
}

fn module(name: &str, mappings: &Value) -> Value {
    json!({
        "apiVersion": V1BETA1, "kind": "Module", "metadata": {"name": name, "namespace": "drivers"},
        "spec": {
            "selector": {"pool": "acme"},
            "moduleLoader": {"container": {"modprobe": {"moduleName": "nic"}, "kernelMappings": mappings}},
        },
    })
}

fn good() -> Value {
    module(
        "nic",
        &json!([{"regexp": "^6\\.", "containerImage": "registry.example.com/nic:${KERNEL_FULL_VERSION}"}]),
    )
}

fn bad() -> Value {
    module(
        "nic",
        &json!([{"containerImage": "registry.example.com/nic"}, {"literal": "a", "regexp": "("}]),
    )
}

#[test]
fn what_is_right_is_allowed() {
    let response = ask(Webhook::Module, "CREATE", &good(), &Value::Null);
    assert_eq!(response, json!({"uid": "u", "allowed": true}));
}

#[test]
fn one_fault_has_the_words_of_the_go_operator() {
    let mut one = good();
    one["spec"]["moduleLoader"]["container"]["kernelMappings"][0]["containerImage"] =
        json!("registry.example.com/nic");
    let response = ask(Webhook::Module, "CREATE", &one, &Value::Null);
    assert_eq!(response["allowed"], false);
    assert_eq!(
        response["status"],
        json!({
            "code": 403, "reason": "Forbidden",
            "message": "failed to validate kernel mappings: failed to validate image format: container image must \
                explicitely set a tag or digest; got: registry.example.com/nic",
        })
    );
}

#[test]
fn every_fault_is_told() {
    let response = ask(Webhook::Module, "CREATE", &bad(), &Value::Null);
    let message = response["status"]["message"].as_str().unwrap();
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 1 + 5, "{message}");
    assert_eq!(lines[0], "5 faults:");
    for part in [
        "regexp or literal must be set at kernelMappings[0]",
        "regexp and literal are mutually exclusive properties at kernelMappings[1]",
        "invalid regexp at index 1",
        "missing spec.moduleLoader.container.kernelMappings[1].containerImage",
        "must explicitely set a tag or digest",
    ] {
        assert!(message.contains(part), "{part}\n{message}");
    }
    // What `kmm validate --explain` says more about, and where it is.
    let places = [
        "- KMM0215: spec.moduleLoader.container.kernelMappings[1]: ",
        "- KMM0216: spec.moduleLoader.container.kernelMappings[1].regexp: ",
    ];
    for place in places {
        assert!(message.contains(place), "{place}\n{message}");
    }
}

#[test]
fn lints_are_warnings() {
    let mut odd = good();
    odd["spec"]["moduleLoader"]["container"]["modprobe"]["moduleName"] = json!("nic.ko");
    let response = ask(Webhook::Module, "CREATE", &odd, &Value::Null);
    assert_eq!(response["allowed"], true);
    let warnings = response["warnings"].as_array().unwrap();
    assert!(
        warnings
            .iter()
            .any(|text| text.as_str().unwrap().contains("nic.ko")),
        "{warnings:?}"
    );
    assert!(
        warnings
            .iter()
            .all(|text| text.as_str().unwrap().len() <= LONGEST_WARNING)
    );
}

/// Row 6.27: what older rules let in can be released.
#[test]
fn an_update_that_leaves_the_specification_is_allowed() {
    let mut released = bad();
    released["metadata"]["finalizers"] = json!([]);
    let response = ask(Webhook::Module, "UPDATE", &released, &bad());
    assert_eq!(response["allowed"], true);
    assert!(
        response["warnings"][0]
            .as_str()
            .unwrap()
            .starts_with("as stored: ")
    );
    let mut changed = bad();
    changed["spec"]["selector"] = json!({});
    assert_eq!(ask(Webhook::Module, "UPDATE", &changed, &bad())["allowed"], false);
}

#[test]
fn a_version_cannot_be_taken_back() {
    let mut versioned = good();
    versioned["spec"]["moduleLoader"]["container"]["version"] = json!("1");
    let response = ask(Webhook::Module, "UPDATE", &versioned, &good());
    assert!(
        response["status"]["message"]
            .as_str()
            .unwrap()
            .starts_with("cannot update to or from an empty version")
    );
}

#[test]
fn many_faults_are_cut() {
    let mappings: Vec<Value> = (0..200).map(|_| json!({})).collect();
    let response = ask(
        Webhook::Module,
        "CREATE",
        &module("nic", &json!(mappings)),
        &Value::Null,
    );
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.starts_with("400 faults:"), "{message}");
    assert!(message.lines().count() <= MOST_FINDINGS + 2 && message.len() <= LONGEST_DENIAL);
}

#[test]
fn a_namespace_with_modules_stays() {
    let marked = json!({"metadata": {"labels": {"kmm.node.k8s.io/contains-modules": ""}}});
    let response = ask(Webhook::Namespace, "DELETE", &Value::Null, &marked);
    assert_eq!(response["status"]["message"], admission::NAMESPACE_MESSAGE);
    let other = json!({"metadata": {}});
    assert_eq!(
        ask(Webhook::Namespace, "DELETE", &Value::Null, &other)["allowed"],
        true
    );
    assert_eq!(
        ask(Webhook::Namespace, "CREATE", &other, &Value::Null)["status"]["message"],
        "not implemented"
    );
}

#[test]
fn kernels_of_preflights() {
    let of = |kernel: &str| {
        let object = json!({
            "apiVersion": V1BETA2, "kind": "PreflightValidation", "metadata": {"name": "p"},
            "spec": {"kernelVersion": kernel},
        });
        ask(Webhook::PreflightValidation, "CREATE", &object, &Value::Null)
    };
    assert_eq!(of("6.1.0-31-amd64")["allowed"], true);
    assert_eq!(of("6")["status"]["message"], "invalid kernelVersion 6");
}

#[test]
fn a_managed_module_is_checked_by_its_specification() {
    let hub = json!({
        "apiVersion": "hub.kmm.sigs.x-k8s.io/v1beta1", "kind": "ManagedClusterModule", "metadata": {"name": "m"},
        "spec": {"moduleSpec": bad()["spec"], "selector": {}},
    });
    let response = ask(Webhook::ManagedClusterModule, "CREATE", &hub, &Value::Null);
    assert!(
        response["status"]["message"]
            .as_str()
            .unwrap()
            .starts_with("5 faults:"),
        "{response}"
    );
}

#[test]
fn what_is_no_review_is_refused() {
    let cluster = Cluster::default();
    for body in [&b"{"[..], b"{}", b"[]", br#"{"request": {"uid": 5}}"#] {
        assert!(answer(Webhook::Module, body, &cluster).is_err());
    }
    let response = ask(Webhook::Module, "CREATE", &json!({"spec": 5}), &Value::Null);
    assert_eq!(
        (&response["allowed"], &response["status"]["code"]),
        (&json!(false), &json!(400))
    );
}

fn review(desired: &str, objects: &Value) -> Value {
    let review = json!({
        "apiVersion": "apiextensions.k8s.io/v1beta1", "kind": "ConversionReview",
        "request": {"uid": "u", "desiredAPIVersion": desired, "objects": objects},
    });
    let cluster = Cluster::default();
    let answered = answer(Webhook::Conversion, review.to_string().as_bytes(), &cluster).unwrap();
    assert_eq!(answered.review["apiVersion"], review["apiVersion"]);
    answered.review["response"].clone()
}

#[test]
fn preflights_are_converted_both_ways() {
    let new = json!({
        "apiVersion": V1BETA2, "kind": "PreflightValidation",
        "metadata": {"name": "p", "managedFields": [{"manager": "x"}]},
        "spec": {"kernelVersion": "6.1.0"},
        "status": {"modules": [{
            "name": "nic", "namespace": "drivers", "verificationStatus": "Success", "verificationStage": "Done",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]},
    });
    let old = review(V1BETA1, &json!([new]))["convertedObjects"][0].clone();
    assert_eq!(old["apiVersion"], V1BETA1);
    assert_eq!(old["metadata"], new["metadata"]);
    assert_eq!(
        old["status"]["crStatuses"]["drivers/nic"]["verificationStatus"],
        "Success"
    );
    let back = review(V1BETA2, &json!([old]))["convertedObjects"][0].clone();
    assert_eq!(back, new);
    let failed = review("kmm.sigs.x-k8s.io/v9", &json!([new]));
    assert_eq!(failed["result"]["status"], "Failure");
}

/// What another definition of the kind let in may be mended, and may go.
#[test]
fn a_stored_object_that_cannot_be_read_may_be_changed() {
    let mut stored = good();
    stored["spec"]["moduleLoader"]["container"]["kernelMappings"] = json!("none");
    let response = ask(Webhook::Module, "UPDATE", &good(), &stored);
    assert_eq!(response["allowed"], true, "{response}");
    let response = ask(Webhook::Module, "UPDATE", &stored, &stored);
    assert_eq!(response["allowed"], true, "{response}");
    let warning = response["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("as stored: "), "{warning}");
    let response = ask(Webhook::Module, "UPDATE", &stored, &good());
    assert_eq!(response["allowed"], false, "{response}");
}

/// Each value takes many times the memory of its text.
#[test]
fn a_review_of_too_many_values_is_refused() {
    let values = vec![json!([0]); MOST_VALUES];
    let review = json!({"request": {"uid": "u", "values": values}}).to_string();
    let error = answer(Webhook::Module, review.as_bytes(), &Cluster::default()).unwrap_err();
    assert_eq!(error, "more than 200000 values");
}
