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
use super::objects::until;
use crate::steps;

/// Where the operator is installed.
pub(super) const NAMESPACE: &str = "kmm-operator-system";
/// Its service account.
const ACCOUNT: &str = "kmm-operator";
/// Its roles.
const ROLES: &str = "operator-role.yaml";

/// Granted, and used in a way that is no request of its own: the API server asks for it when an object is created that has
/// such an owner (OwnerReferencesPermissionEnforcement). The part `owners` sees what is refused without it.
const NOT_SEEN: [&str; 3] = [
    "kmm.sigs.x-k8s.io modules/finalizers update",
    "kmm.sigs.x-k8s.io moduleimagesconfigs/finalizers update",
    "kmm.sigs.x-k8s.io nodemodulesconfigs/finalizers update",
];

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

    /// Leaves out what was refused because it was taken away.
    pub(super) fn forget_refused(&mut self) {
        self.refused.clear();
    }
}

/// A request of the operator that was answered.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// When the request came, as text that sorts.
    pub(super) received: String,
    pub(super) verb: String,
    /// With its subresource.
    pub(super) resource: String,
    pub(super) name: String,
    pub(super) code: u64,
}

/// Verbs that change an object of the cluster.
const WRITES: [&str; 4] = ["create", "delete", "patch", "update"];

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

/// The name of the operator's account.
pub(super) fn user() -> String {
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

/// Installs the roles without some permissions, and waits until these are not granted any more and the others are.
pub(super) async fn grant_without(client: &Client, taken: &[(&str, &str, &str)]) -> Result<()> {
    for mut object in manifest(ROLES)? {
        if object["kind"] == "ClusterRole" {
            for permission in taken {
                take(&mut object, permission);
            }
        }
        apply(client, &object).await?;
    }
    for permission in granted(&manifest(ROLES)?) {
        // Of the role in the operator's own namespace nothing is taken.
        if permission.namespace.is_some() {
            continue;
        }
        let one = (
            permission.group.as_str(),
            permission.resource.as_str(),
            permission.verb.as_str(),
        );
        let is_taken = taken.contains(&one);
        until(
            &format!("{permission} is granted, or is not any more"),
            async || Ok(may(client, &permission).await? != is_taken),
        )
        .await?;
    }
    Ok(())
}

/// Takes a verb on a resource out of a role, and leaves the rest of its rule.
fn take(role: &mut Value, (group, resource, verb): &(&str, &str, &str)) {
    let rules = role["rules"].as_array().cloned().unwrap_or_default();
    let has = |rule: &Value, key: &str, item: &str| {
        rule[key]
            .as_array()
            .is_some_and(|list| list.iter().any(|found| found == item))
    };
    let without = |rule: &Value, key: &str, item: &str| {
        let mut rule = rule.clone();
        if let Some(list) = rule[key].as_array_mut() {
            list.retain(|found| found != item);
        }
        rule
    };
    let mut left = Vec::new();
    for rule in rules {
        if !(has(&rule, "apiGroups", group) && has(&rule, "resources", resource) && has(&rule, "verbs", verb))
        {
            left.push(rule);
            continue;
        }
        left.push(without(&rule, "resources", resource));
        let mut rest = without(&rule, "verbs", verb);
        rest["resources"] = json!([resource]);
        left.push(rest);
    }
    let is_empty = |rule: &Value, key: &str| rule[key].as_array().is_none_or(Vec::is_empty);
    left.retain(|rule| !is_empty(rule, "resources") && !is_empty(rule, "verbs"));
    role["rules"] = Value::Array(left);
}

/// Whether the operator may do something, as the API server sees it now.
async fn may(client: &Client, permission: &Permission) -> Result<bool> {
    let (resource, part) = permission
        .resource
        .split_once('/')
        .unwrap_or((&permission.resource, ""));
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {"user": user(), "resourceAttributes": {
            "group": permission.group, "resource": resource, "subresource": part, "verb": permission.verb,
        }},
    });
    let request = http::Request::post("/apis/authorization.k8s.io/v1/subjectaccessreviews")
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())?;
    let answer: Value = client.request(request).await.context("no review")?;
    Ok(answer["status"]["allowed"] == true)
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
    read(&log_of(plane)?)
}

