//! Agreement with the naive resolver on made-up Modules, and laws of the public API.

use kmm_core::api::BuildArg;
use kmm_core::api::Module;
use kmm_core::kernel::KernelVersion;
use kmm_core::module::Compiled;
use kmm_core::module::build_args::overridden;
use kmm_core::resolve::Record;
use kmm_core::resolve::Resolver;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use serde_json::json;

use super::oracle;
use super::upstream::condensed;

pub(crate) const KERNELS: [&str; 10] = [
    "5.14.0-427.el9.x86_64",
    "5.14.0-427.el9.x86_64+rt",
    "5.14.0",
    "6.1.0+",
    "6.1.0++",
    "6.1",
    "6.1.0-13-amd64",
    "15.14.0",
    "6,1-0",
    "",
];

pub(crate) fn mapping() -> impl Strategy<Value = Value> {
    let literal = option::weighted(
        0.4,
        select(&["", "5.14.0", "6.1.0", "6.1.0+", "6.1", "6.1.0-13-amd64"][..]),
    );
    let regexp = option::weighted(
        0.6,
        select(
            &[
                "",
                "^5\\.14",
                "5.14",
                "amd64$",
                "\\+",
                ".",
                "^6\\.1\\.0$",
                "\\f",
                "el[89]",
                "(",
                "^$",
            ][..],
        ),
    );
    let parts = (
        literal,
        regexp,
        template(),
        option::of(build()),
        option::of(sign()),
        option::of(tls()),
    );
    (parts, in_tree()).prop_map(|((literal, regexp, image, build, sign, tls), (list, single))| {
        json!({
            "literal": literal, "regexp": regexp, "containerImage": image, "build": build, "sign": sign,
            "registryTLS": tls, "inTreeModulesToRemove": list, "inTreeModuleToRemove": single,
        })
    })
}

fn container() -> impl Strategy<Value = Value> {
    let mappings = proptest::collection::vec(mapping(), 0..5);
    (
        mappings,
        template(),
        option::of(build()),
        option::of(sign()),
        tls(),
        in_tree(),
    )
        .prop_map(|(mappings, image, build, sign, tls, (list, single))| {
            json!({
                "kernelMappings": mappings, "containerImage": image, "build": build, "sign": sign,
                "registryTLS": tls, "inTreeModulesToRemove": list, "inTreeModuleToRemove": single,
            })
        })
}

fn template() -> impl Strategy<Value = &'static str> {
    select(
        &[
            "",
            "a:1",
            "a:$KERNEL_XYZ",
            "$MOD_NAME:${KERNEL_FULL_VERSION}",
            "${X:-d}",
            "${",
            "$$",
        ][..],
    )
}

fn tls() -> impl Strategy<Value = Value> {
    (any::<bool>(), any::<bool>()).prop_map(|(a, b)| json!({"insecure": a, "insecureSkipTLSVerify": b}))
}

fn in_tree() -> impl Strategy<Value = (Option<Vec<&'static str>>, Option<&'static str>)> {
    let names = || select(&["ice", "i40e", "nouveau"][..]);
    (
        option::of(proptest::collection::vec(names(), 0..3)),
        option::weighted(0.2, names()),
    )
}

fn name() -> impl Strategy<Value = Option<Value>> {
    option::of(select(&["a", "b"][..]).prop_map(|name| json!({"name": name})))
}

fn args() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    proptest::collection::vec(
        (select(&["A", "B", "C", "a"][..]), select(&["1", "2", "$X"][..])),
        0..5,
    )
}

fn build() -> impl Strategy<Value = Value> {
    let secrets = proptest::collection::vec(select(&["s", "t"][..]), 0..3);
    (args(), secrets, name(), tls(), option::of(select(&["x", "y"][..]))).prop_map(
        |(args, secrets, config, tls, selector)| {
            let args: Vec<Value> = args.iter().map(|(n, v)| json!({"name": n, "value": v})).collect();
            let secrets: Vec<Value> = secrets.iter().map(|name| json!({"name": name})).collect();
            json!({
                "buildArgs": args, "secrets": secrets, "dockerfileConfigMap": config, "baseImageRegistryTLS": tls,
                "selector": selector.map(|pool| json!({"pool": pool})),
                "kanikoParams": selector.map(|tag| json!({"tag": tag})),
            })
        },
    )
}

