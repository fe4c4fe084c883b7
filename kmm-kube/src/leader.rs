//! Leader election: of several operators on a cluster, one writes.
//!
//! The protocol is that of client-go, on the same Lease, so that a Go operator and this one exclude each other too: a
//! Lease is taken when it is free, or when it has not changed for as long as it says. What surprises:
//!
//! - No clock of another machine is read: how old a Lease is, is counted from when it was seen to change.
//! - Every write of the Lease carries the version that was seen: of two who reach for it at once, one gets it.
//! - A leader that could not renew in time is one no more, whatever the Lease says. [`Term`] is asked before every write,
//!   so that a process that was stopped for a minute and goes on writes nothing.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::Client;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use tokio::time::Instant;

use crate::server::MANAGER;
use crate::words::words;

/// How long a Lease holds that is not renewed: those who wait for it take it then.
const DURATION: Duration = Duration::from_secs(15);
/// How long a leader tries to renew before it gives up. What it has under way then has the rest of the duration to arrive.
const RENEWAL: Duration = Duration::from_secs(10);
/// The wait between two tries.
const RETRY: Duration = Duration::from_secs(2);
/// How long one renewal is waited for.
const ANSWER: Duration = Duration::from_secs(3);

/// Until when somebody is the leader; clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    /// `None`: without end, where there is no election.
    end: Option<Arc<Mutex<Instant>>>,
}

impl Term {
    /// That of the only one.
    pub(crate) fn without_end() -> Self {
        Self { end: None }
    }

    fn over() -> Self {
        let end = Some(Arc::new(Mutex::new(Instant::now())));
        Self { end }
    }

    fn extend(&self, until: Instant) {
        if let Some(end) = &self.end {
            *end.lock().unwrap_or_else(PoisonError::into_inner) = until;
        }
    }

    fn end(&self) -> Option<Instant> {
        let end = self.end.as_ref()?;
        Some(*end.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it still lasts.
    pub(crate) fn lasts(&self) -> bool {
        self.end().is_none_or(|end| Instant::now() < end)
    }
}

/// Somebody who wants to be the leader.
pub(crate) struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
    term: Term,
    seen: Option<Seen>,
}

/// A Lease as it was seen.
#[derive(Clone, Debug)]
struct Seen {
    lease: Lease,
    /// Since when it is like this.
    since: Instant,
}

impl Candidate {
    pub(crate) fn new(client: Client, namespace: &str, name: &str, identity: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            term: Term::over(),
            seen: None,
        }
    }

    pub(crate) fn term(&self) -> Term {
        self.term.clone()
    }