/// What the operator asked this control plane for, in the order in which it was answered.
pub(super) fn records(plane: &ControlPlane) -> Result<Vec<Record>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let log = log_of(plane)?;
    let mut records = Vec::new();
    for record in lines_of(&log) {
        let record = record?;
        let object = &record["objectRef"];
        let mut resource = text(&object["resource"]);
        if let Some(part) = object["subresource"].as_str() {
            resource = format!("{resource}/{part}");
        }
        records.push(Record {
            received: text(&record["requestReceivedTimestamp"]),
            verb: text(&record["verb"]),
            resource,
            name: text(&object["name"]),
            code: record["responseStatus"]["code"].as_u64().unwrap_or_default(),
        });
    }
    Ok(records)
}

/// How many records there are, and how many of them are of writes; events are told, and change nothing. This looks at the
/// text alone, as it is asked again and again.
pub(super) fn progress(plane: &ControlPlane) -> Result<(usize, usize)> {
    let log = log_of(plane)?;
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    let verbs = WRITES.map(|verb| format!("\"verb\":\"{verb}\""));
    let is_write = |line: &&str| {
        verbs.iter().any(|verb| line.contains(verb)) && !line.contains("\"resource\":\"events\"")
    };
    Ok((whole.lines().count(), whole.lines().filter(is_write).count()))
}

fn log_of(plane: &ControlPlane) -> Result<String> {
    let path = audit_log(plane.folder());
    std::fs::read_to_string(&path).with_context(|| format!("could not read `{}`", path.display()))
}

/// The records of an audit log, without the end of one that is being written.
fn lines_of(log: &str) -> impl Iterator<Item = Result<Value>> {
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    let records = whole.lines().map(serde_json::from_str::<Value>);
    records.map(|record| record.context("a line of the audit log"))
}

fn read(log: &str) -> Result<Asked> {
    let mut asked = Asked::default();
    for record in lines_of(log) {
        let record = record?;
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
    let is_known = |grant: &Permission| NOT_SEEN.contains(&grant.to_string().as_str());
    let unused: Vec<&Permission> = granted
        .iter()
        .filter(|grant| !asked.all.keys().any(|wish| covers(grant, wish)))
        .collect();
    let needless = list(unused.iter().copied().filter(|grant| !is_known(grant)));
    ensure!(
        needless.is_empty(),
        "nothing asked for {needless}, which is granted"
    );
    for name in NOT_SEEN {
        ensure!(
            granted.iter().any(|grant| grant.to_string() == name),
            "{name} is noted, but not granted"
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
    fn one_verb_of_one_resource_is_taken() {
        let mut role = manifest(ROLES).unwrap().remove(0);
        assert_eq!(role["kind"], "ClusterRole");
        let before = granted(std::slice::from_ref(&role));
        take(&mut role, &("kmm.sigs.x-k8s.io", "modules/finalizers", "update"));
        take(&mut role, &("", "namespaces", "get"));
        let after = granted(std::slice::from_ref(&role));
        let gone: Vec<String> = before.difference(&after).map(ToString::to_string).collect();
        assert_eq!(
            gone,
            ["namespaces get", "kmm.sigs.x-k8s.io modules/finalizers update"]
        );
        assert!(after.is_subset(&before));
    }

    #[test]
    fn an_api_server_that_starts_may_refuse_what_is_granted() {
        let nodes = json!({"apiGroup": "", "resource": "nodes", "namespace": "drivers"});
        let early = line("watch", &nodes, "forbid") + &log(&roles());
        compare_with(&read(&early).unwrap(), &roles()).unwrap();
    }
}
