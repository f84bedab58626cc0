//! What the persist actor counts, for scrapes and for the status of a node.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use catalog::{File, FileKind};

use crate::demand::Demand;
use crate::machine::Dependency;
use crate::outcome::Outcome;

/// Counters, gauges and durations; cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) jobs: Family<DemandLabel, Counter>,
    pub(crate) queued: Gauge,
    pub(crate) running: Gauge,
    retrying_store: Gauge,
    retrying_catalog: Gauge,
    pub(crate) job_failures: Counter,
    pub(crate) upload_failures: Counter,
    pub(crate) sort_key_conflicts: Counter,
    files: Counter,
    rows: Counter,
    bytes: Counter,
    set_aside: Counter,
    tables_dropped: Counter,
    pub(crate) job_seconds: Histogram,
    pub(crate) encode_seconds: Histogram,
    pub(crate) upload_seconds: Histogram,
    pub(crate) commit_seconds: Histogram,
}

/// The reason of a job, as a label; users do not choose its values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct DemandLabel {
    demand: &'static str,
}

/// The numbers at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Jobs that hold a permit and wait for a worker, for the first time or after a pause.
    pub queued: u64,
    /// Jobs that a worker has taken.
    pub running: u64,
    /// Running jobs that wait because the object store failed.
    pub retrying_store: u64,
    /// Running jobs that wait because the catalog failed, or has not answered for a second.
    pub retrying_catalog: u64,
    /// Jobs whose chunks were set aside, since the start.
    pub set_aside: u64,
    /// Failures of jobs for reasons of their own, since the start.
    pub job_failures: u64,
    /// Uploads that failed or were not whole, since the start.
    pub upload_failures: u64,
    /// Commits refused because the sort key had changed, since the start.
    pub sort_key_conflicts: u64,
    /// Files committed since the start, those set aside included.
    pub files: u64,
    /// Rows in these files.
    pub rows: u64,
    /// Bytes of these files.
    pub bytes: u64,
    /// True while writes are to be refused because persisting does not keep up.
    pub saturated: bool,
    /// True if another process owns the log, or another log the prefix of the store: nothing is
    /// persisted any more.
    pub fenced: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        // 1 ms to 65 s: from a small file on a local disk to a store that was down for a while.
        let seconds = || Histogram::new(exponential_buckets(0.001, 2.0, 17));
        Self {
            jobs: Family::default(),
            queued: Gauge::default(),
            running: Gauge::default(),
            retrying_store: Gauge::default(),
            retrying_catalog: Gauge::default(),
            job_failures: Counter::default(),
            upload_failures: Counter::default(),
            sort_key_conflicts: Counter::default(),
            files: Counter::default(),
            rows: Counter::default(),
            bytes: Counter::default(),
            set_aside: Counter::default(),
            tables_dropped: Counter::default(),
            job_seconds: seconds(),
            encode_seconds: seconds(),
            upload_seconds: seconds(),
            commit_seconds: seconds(),
        }
    }
}

impl Metrics {
    /// A job of this demand got its permit.
    pub(crate) fn permitted(&self, demand: Demand) {
        let demand = demand.word();
        self.jobs.get_or_create(&DemandLabel { demand }).inc();
        self.queued.inc();
    }

    /// A job ended.
    pub(crate) fn settled(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Committed { file, .. } => self.committed(file),
            Outcome::TableDropped { .. } => {
                self.tables_dropped.inc();
            }
        }
    }

    fn committed(&self, file: &File) {
        self.files.inc();
        self.rows.inc_by(file.rows);
        self.bytes.inc_by(file.bytes);
        if file.kind == FileKind::Quarantine {
            self.set_aside.inc();
        }
    }

    /// The jobs that wait for `dependency`.
    pub(crate) const fn retrying(&self, dependency: Dependency) -> &Gauge {
        match dependency {
            Dependency::Store => &self.retrying_store,
            Dependency::Catalog => &self.retrying_catalog,
        }
    }

    /// The numbers now, but for those that others know.
    pub(crate) fn state(&self) -> State {
        let count = |gauge: &Gauge| u64::try_from(gauge.get()).unwrap_or_default();
        State {
            queued: count(&self.queued),
            running: count(&self.running),
            retrying_store: count(&self.retrying_store),
            retrying_catalog: count(&self.retrying_catalog),
            set_aside: self.set_aside.get(),
            job_failures: self.job_failures.get(),
            upload_failures: self.upload_failures.get(),
            sort_key_conflicts: self.sort_key_conflicts.get(),
            files: self.files.get(),
            rows: self.rows.get(),
            bytes: self.bytes.get(),
            saturated: false,
            fenced: false,
        }
    }

    /// Has `registry` scrape all of it, under names that begin with `forebay_persist`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("forebay_persist");
        self.register_jobs(registry);
        self.register_files(registry);
        self.register_durations(registry);
    }

    fn register_jobs(&self, registry: &mut Registry) {
        registry.register("jobs", "Jobs that got a permit", self.jobs.clone());
        let gauges = [
            ("jobs_queued", "Jobs that wait for a worker", &self.queued),
            ("jobs_running", "Jobs that a worker has taken", &self.running),
            ("jobs_retrying_store", "Jobs waiting for the store", &self.retrying_store),
            ("jobs_retrying_catalog", "Jobs waiting for the catalog", &self.retrying_catalog),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        let counters = [
            ("job_failures", "Failures of a job's own", &self.job_failures),
            ("jobs_set_aside", "Jobs set aside: look at the quarantine", &self.set_aside),
            ("jobs_of_dropped_tables", "Jobs of dropped tables", &self.tables_dropped),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
    }

    fn register_files(&self, registry: &mut Registry) {
        let counters = [
            ("files", "Files committed", &self.files),
            ("rows", "Rows in committed files", &self.rows),
            ("file_bytes", "Bytes of committed files", &self.bytes),
            ("upload_failures", "Uploads that failed or were not whole", &self.upload_failures),
            ("sort_key_conflicts", "Files sorted anew under another key", &self.sort_key_conflicts),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
    }

    fn register_durations(&self, registry: &mut Registry) {
        let durations = [
            ("job_seconds", "From permit to settled", &self.job_seconds),
            ("encode_seconds", "Sorting and encoding one file", &self.encode_seconds),
            ("upload_seconds", "Uploading and verifying one file", &self.upload_seconds),
            ("commit_seconds", "Committing one file", &self.commit_seconds),
        ];
        for (name, help, histogram) in durations {
            registry.register(name, help, histogram.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn a_scrape_names_things_and_units() {
        let metrics = Metrics::default();
        metrics.permitted(Demand::HotPartition);
        metrics.retrying(Dependency::Store).inc();
        metrics.settled(&Outcome::TableDropped { version: types::CatalogVersion::ZERO });
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).expect("is text");
        for line in [
            "forebay_persist_jobs_total{demand=\"hot_partition\"} 1",
            "forebay_persist_jobs_queued 1",
            "forebay_persist_jobs_retrying_store 1",
            "forebay_persist_jobs_retrying_catalog 0",
            "forebay_persist_jobs_set_aside_total 0",
            "forebay_persist_jobs_of_dropped_tables_total 1",
            "forebay_persist_encode_seconds_count 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