    /// Waits until it is the leader.
    pub(crate) async fn win(&mut self) {
        let mut told = None;
        loop {
            match tokio::time::timeout(RENEWAL, self.reach()).await {
                Ok(Ok(true)) => return,
                Ok(Ok(false)) => {
                    let holder = self.holder().map(str::to_owned);
                    if holder != told {
                        let of = holder.as_deref().unwrap_or("nobody yet");
                        tracing::info!(lease = self.name, holder = of, "another one is the leader");
                        told = holder;
                    }
                }
                Ok(Err(error)) => {
                    let error = words(&error);
                    tracing::warn!(lease = self.name, error, "the Lease cannot be read or written");
                }
                Err(_) => tracing::warn!(lease = self.name, "the API server gives no answer"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Stays the leader as long as it can; returns when it is one no more.
    pub(crate) async fn stay(&mut self) {
        loop {
            tokio::time::sleep(RETRY).await;
            let Some(end) = self.term.end().filter(|end| Instant::now() < *end) else {
                return;
            };
            // One connection that is dead need not cost the term: there is time for another try.
            let until = end.min(Instant::now() + ANSWER);
            match tokio::time::timeout_at(until, self.reach()).await {
                Ok(Ok(true)) => {}
                // Somebody else has it, who had no right to; or a write of our own was not seen, which the next try shows.
                Ok(Ok(false)) => {
                    let lost = self.holder().is_some_and(|holder| holder != self.identity);
                    if lost {
                        return self.term.extend(Instant::now());
                    }
                }
                Ok(Err(error)) => tracing::warn!(error = words(&error), "the Lease could not be renewed"),
                Err(_) => tracing::warn!("the Lease could not be renewed: no answer"),
            }
        }
    }

    /// Gives the Lease away, so that the next one need not wait.
    pub(crate) async fn release(&mut self) {
        self.term.extend(Instant::now());
        let Some(Seen { lease, .. }) = self.seen.take() else {
            return;
        };
        if lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref()) != Some(&self.identity) {
            return;
        }
        let now = MicroTime(Timestamp::now());
        let spec = LeaseSpec {
            holder_identity: Some(String::new()),
            // As client-go does: none is not allowed.
            lease_duration_seconds: Some(1),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            ..lease.spec.clone().unwrap_or_default()
        };
        let released = Lease {
            spec: Some(spec),
            ..lease
        };
        let params = params();
        let write = self.api.replace(&self.name, &params, &released);
        match tokio::time::timeout(RETRY, write).await {
            Ok(Ok(_)) => tracing::info!(lease = self.name, "the Lease was given away"),
            Ok(Err(error)) => tracing::warn!(error = words(&error), "the Lease was not given away"),
            Err(_) => tracing::warn!("the Lease was not given away: no answer"),
        }
    }

    fn holder(&self) -> Option<&str> {
        let spec = self.seen.as_ref()?.lease.spec.as_ref()?;
        spec.holder_identity
            .as_deref()
            .filter(|holder| !holder.is_empty())
    }

    /// Takes or renews the Lease; whether it is held then.
    async fn reach(&mut self) -> Result<bool, kube::Error> {
        // The term counts from before the request: others count from when they see what it did.
        let asked = Instant::now();
        let Some(lease) = self.api.get_opt(&self.name).await? else {
            let lease = Lease {
                metadata: ObjectMeta {
                    name: Some(self.name.clone()),
                    ..ObjectMeta::default()
                },
                spec: Some(self.spec(None)),
            };
            return self.wrote(asked, self.api.create(&params(), &lease).await);
        };
        // What another one has counts from when it is seen: it may have renewed it while this was asked.
        self.see(lease, Instant::now());
        let Some(lease) = self.seen.as_ref().filter(|seen| self.may_take(seen, asked)) else {
            return Ok(false);
        };
        let lease = Lease {
            spec: Some(self.spec(lease.lease.spec.as_ref())),
            ..lease.lease.clone()
        };
        self.wrote(asked, self.api.replace(&self.name, &params(), &lease).await)
    }

    fn see(&mut self, lease: Lease, now: Instant) {
        let same = self.seen.as_ref().filter(|seen| seen.lease.spec == lease.spec);
        let since = same.map_or(now, |seen| seen.since);
        self.seen = Some(Seen { lease, since });
    }

    fn may_take(&self, seen: &Seen, now: Instant) -> bool {
        let Some(spec) = &seen.lease.spec else {
            return true;
        };
        match spec.holder_identity.as_deref() {
            None | Some("") => true,
            Some(holder) if holder == self.identity => true,
            Some(_) => {
                let seconds = spec
                    .lease_duration_seconds
                    .and_then(|seconds| u64::try_from(seconds).ok());
                let duration = seconds.map_or(DURATION, Duration::from_secs);
                now >= seen.since + duration
            }
        }
    }

    fn spec(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let before = before.cloned().unwrap_or_default();
        let own = before.holder_identity.as_ref() == Some(&self.identity);
        let transitions = before.lease_transitions.unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: before.acquire_time.filter(|_| own).or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(if own || before.renew_time.is_none() {
                transitions
            } else {
                transitions.saturating_add(1)
            }),
            preferred_holder: before.preferred_holder,
            strategy: before.strategy,
        }
    }

    fn wrote(&mut self, asked: Instant, answer: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
        match answer {
            Ok(lease) => {
                self.see(lease, Instant::now());
                self.term.extend(asked + RENEWAL);
                Ok(true)
            }
            // Somebody was quicker.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn params() -> PostParams {
    PostParams {
        dry_run: false,
        field_manager: Some(MANAGER.to_owned()),
    }
}
