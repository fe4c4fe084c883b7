//! The operator's own service account: what its roles grant, against what it asked for.
//!
//! The roles are those of `kmm-kube/deploy`, and what was asked for is what the API server wrote into its audit log. Both
//! ways are compared: a verb that is missing is refused in the run, and one that no run uses has no reason to be granted.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use kmm_core::document;
use kube::Client;
use serde_json::Value;
use serde_json::json;

use super::control_plane::ControlPlane;
use super::objects::apply;
use crate::steps;

/// Where the operator is installed.
pub(super) const NAMESPACE: &str = "kmm-operator-system";
/// Its service account.
const ACCOUNT: &str = "kmm-operator";
/// Its roles.
const ROLES: &str = "operator-role.yaml";

/// Granted and used only when something goes wrong that these runs cannot bring about at will, or in a way that is no
/// request of its own.
const NOT_SEEN: [(&str, &str); 6] = [
    ("namespaces get", AFTER_NO_ANSWER),
    ("kmm.sigs.x-k8s.io modules get", AFTER_NO_ANSWER),
    ("kmm.sigs.x-k8s.io moduleimagesconfigs get", AFTER_NO_ANSWER),
    ("kmm.sigs.x-k8s.io modules/finalizers update", OWNERS),
    ("kmm.sigs.x-k8s.io moduleimagesconfigs/finalizers update", OWNERS),
    ("kmm.sigs.x-k8s.io nodemodulesconfigs/finalizers update", OWNERS),
];
/// `Adapter::find_out`: the mark of a namespace, a finalizer or the status of a Module, a ModuleImagesConfig.
const AFTER_NO_ANSWER: &str = "a write that had no answer is looked for";
/// These control planes ask for it in OwnerReferencesPermissionEnforcement, so pods, DaemonSets and ModuleImagesConfigs
/// could not be created without it.
const OWNERS: &str = "no request: asked for when an object is created that has such an owner";

/// A verb on a resource, everywhere or in one namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Permission {
    namespace: Option<String>,
    group: String,
    resource: String,
    verb: String,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.group.is_empty() {
            write!(f, "{} ", self.group)?;
        }
        write!(f, "{} {}", self.resource, self.verb)
    }
}

/// What an operator asked an API server for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// What was allowed, with how often.
    all: BTreeMap<Permission, usize>,
    /// What was refused at some time. An API server that starts refuses everything until it has read the roles.
    refused: BTreeSet<Permission>,
}

impl Asked {
    /// Takes over what another operator asked for.
    pub(super) fn extend(&mut self, other: Self) {
        for (permission, times) in other.all {
            *self.all.entry(permission).or_default() += times;
        }
        self.refused.extend(other.refused);
    }
}

/// What the API server writes down: the requests of the operator's account, without their bodies.
pub(super) fn audit_policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "users": [user()]}, {"level": "None"}],
    })
}

/// Where it writes that.
pub(super) fn audit_log(folder: &Path) -> PathBuf {
    folder.join("audit.log")
}

fn user() -> String {
    format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}")
}

/// The objects of a file of the manifests.
pub(super) fn manifest(name: &str) -> Result<Vec<Value>> {
    let path = steps::root().join("kmm-kube/deploy/base").join(name);
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("could not read `{}`", path.display()))?;
    let stream = document::read(&text, &document::Limits::default());
    ensure!(stream.findings.is_empty(), "{name}: {:?}", stream.findings);
    Ok(stream.objects().map(|object| object.node.to_json()).collect())
}

/// Installs namespace, account and roles, and writes the kubeconfig with which the operator runs.
pub(super) async fn install(plane: &ControlPlane, client: &Client) -> Result<()> {
    for file in ["namespace.yaml", "service-account.yaml", ROLES] {
        for object in manifest(file)? {
            apply(client, &object).await?;
        }
    }
    log_in(plane, client).await
}

/// Writes the kubeconfig with which the operator runs, for the account that is installed.
pub(super) async fn log_in(plane: &ControlPlane, client: &Client) -> Result<()> {
    let token = token(client, NAMESPACE, ACCOUNT).await?;
    plane.write_kubeconfig(&kubeconfig(plane.folder()), &token)
}

/// The kubeconfig of the operator's account.
pub(super) fn kubeconfig(folder: &Path) -> PathBuf {
    folder.join("operator.kubeconfig")
}

/// A token of a service account, for an hour.
pub(super) async fn token(client: &Client, namespace: &str, account: &str) -> Result<String> {
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
    let body = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600},
    });
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())?;
    let answer: Value = client.request(request).await.context("no token")?;
    let token = answer["status"]["token"].as_str();
    Ok(token.context("the answer has no token")?.to_owned())
}

/// What the operator asked this control plane for.
pub(super) fn asked(plane: &ControlPlane) -> Result<Asked> {
    let path = audit_log(plane.folder());
    let log =
        std::fs::read_to_string(&path).with_context(|| format!("could not read `{}`", path.display()))?;
    read(&log)
}

