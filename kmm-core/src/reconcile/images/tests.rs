//! One table: situation, plan, reasons.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::reconcile::testing::assert_lines;
use crate::reconcile::testing::lines;
use crate::reconcile::testing::read;

const A: &str = "registry.example.com/a:1";
const POD: &str = "nic-pull-pod-af44dfaa9a";
const SECOND: &str = "nic-pull-pod-af44dfaa9a-2";
const CREATED: i64 = 1_795_248_000;

/// A situation in the making.
#[derive(Clone)]
struct Situation {
    images: Value,
    pods: Vec<Value>,
    answers: BTreeMap<String, RegistryAnswer>,
    placement: Option<Placement>,
    check: ImageCheck,
    now: i64,
}

impl Situation {
    fn plan(&self) -> Plan {
        let images: ModuleImagesConfig = read(self.images.clone());
        let pods: Vec<Pod> = self.pods.iter().cloned().map(read).collect();
        let mut installation = Installation::default();
        installation.config.images.check = self.check;
        plan(&View {
            images: &images,
            pods: &pods,
            answers: &self.answers,
            placement: self.placement.as_ref(),
            installation: &installation,
            now: Timestamp(self.now),
        })
    }

    fn known(mut self, state: &str) -> Self {
        self.images["status"]["imagesStates"] = json!([{"image": A, "status": state}]);
        self
    }

    /// The image is built, signed, or only checked.
    fn with(mut self, part: &str) -> Self {
        self.images["spec"]["images"][0][part] = match part {
            "build" => json!({"dockerfileConfigMap": {"name": "d"}}),
            "sign" => json!({"certSecret": {"name": "c"}, "keySecret": {"name": "k"}}),
            _ => json!(true),
        };
        self
    }

    fn spec(mut self, key: &str, value: Value) -> Self {
        self.images["spec"][key] = value;
        self
    }

    fn pod(mut self, status: Value) -> Self {
        self.pods.push(pod(POD, 1, status));
        self
    }

    fn waiting(self, reason: &str) -> Self {
        let waiting = json!({"reason": reason, "message": "says the kubelet"});
        self.pod(json!({"phase": "Pending", "containerStatuses": [{"name": "puller", "state": {"waiting": waiting}}]}))
    }

    fn at(mut self, seconds: i64) -> Self {
        self.now = CREATED + seconds;
        self
    }

    fn asking(mut self) -> Self {
        self.check = ImageCheck::Registry;
        self
    }

    fn answer(mut self, outcome: RegistryOutcome, attempts: u32) -> Self {
        let generation = self.images["spec"]["imageRebuildTriggerGeneration"].as_i64();
        let answer = RegistryAnswer {
            outcome,
            at: Timestamp(CREATED),
            attempts,
            generation,
        };
        self.answers.insert(A.to_owned(), answer);
        self.check = ImageCheck::Registry;
        self
    }

    fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

fn pod(name: &str, attempt: u32, status: Value) -> Value {
    let mut pod = json!({
        "metadata": {
            "name": name, "namespace": "drivers", "uid": name, "creationTimestamp": "2026-11-21T08:00:00Z",
            "annotations": {names::ATTEMPT: attempt.to_string()},
        },
        "spec": {"containers": [{"name": "puller", "image": A}]},
    });
    pod["status"] = status;
    pod
}

fn one() -> Situation {
    Situation {
        images: json!({
            "metadata": {"name": "nic", "namespace": "drivers", "uid": "u", "resourceVersion": "7"},
            "spec": {"images": [{"image": A, "kernelVersion": "6.1.0"}]},
        }),
        pods: Vec::new(),
        answers: BTreeMap::new(),
        placement: None,
        check: ImageCheck::Pod,
        now: CREATED,
    }
}

fn terminating(mut pod: Value) -> Value {
    pod["metadata"]["deletionTimestamp"] = json!("2026-11-21T08:00:01Z");
    pod
}

fn ended(exit_code: i32, reason: &str) -> Value {
    let terminated = json!({"exitCode": exit_code, "reason": reason, "finishedAt": "2026-11-21T08:00:00Z"});
    json!({"phase": "Failed", "reason": "Evicted", "containerStatuses": [{"name": "puller", "state": {"terminated": terminated}}]})
}

fn state(status: &str) -> String {
    format!(r#"status ModuleImagesConfig nic {{"imagesStates":[{{"image":"{A}","status":"{status}"}}]}}"#)
}

#[test]
fn the_list_as_a_whole() {
    let rows: [(&str, Situation, &[&str]); 6] = [
        (
            "it is being deleted",
            one().change(|it| it.images["metadata"]["deletionTimestamp"] = json!("2026-11-21T08:00:00Z")),
            &["because ModuleDeleting"],
        ),
        (
            "no node needs an image",
            one().spec("images", json!([])),
            &["because NoImages"],
        ),
        (
            "the rebuild counter changed",
            one()
                .spec("imageRebuildTriggerGeneration", json!(2))
                .waiting("ImagePullBackOff")
                .known("Exists"),
            &[
                "delete Pod nic-pull-pod-af44dfaa9a",
                "delete ModuleBuildSignConfig nic",
                r#"status ModuleImagesConfig nic {"imageRebuildTriggerGeneration":2,"imagesStates":[]}"#,
                "because ImagesForgotten",
            ],
        ),
        (
            "the rebuild counter was taken out",
            one()
                .known("Exists")
                .change(|it| it.images["status"]["imageRebuildTriggerGeneration"] = json!(2)),
            &[
                "delete ModuleBuildSignConfig nic",
                r#"status ModuleImagesConfig nic {"imageRebuildTriggerGeneration":null,"imagesStates":[]}"#,
                "because ImagesForgotten",
            ],
        ),
        (
            "a pod pulls what is listed no more",
            one().known("Exists").change(|it| {
                let mut other = pod("old", 1, json!({"phase": "Pending"}));
                other["spec"]["containers"][0]["image"] = json!("registry.example.com/old:1");
                it.pods.extend([other.clone(), terminating(other)]);
            }),
            &["delete Pod old", "because PullPodUnwanted", "because ImageExists"],
        ),
        (
            "a sidecar stands before the puller",
            one().pod(json!({"phase": "Succeeded"})).change(|it| {
                let sidecar = json!({"name": "proxy", "image": "registry.example.com/proxy:1"});
                it.pods[0]["spec"]["containers"]
                    .as_array_mut()
                    .unwrap()
                    .insert(0, sidecar);
            }),
            &[
                &state("Exists"),
                "delete Pod nic-pull-pod-af44dfaa9a",
                "because ImageExists",
            ],
        ),
    ];
    for (situation, row, wanted) in rows {
        assert_lines(situation, &row.plan(), wanted);
    }
}

#[test]
fn what_is_known_already() {
    let rows = [
        ("Exists", "", "ImageExists"),
        ("NeedsBuilding", "build", "ImageToMake"),
        ("NeedsSigning", "sign", "ImageToMake"),
        ("DoesNotExist", "", "ImageMissing"),
        ("DoesNotExist", "build", "ImageNotMade"),
        ("DoesNotExist", "sign", "ImageNotMade"),
    ];
    for (known, part, cause) in rows {
        let mut row = one().known(known);
        if !part.is_empty() {
            row = row.with(part);
        }
        assert_lines(known, &row.plan(), &[&format!("because {cause}")]);
        // A pod that was left behind is cleared away, once.
        let row = row.waiting("ImagePullBackOff");
        let wanted = [format!("delete Pod {POD}"), format!("because {cause}")];
        assert_eq!(lines(&row.plan()), wanted, "{known}");
        let row = row.change(|it| it.pods[0] = terminating(it.pods[0].take()));
        assert_eq!(lines(&row.plan()), wanted[1..], "{known}");
    }
}

/// A known state stays, whatever was pushed since, until the rebuild counter changes.
#[test]
fn what_is_known_is_looked_for_again_when_it_is_wished() {
    for (known, part) in [
        ("NeedsBuilding", "build"),
        ("NeedsSigning", "sign"),
        ("DoesNotExist", "skipWaitMissingImage"),
        ("DoesNotExist", "build"),
    ] {
        let found = || one().with(part).answer(RegistryOutcome::Found, 1);
        let cause = |it: &Situation| {
            let reasons = it.plan().reasons;
            reasons
                .iter()
                .map(|reason| reason.cause.code())
                .collect::<Vec<_>>()
        };
        assert_ne!(cause(&found().known(known)), ["ImageExists"], "{known}");
        let wish = |it: Situation| it.spec("imageRebuildTriggerGeneration", json!(2));
        let wished = wish(found().known(known));
        assert_eq!(cause(&wished), ["ImagesForgotten"], "{known}");
        let forgotten = wish(one().with(part))
            .change(|it| it.images["status"]["imageRebuildTriggerGeneration"] = json!(2))
            .answer(RegistryOutcome::Found, 1);
        assert_eq!(cause(&forgotten), ["ImageExists"], "{known}");
    }
}

#[test]
fn pull_pods() {
    let create = format!("create Pod {POD}");
    let second = format!("create Pod {SECOND}");
    let delete = format!("delete Pod {POD}");
    let exists = state("Exists");
    let unproven = json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource"});
    let unscheduled =
        json!({"type": "PodScheduled", "status": "False", "message": "0/4 nodes are available"});
    let with_id =
        json!({"phase": "Pending", "containerStatuses": [{"name": "puller", "imageID": "sha256:1"}]});
    let unscheduled = || json!({"phase": "Pending", "conditions": [unscheduled]});
    let two = |first: Value, second: Value| {
        move |it: &mut Situation| it.pods.extend([pod(POD, 1, first), pod(SECOND, 2, second)])
    };
    let done: Vec<&str> = vec![&exists, &delete, "because ImageExists"];
    let again: Vec<&str> = vec![&delete, &second, "because PullStarted"];
    let failing = |reason| one().waiting(reason);
    let rows: Vec<(&str, Situation, Vec<&str>)> = vec![
        ("no pod", one(), vec![&create, "because PullStarted"]),
        ("it succeeded", one().pod(json!({"phase": "Succeeded"})), done.clone()),
        ("the shell is missing", failing("CreateContainerError"), done.clone()),
        ("the container may not run", failing("CreateContainerConfigError"), done.clone()),
        ("the container could not run", failing("RunContainerError"), done.clone()),
        ("it ended with a failure", one().pod(ended(1, "Error")), done.clone()),
        ("the shell could not start", one().pod(ended(128, "StartError")), done.clone()),
        ("the image has an id", one().pod(with_id), done.clone()),
        (
            "it runs",
            one().pod(json!({"phase": "Running", "containerStatuses": [{"name": "puller", "state": {"running": {}}}]})),
            done.clone(),
        ),
        ("it was just made", one().pod(json!({"phase": "Pending"})), vec!["because Pulling"]),
        ("it is created", failing("ContainerCreating"), vec!["because Pulling"]),
        ("its node is silent", one().pod(json!({"phase": "Unknown"})), vec!["because Pulling"]),
        ("it runs, and nobody says what", one().pod(json!({"phase": "Running"})), vec!["because Pulling"]),
        ("no node takes it", one().pod(unscheduled()), vec!["because PullUnschedulable"]),
        ("not there", failing("ImagePullBackOff"), vec!["because PullFailed"]),
        ("not there yet", failing("ErrImagePull"), vec!["because PullFailed"]),
        (
            "the kubelet refused it before it pulled",
            one().pod(unproven.clone()).at(4),
            vec!["because PullFailed", "again in 6 s"],
        ),
        ("the wait is over", one().pod(unproven).at(10), again.clone()),
        // What the kubelet writes of a container of which it knows nothing is no proof.
        (
            "the container is not known",
            one().pod(ended(137, "ContainerStatusUnknown")).at(4),
            vec!["because PullFailed", "again in 6 s"],
        ),
        (
            "the name is no name",
            failing("InvalidImageName").at(1),
            vec!["because PullFailed", "again in 9 s"],
        ),
        ("the policy forbids it", failing("ErrImageNeverPull").at(10), again.clone()),
        // A pod that does not go, on a node that is lost, does not block the image.
        (
            "the only pod is being deleted",
            one().change(|it| it.pods.push(terminating(pod(POD, 1, json!({"phase": "Running"}))))),
            vec![&second, "because PullStarted"],
        ),
        (
            "its success may be older than the wish",
            one().change(|it| it.pods.push(terminating(pod(POD, 1, json!({"phase": "Succeeded"}))))),
            vec![&second, "because PullStarted"],
        ),
        (
            "the one before is still going",
            one().change(two(json!({"phase": "Running"}), json!({"phase": "Pending"})))
                .change(|it| it.pods[0] = terminating(it.pods[0].take())),
            vec!["because Pulling"],
        ),
        (
            "the newest counts",
            one().change(two(json!({"phase": "Pending"}), unscheduled())),
            vec!["because PullUnschedulable"],
        ),
    ];
    for (situation, row, wanted) in rows {
        assert_lines(situation, &row.plan(), &wanted);
    }
}

/// A failed pull is an answer where something else makes the image, unless nobody was asked.
#[test]
fn pull_pods_of_images_that_are_made() {
    let delete = format!("delete Pod {POD}");
    for (part, made) in [
        ("build", "NeedsBuilding"),
        ("sign", "NeedsSigning"),
        ("skipWaitMissingImage", "DoesNotExist"),
    ] {
        for reason in ["ErrImagePull", "ImagePullBackOff"] {
            let row = one().with(part).waiting(reason);
            assert_lines(
                part,
                &row.plan(),
                &[&state(made), &delete, "because ImageNotReady"],
            );
        }
        for reason in ["RegistryUnavailable", "SignatureValidationFailed"] {
            let row = one().with(part).waiting(reason);
            assert_lines(reason, &row.plan(), &["because PullFailed"]);
        }
    }
}

/// A pod that does not get on and was made from what is wanted no more is made anew; one that does get on is not.
#[test]
fn pull_pods_follow_the_module() {
    let secret = |it: Situation| it.spec("imageRepoSecret", json!({"name": "pull"}));
    let tolerations = |it: Situation| it.spec("tolerations", json!([{"key": "a", "operator": "Exists"}]));
    let policy = |it: Situation| it.spec("imagePullPolicy", json!("Always"));
    let again = [
        format!("delete Pod {POD}"),
        format!("create Pod {SECOND}"),
        "because PullStarted".to_owned(),
    ];
    for change in [&secret as &dyn Fn(Situation) -> Situation, &tolerations, &policy] {
        for reason in ["ImagePullBackOff", "InvalidImageName"] {
            assert_eq!(lines(&change(one()).waiting(reason).plan()), again);
        }
        assert_eq!(
            lines(&change(one().with("build")).waiting("ErrImagePull").plan()),
            again
        );
        assert_eq!(
            lines(&change(one()).waiting("ContainerCreating").plan()),
            ["because Pulling"]
        );
        // The pod that is made anew is what is wanted.
        let row = change(one());
        let Some(Action::Create { object }) = row.plan().actions.pop() else {
            panic!()
        };
        let row = row.change(|it| it.pods.push(object)).change(|it| {
            let waiting = json!({"reason": "ImagePullBackOff"});
            it.pods[0]["status"] = json!({"phase": "Pending", "containerStatuses": [{"name": "puller", "state": {"waiting": waiting}}]});
        });
        assert_eq!(lines(&row.plan()), ["because PullFailed"]);
    }
}

/// A pod that finds no node is made anew where other nodes are to use the image.
#[test]
fn pull_pods_follow_the_nodes() {
    let unscheduled =
        json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False"}]});
    let place = |pool: &str| Placement {
        selector: [("pool".to_owned(), pool.to_owned())].into(),
        architectures: [(A.to_owned(), ["arm64".to_owned()].into())].into(),
    };
    let bound = |pool: &str| {
        let mut row = one().pod(unscheduled.clone());
        row.pods[0]["spec"]["nodeSelector"] = json!({"pool": "a", "kubernetes.io/arch": "arm64"});
        row.placement = Some(place(pool));
        row
    };
    assert_lines("as wanted", &bound("a").plan(), &["because PullUnschedulable"]);
    let again = [
        format!("delete Pod {POD}"),
        format!("create Pod {SECOND}"),
        "because PullStarted".to_owned(),
    ];
    assert_eq!(lines(&bound("b").plan()), again);
    let mut unknown = bound("b");
    unknown.placement = None;
    assert_lines(
        "nobody knows where",
        &unknown.plan(),
        &["because PullUnschedulable"],
    );
}

#[test]
fn registries() {
    let failed = || RegistryOutcome::Failed {
        message: "401".to_owned(),
    };
    let ask = format!("ask {A}");
    let exists = state("Exists");
    let delete = format!("delete Pod {POD}");
    let rows: Vec<(&str, Situation, Vec<&str>)> = vec![
        ("not asked", one().asking(), vec![&ask, "because RegistryAsked"]),
        (
            "not asked, and a pod is left",
            one().asking().waiting("ErrImagePull"),
            vec![&delete, &ask, "because RegistryAsked"],
        ),
        (
            "found",
            one().answer(RegistryOutcome::Found, 1),
            vec![&exists, "because ImageExists"],
        ),
        (
            "not there",
            one().answer(RegistryOutcome::Missing, 1).at(3),
            vec!["because RegistryWaiting", "again in 7 s"],
        ),
        (
            "not there again",
            one().answer(RegistryOutcome::Missing, 3).at(3),
            vec!["because RegistryWaiting", "again in 37 s"],
        ),
        (
            "not there, and the wait is over",
            one().answer(RegistryOutcome::Missing, 1).at(10),
            vec![&ask, "because RegistryAsked"],
        ),
        (
            "no answer",
            one().answer(failed(), 1).at(3),
            vec!["because RegistryWaiting", "again in 7 s"],
        ),
        (
            "no answer, and it is built if it is not there",
            one().with("build").answer(failed(), 1).at(3),
            vec!["because RegistryWaiting", "again in 7 s"],
        ),
        (
            "the answer is older than the rebuild counter",
            one().answer(RegistryOutcome::Found, 1).change(|it| {
                it.images["spec"]["imageRebuildTriggerGeneration"] = json!(2);
                it.images["status"]["imageRebuildTriggerGeneration"] = json!(2);
            }),
            vec![&ask, "because RegistryAsked"],
        ),
    ];
    for (situation, row, wanted) in rows {
        assert_lines(situation, &row.plan(), &wanted);
    }
    for (part, made) in [
        ("build", "NeedsBuilding"),
        ("sign", "NeedsSigning"),
        ("skipWaitMissingImage", "DoesNotExist"),
    ] {
        let row = one().with(part).answer(RegistryOutcome::Missing, 1);
        assert_lines(part, &row.plan(), &[&state(made), "because ImageNotReady"]);
    }
}

/// What is asked, and of which pod: all that the Module says.
#[test]
fn questions_and_pods_say_all() {
    let placement = Placement {
        selector: [("pool".to_owned(), "a".to_owned())].into(),
        architectures: [(A.to_owned(), ["arm64".to_owned(), String::new()].into())].into(),
    };
    let row = one()
        .spec("imageRepoSecret", json!({"name": "pull"}))
        .spec("imagePullPolicy", json!("Always"))
        .spec("tolerations", json!([{"key": "a"}]))
        .change(|it| it.placement = Some(placement))
        .change(|it| it.images["spec"]["images"][0]["registryTLS"] = json!({"insecure": true}));
    let Some(Action::Create { object }) = row.plan().actions.pop() else {
        panic!()
    };
    assert_eq!(
        object["spec"],
        json!({
            "restartPolicy": "Never",
            "containers": [{"name": "puller", "image": A, "command": ["/bin/sh", "-c", "exit 0"], "imagePullPolicy": "Always"}],
            "imagePullSecrets": [{"name": "pull"}],
            "tolerations": [{"key": "a"}],
            "nodeSelector": {"pool": "a", "kubernetes.io/arch": "arm64"},
        })
    );
    let Some(Action::AskRegistry(question)) = row.asking().plan().actions.pop() else {
        panic!()
    };
    assert_eq!(
        json!(question),
        json!({
            "asker": {"kind": "ModuleImagesConfig", "namespace": "drivers", "name": "nic"},
            "image": A, "secret": {"name": "pull"}, "tls": {"insecure": true}, "architectures": ["arm64"],
        })
    );
}

/// One image never waits for another; what is known of others is not lost.
#[test]
fn each_image_is_decided_alone() {
    let mut row = one().waiting("ImagePullBackOff");
    let (b, c) = ("registry.example.com/b:1", "registry.example.com/c:1");
    row.images["spec"]["images"].as_array_mut().unwrap().extend([
        json!({"image": b, "kernelVersion": "6.2.0"}),
        json!({"image": c, "kernelVersion": "6.3.0"}),
    ]);
    row.images["status"]["imagesStates"] =
        json!([{"image": "gone", "status": "Exists"}, {"image": c, "status": "Exists"}]);
    let mut done = pod("b", 1, json!({"phase": "Succeeded"}));
    done["spec"]["containers"][0]["image"] = json!(b);
    row.pods.push(done);
    let states = json!({"imagesStates": [
        {"image": b, "status": "Exists"}, {"image": c, "status": "Exists"}, {"image": "gone", "status": "Exists"},
    ]});
    assert_lines(
        "three",
        &row.plan(),
        &[
            &format!("status ModuleImagesConfig nic {states}"),
            "delete Pod b",
            "because PullFailed",
            "because ImageExists",
            "because ImageExists",
        ],
    );
}

/// What is built and signed goes only as long as the wish to build it anew was not followed yet.
#[test]
fn forgetting_rests_on_the_wish() {
    let wish = one()
        .spec("imageRebuildTriggerGeneration", json!(2))
        .change(|it| it.images["metadata"]["resourceVersion"] = json!("41"));
    let basis = wish.plan().basis;
    assert_eq!(
        json!(basis),
        json!([{"kind": "ModuleImagesConfig", "namespace": "drivers", "name": "nic", "resourceVersion": "41"}])
    );
}