fn sign() -> impl Strategy<Value = Value> {
    let files = proptest::collection::vec(template(), 0..3);
    (template(), files, name(), name(), tls()).prop_map(|(image, files, key, cert, tls)| {
        json!({
            "unsignedImage": image, "filesToSign": files, "keySecret": key, "certSecret": cert,
            "unsignedImageRegistryTLS": tls,
        })
    })
}

pub(crate) fn module_of(container: &Value) -> Module {
    let module = json!({
        "metadata": {"name": "drv", "namespace": "ns"},
        "spec": {"moduleLoader": {"container": container}},
    });
    serde_json::from_value(module).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn the_naive_resolver_agrees(container in container()) {
        let compiled = Compiled::new(&module_of(&container));
        for raw in KERNELS {
            let kernel = KernelVersion::new(raw);
            let record = Record::new(&compiled, &kernel);
            match (&record.outcome, oracle::resolve(&container, raw)) {
                (Ok(_), Ok(expected)) => {
                    let mut found = serde_json::to_value(&record).unwrap();
                    found["mapping"] = json!({"index": found["mapping"]["index"]});
                    for (field, value) in expected.as_object().unwrap() {
                        prop_assert_eq!(condensed(&found[field]), condensed(value), "{}: {}", raw, field);
                    }
                }
                (Err(error), Err(code)) => prop_assert_eq!(error.code(), code),
                (found, expected) => prop_assert!(false, "{raw}: {found:?}, but naively {expected:?}"),
            }
        }
    }

    #[test]
    fn the_winner_of_an_explanation_is_the_result(container in container()) {
        let compiled = Compiled::new(&module_of(&container));
        for raw in KERNELS {
            let kernel = KernelVersion::new(raw);
            let explanation = compiled.explain(&kernel);
            let outcome = compiled.resolve(&kernel);
            prop_assert_eq!(&explanation.outcome, &outcome);
            let json = serde_json::to_value(&explanation).unwrap();
            let winners: Vec<usize> = json["mappings"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|mapping| mapping["verdict"] == "won")
                .map(|mapping| usize::try_from(mapping["index"].as_u64().unwrap()).unwrap())
                .collect();
            prop_assert_eq!(explanation.winner().into_iter().collect::<Vec<_>>(), winners);
            prop_assert_eq!(explanation.mappings.len(), compiled.mappings().len());
            if let Ok(resolved) = outcome {
                prop_assert_eq!(explanation.winner(), Some(resolved.mapping.index));
                let image = explanation.templates[0].text.as_deref();
                prop_assert_eq!(image, Some(resolved.container_image.as_str()));
                let files = resolved.sign.map_or(Vec::new(), |sign| sign.files_to_sign);
                let found: Vec<String> = explanation
                    .templates
                    .iter()
                    .filter(|template| template.field.starts_with("sign.filesToSign"))
                    .filter_map(|template| template.text.clone())
                    .collect();
                prop_assert_eq!(found, files);
            }
            prop_assert!(!explanation.to_string().is_empty());
        }
    }

    #[test]
    fn the_resolver_remembers_what_resolve_says(container in container(), order in proptest::collection::vec(select(&KERNELS[..]), 0..30)) {
        let compiled = Compiled::new(&module_of(&container));
        let mut resolver = Resolver::new(&compiled);
        for raw in &order {
            let expected = compiled.resolve(&KernelVersion::new(*raw));
            prop_assert_eq!(resolver.resolve(raw).map_err(Clone::clone).cloned(), expected);
        }
        let mut distinct = order.clone();
        distinct.sort_unstable();
        distinct.dedup();
        prop_assert_eq!(resolver.kernels(), distinct.len());
    }

    #[test]
    fn overriding_twice_is_overriding_once(args in args(), overrides in args()) {
        let list = |pairs: &[(&str, &str)]| -> Vec<BuildArg> {
            pairs.iter().map(|(name, value)| BuildArg { name: (*name).into(), value: (*value).into() }).collect()
        };
        let (args, overrides) = (list(&args), list(&overrides));
        let once = overridden(&args, &overrides);
        prop_assert_eq!(overridden(&once, &overrides), once.clone());
        prop_assert_eq!(overridden(&args, &[]), args.clone());
        let places = |list: &[BuildArg]| -> Vec<String> { list.iter().map(|arg| arg.name.clone()).collect() };
        prop_assert_eq!(&places(&once)[..args.len()], &places(&args)[..]);
    }
}