fn read(log: &str) -> Result<Asked> {
    let mut asked = Asked::default();
    for line in log.lines() {
        let record: Value = serde_json::from_str(line).context("a line of the audit log")?;
        let object = &record["objectRef"];
        // `/version` and the like are for everybody.
        let Some(resource) = object["resource"].as_str() else {
            continue;
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let permission = Permission {
            namespace: object["namespace"].as_str().map(str::to_owned),
            group: text(&object["apiGroup"]),
            resource: match object["subresource"].as_str() {
                Some(part) => format!("{resource}/{part}"),
                None => resource.to_owned(),
            },
            verb: text(&record["verb"]),
        };
        if record["annotations"]["authorization.k8s.io/decision"] == "allow" {
            *asked.all.entry(permission).or_default() += 1;
        } else {
            asked.refused.insert(permission);
        }
    }
    Ok(asked)
}

/// What the roles grant.
fn granted(roles: &[Value]) -> BTreeSet<Permission> {
    let mut granted = BTreeSet::new();
    for role in roles {
        let namespace = role["metadata"]["namespace"].as_str().map(str::to_owned);
        for rule in role["rules"].as_array().into_iter().flatten() {
            let list = |key: &str| -> Vec<String> {
                let values = rule[key].as_array().into_iter().flatten();
                values.filter_map(Value::as_str).map(str::to_owned).collect()
            };
            for group in list("apiGroups") {
                for resource in list("resources") {
                    granted.extend(list("verbs").into_iter().map(|verb| Permission {
                        namespace: namespace.clone(),
                        group: group.clone(),
                        resource: resource.clone(),
                        verb,
                    }));
                }
            }
        }
    }
    granted
}

/// Compares what was asked for with what is granted, both ways.
pub(super) fn compare(asked: &Asked) -> Result<()> {
    compare_with(asked, &granted(&manifest(ROLES)?))
}

fn compare_with(asked: &Asked, granted: &BTreeSet<Permission>) -> Result<()> {
    let refused = asked.refused.iter().filter(|wish| !asked.all.contains_key(wish));
    let refused = list(refused);
    ensure!(refused.is_empty(), "the roles lack {refused}");
    let covers = |grant: &Permission, wish: &Permission| {
        (grant.namespace.is_none() || grant.namespace == wish.namespace)
            && (&grant.group, &grant.resource, &grant.verb) == (&wish.group, &wish.resource, &wish.verb)
    };
    let missing = asked
        .all
        .keys()
        .filter(|wish| !granted.iter().any(|grant| covers(grant, wish)));
    let missing = list(missing);
    ensure!(missing.is_empty(), "the roles lack {missing}");
    let is_known = |grant: &Permission| NOT_SEEN.iter().any(|(name, _)| *name == grant.to_string());
    let unused: Vec<&Permission> = granted
        .iter()
        .filter(|grant| !asked.all.keys().any(|wish| covers(grant, wish)))
        .collect();
    let needless = list(unused.iter().copied().filter(|grant| !is_known(grant)));
    ensure!(
        needless.is_empty(),
        "nothing asked for {needless}, which is granted"
    );
    for (name, why) in NOT_SEEN {
        ensure!(
            granted.iter().any(|grant| grant.to_string() == name),
            "{name} is noted ({why}), but not granted"
        );
    }
    let requests: usize = asked.all.values().sum();
    println!(
        "{} permissions are granted; {requests} requests used {} of them",
        granted.len(),
        granted.len() - unused.len()
    );
    for grant in unused {
        println!("  not seen: {grant}");
    }
    Ok(())
}

fn list<'a>(permissions: impl Iterator<Item = &'a Permission>) -> String {
    let names: BTreeSet<String> = permissions.map(ToString::to_string).collect();
    let names: Vec<String> = names.into_iter().collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The audit log of an operator that used all that is granted.
    fn log(granted: &BTreeSet<Permission>) -> String {
        let lines = granted.iter().map(|grant| {
            let (resource, part) = grant.resource.split_once('/').unwrap_or((&grant.resource, ""));
            let mut object = json!({
                "apiGroup": grant.group, "resource": resource,
                "namespace": grant.namespace.as_deref().unwrap_or("drivers"),
            });
            if !part.is_empty() {
                object["subresource"] = json!(part);
            }
            line(&grant.verb, &object, "allow")
        });
        lines.collect()
    }

    fn line(verb: &str, object: &Value, decision: &str) -> String {
        let annotations = json!({"authorization.k8s.io/decision": decision});
        json!({"verb": verb, "objectRef": object, "annotations": annotations}).to_string() + "\n"
    }

    fn roles() -> BTreeSet<Permission> {
        granted(&manifest(ROLES).unwrap())
    }

    fn fails(log: &str, granted: &BTreeSet<Permission>) -> String {
        compare_with(&read(log).unwrap(), granted)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn what_is_granted_and_used_is_right() {
        compare_with(&read(&log(&roles())).unwrap(), &roles()).unwrap();
    }

    #[test]
    fn what_is_missing_is_found() {
        let secret = json!({"apiGroup": "", "resource": "secrets", "namespace": "drivers"});
        let with = |decision| log(&roles()) + &line("get", &secret, decision);
        assert_eq!(fails(&with("allow"), &roles()), "the roles lack secrets get");
        assert_eq!(fails(&with("forbid"), &roles()), "the roles lack secrets get");
        // A role of one namespace grants nothing in another.
        let lease = json!({"apiGroup": "coordination.k8s.io", "resource": "leases", "namespace": "drivers"});
        let elsewhere = log(&roles()) + &line("get", &lease, "allow");
        assert_eq!(
            fails(&elsewhere, &roles()),
            "the roles lack coordination.k8s.io leases get"
        );
    }

    #[test]
    fn what_is_needless_is_found() {
        let mut more = roles();
        more.insert(Permission {
            namespace: None,
            group: String::new(),
            resource: "pods".to_owned(),
            verb: "update".to_owned(),
        });
        let needless = fails(&log(&roles()), &more);
        assert_eq!(needless, "nothing asked for pods update, which is granted");
    }

    #[test]
    fn an_api_server_that_starts_may_refuse_what_is_granted() {
        let nodes = json!({"apiGroup": "", "resource": "nodes", "namespace": "drivers"});
        let early = line("watch", &nodes, "forbid") + &log(&roles());
        compare_with(&read(&early).unwrap(), &roles()).unwrap();
    }
}
