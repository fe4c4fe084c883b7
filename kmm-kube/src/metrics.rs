//! Metrics, in the text format that Prometheus reads.
//!
//! Every label has few values: controllers, kinds, verbs and the codes of reasons are fixed sets. Those that come from
//! Modules are bounded in number and length.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::EncodeMetric;
use prometheus_client::encoding::text;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Modules whose arguments are told.
const MODULES: usize = 1_000;
/// Longest value of a label, in bytes.
const LONGEST: usize = 256;

type Labels<const N: usize> = [(&'static str, &'static str); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Times = Family<Labels<1>, Histogram, fn() -> Histogram>;

/// What is counted.
pub(crate) struct Metrics {
    registry: Registry,
    reconciles: Counters<2>,
    reconcile_times: Times,
    reasons: Counters<1>,
    writes: Counters<3>,
    watches: Counters<1>,
    questions: Counters<1>,
    leader: Family<[(&'static str, String); 1], Gauge>,
    webhooks: Counters<2>,
    webhook_times: Times,
    live: Arc<Live>,
}

/// How the operator is at the moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) modules: Vec<ModuleFacts>,
    /// Keys that wait to be decided, those that are put off, and plans that are carried out.
    pub(crate) queue: [(&'static str, usize); 3],
    /// How often each reason is the case now.
    pub(crate) reasons: BTreeMap<&'static str, usize>,
}

/// What is told of a Module.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModuleFacts {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) build: bool,
    pub(crate) sign: bool,
    pub(crate) device_plugin: bool,
    pub(crate) load_args: Vec<String>,
    pub(crate) raw_load_args: Vec<String>,
}

impl Metrics {
    pub(crate) fn new() -> Arc<Self> {
        let times = || Family::new_with_constructor(buckets as fn() -> Histogram);
        let mut metrics = Self {
            registry: Registry::default(),
            reconciles: Family::default(),
            reconcile_times: times(),
            reasons: Family::default(),
            writes: Family::default(),
            watches: Family::default(),
            questions: Family::default(),
            leader: Family::default(),
            webhooks: Family::default(),
            webhook_times: times(),
            live: Arc::new(Live::default()),
        };
        metrics.register();
        Arc::new(metrics)
    }

    fn register(&mut self) {
        let Self {
            registry,
            reconciles,
            reconcile_times,
            reasons,
            writes,
            watches,
            questions,
            leader,
            webhooks,
            webhook_times,
            live,
        } = self;
        let help = "Decisions with something to do, by how they were carried out";
        registry.register("kmm_reconcile", help, reconciles.clone());
        let help = "Time from a decision with something to do to its last write";
        registry.register("kmm_reconcile_time_seconds", help, reconcile_times.clone());
        let help = "How often each reason came up that was not there at the decision before";
        registry.register("kmm_decision_reasons", help, reasons.clone());
        let help = "Writes to objects of the cluster";
        registry.register("kmm_writes", help, writes.clone());
        let help = "Watches that broke and were taken up again";
        registry.register("kmm_watch_breaks", help, watches.clone());
        let help = "Questions to registries, by answer";
        registry.register("kmm_registry_questions", help, questions.clone());
        let help = "Whether this process is the leader";
        registry.register("leader_election_master_status", help, leader.clone());
        let help = "Requests to webhooks";
        registry.register("kmm_webhook_requests", help, webhooks.clone());
        let help = "Time of answers of webhooks";
        registry.register("kmm_webhook_time_seconds", help, webhook_times.clone());
        registry.register_collector(Box::new(Arc::clone(live)));
    }

    /// Where the present state is found; only the first one counts.
    pub(crate) fn watch(&self, snapshot: impl Fn() -> Snapshot + Send + Sync + 'static) {
        // A second operator in one process would have metrics of its own.
        let _ = self.live.snapshot.set(Box::new(snapshot));
    }

    pub(crate) fn reconciled(&self, controller: &'static str, result: &'static str, took: Duration) {
        let labels = [("controller", controller), ("result", result)];
        self.reconciles.get_or_create(&labels).inc();
        let times = self.reconcile_times.get_or_create(&[("controller", controller)]);
        times.observe(took.as_secs_f64());
    }

    pub(crate) fn decided(&self, reason: &'static str) {
        self.reasons.get_or_create(&[("reason", reason)]).inc();
    }

    pub(crate) fn wrote(&self, kind: &'static str, verb: &'static str, result: &'static str) {
        let labels = [("kind", kind), ("verb", verb), ("result", result)];
        self.writes.get_or_create(&labels).inc();
    }

    pub(crate) fn watch_broke(&self, kind: &'static str) {
        self.watches.get_or_create(&[("kind", kind)]).inc();
    }

    pub(crate) fn asked_registry(&self, answer: &'static str) {
        self.questions.get_or_create(&[("answer", answer)]).inc();
    }

    pub(crate) fn leads(&self, lease: &str, leads: bool) {
        let labels = [("name", lease.to_owned())];
        self.leader.get_or_create(&labels).set(i64::from(leads));
    }

    pub(crate) fn admitted(&self, webhook: &'static str, answer: &'static str, took: Duration) {
        let labels = [("webhook", webhook), ("answer", answer)];
        self.webhooks.get_or_create(&labels).inc();
        let times = self.webhook_times.get_or_create(&[("webhook", webhook)]);
        times.observe(took.as_secs_f64());
    }

    /// Everything, as text.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

fn buckets() -> Histogram {
    Histogram::new([
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ])
}

/// What is told as it is at the moment somebody asks, so that nothing stays that has gone.
#[derive(Default)]
struct Live {
    snapshot: OnceLock<Box<dyn Fn() -> Snapshot + Send + Sync>>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}

impl Collector for Live {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(snapshot) = self.snapshot.get() else {
            return Ok(());
        };
        let Snapshot {
            modules,
            queue,
            reasons,
        } = snapshot();
        let count = |has: fn(&ModuleFacts) -> bool| modules.iter().filter(|module| has(module)).count();
        for (name, help, value) in [
            ("kmm_module_num", "Number of existing KMMO Modules", modules.len()),
            (
                "kmm_in_cluster_build_num",
                "Number of existing KMMO Modules with in-cluster Build defined",
                count(|module| module.build),
            ),
            (
                "kmm_in_cluster_sign_num",
                "Number of existing KMMO Modules with in-cluster Sign defined",
                count(|module| module.sign),
            ),
            (
                "kmm_device_plugin_num",
                "Number of existing KMMO Modules with DevicePlugin defined",
                count(|module| module.device_plugin),
            ),
        ] {
            let descriptor = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            gauge(value).encode(descriptor)?;
        }
        let help = "for a given kernel version, describe which modprobe args used (if at all)";
        args(
            &mut encoder,
            "kmm_modprobe_args",
            "modprobeArgs",
            help,
            &modules,
            |module| &module.load_args,
        )?;
        let help = "for a given kernel version, describe which modprobe raw args used (if at all)";
        args(
            &mut encoder,
            "kmm_modprobe_raw_args",
            "modprobeRawArgs",
            help,
            &modules,
            |module| &module.raw_load_args,
        )?;
        let help = "Keys of controllers: due, put off, being carried out";
        let values = queue.into_iter();
        one_label(&mut encoder, "kmm_queue_depth", help, "state", values)?;
        let help = "How often each reason is the case now";
        one_label(&mut encoder, "kmm_reasons", help, "reason", reasons.into_iter())
    }
}

fn gauge(value: usize) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}

fn one_label(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &'static str,
    values: impl Iterator<Item = (&'static str, usize)>,
) -> fmt::Result {
    let mut descriptor = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (value, number) in values {
        gauge(number).encode(descriptor.encode_family(&[(label, value)])?)?;
    }
    Ok(())
}

fn args(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    label: &'static str,
    help: &str,
    modules: &[ModuleFacts],
    of: fn(&ModuleFacts) -> &[String],
) -> fmt::Result {
    let mut descriptor = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    let with = modules.iter().filter(|module| !of(module).is_empty());
    for module in with.take(MODULES) {
        let joined = of(module).join(",");
        let mut end = joined.len().min(LONGEST);
        while !joined.is_char_boundary(end) {
            end -= 1;
        }
        let labels = [
            ("name", module.name.as_str()),
            ("namespace", module.namespace.as_str()),
            (label, &joined[..end]),
        ];
        gauge(1).encode(descriptor.encode_family(&labels)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_go_operator() {
        let metrics = Metrics::new();
        metrics.watch(|| Snapshot {
            modules: vec![
                ModuleFacts {
                    namespace: "drivers".to_owned(),
                    name: "nic".to_owned(),
                    build: true,
                    load_args: vec!["a".to_owned(), "b\"\n".to_owned()],
                    ..ModuleFacts::default()
                },
                ModuleFacts {
                    raw_load_args: vec!["ä".repeat(200)],
                    ..ModuleFacts::default()
                },
            ],
            queue: [("due", 3), ("later", 0), ("under_way", 1)],
            reasons: BTreeMap::from([("NoNodes", 2)]),
        });
        metrics.wrote("Pod", "create", "done");
        metrics.reconciled("assign", "done", Duration::from_millis(7));
        metrics.leads("kmm.sigs.x-k8s.io", true);
        let text = metrics.text().unwrap();
        for line in [
            "kmm_module_num 2",
            "kmm_in_cluster_build_num 1",
            "kmm_in_cluster_sign_num 0",
            "kmm_device_plugin_num 0",
            "kmm_modprobe_args{name=\"nic\",namespace=\"drivers\",modprobeArgs=\"a,b\\\"\\n\"} 1",
            "kmm_queue_depth{state=\"due\"} 3",
            "kmm_reasons{reason=\"NoNodes\"} 2",
            "kmm_writes_total{kind=\"Pod\",verb=\"create\",result=\"done\"} 1",
            "kmm_reconcile_total{controller=\"assign\",result=\"done\"} 1",
            "kmm_reconcile_time_seconds_bucket{le=\"0.01\",controller=\"assign\"} 1",
            "leader_election_master_status{name=\"kmm.sigs.x-k8s.io\"} 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        // 256 bytes are 128 of these letters.
        let raw = format!("modprobeRawArgs=\"{}\"", "ä".repeat(128));
        assert!(text.contains(&raw), "{text}");
    }
}
