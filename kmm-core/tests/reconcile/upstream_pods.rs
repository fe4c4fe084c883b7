//! Worker pods of the Go operator, against those that are made here: field by field.

use kmm_core::api::NodeModuleSpec;
use kmm_core::api::NodeModuleStatus;
use kmm_core::api::NodeModulesConfig;
use kmm_core::reconcile::Installation;
use kmm_core::reconcile::OperatorConfig;
use kmm_core::reconcile::Pod;
use kmm_core::reconcile::names;
use kmm_core::reconcile::worker_pod;
use kmm_core::reconcile::worker_pod::Job;
use serde_json::Value;
use serde_json::json;

fn installation(worker: &Value, image_volumes: bool) -> Installation {
    let mut config = OperatorConfig::default();
    config.worker.run_as_user = worker["runAsUser"].as_i64();
    config.worker.se_linux_type = worker["seLinuxType"].as_str().unwrap_or_default().to_owned();
    config.worker.firmware_host_path = worker["firmwareHostPath"].as_str().map(str::to_owned);
    Installation {
        config,
        worker_image: worker["image"].as_str().unwrap().to_owned(),
        image_volumes,
    }
}

/// What is different on purpose is taken away: how the files get out of the image, and what the worker may do.
fn comparable(mut pod: Value) -> Value {
    let annotations = pod["metadata"]["annotations"].as_object_mut().unwrap();
    annotations.remove(names::WORKER_HASH);
    annotations.remove(names::WORKER_BOOT_ID);
    for key in ["apiVersion", "kind", "status"] {
        pod.as_object_mut().unwrap().remove(key);
    }
    let spec = pod["spec"].as_object_mut().unwrap();
    spec.remove("initContainers");
    let named = |value: &Value, names: &[&str]| names.iter().any(|name| value["name"] == *name);
    let ours = ["tmp", "kmm-bin", "firmware-class"];
    spec["volumes"]
        .as_array_mut()
        .unwrap()
        .retain(|volume| !named(volume, &ours));
    spec.remove("automountServiceAccountToken");
    let worker = &mut spec["containers"][0];
    let mounts = worker["volumeMounts"].as_array_mut().unwrap();
    mounts.retain(|mount| !named(mount, &["kmm-bin", "firmware-class"]));
    worker.as_object_mut().unwrap().remove("securityContext");
    let args = worker["args"].as_array_mut().unwrap();
    if let Some(place) = args.iter().position(|arg| arg == "--firmware-class-file") {
        args.drain(place..place + 2);
    }
    pod
}

#[test]
fn recorded_worker_pods() {
    let samples: Vec<Value> = serde_json::from_str(include_str!("../data/upstream/workerpod.json")).unwrap();
    let (mut pods, mut errors) = (0, 0);
    for sample in &samples {
        let owner: NodeModulesConfig = serde_json::from_value(json!({"metadata": sample["nmc"]})).unwrap();
        let spec: NodeModuleSpec = serde_json::from_value(sample["spec"].clone()).unwrap();
        let status: NodeModuleStatus = serde_json::from_value(sample["status"].clone()).unwrap();
        for (job, theirs) in [(Job::load(&spec), "load"), (Job::unload(&status), "unload")] {
            for image_volumes in [true, false] {
                let installation = installation(&sample["worker"], image_volumes);
                match worker_pod::make(&owner, &job, "boot", 1, &installation) {
                    Ok(pod) => {
                        assert_eq!(comparable(pod.clone()), comparable(sample[theirs].clone()));
                        assert_eq!(pod["spec"]["automountServiceAccountToken"], false);
                        let text = pod.to_string();
                        assert!(
                            !text.contains("privileged") && !text.contains("/bin/sh"),
                            "{text}"
                        );
                        // A pod of either operator says what it is for, and is not replaced while that is wanted.
                        for object in [pod, sample[theirs].clone()] {
                            let pod: Pod = serde_json::from_value(object).unwrap();
                            assert_eq!(Job::of_pod(&pod).as_ref(), Ok(&job));
                            assert!(worker_pod::is_current(&pod, &job, &installation));
                            let mut other = job.clone();
                            other.config.container_image.push('x');
                            assert!(!worker_pod::is_current(&pod, &other, &installation));
                        }
                        pods += 1;
                    }
                    Err(error) => {
                        assert_eq!(sample[format!("{theirs}Error")], error);
                        errors += 1;
                    }
                }
            }
        }
    }
    assert_eq!((pods, errors), (72, 8));
}
