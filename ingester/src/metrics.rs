//! What the ingester tells about itself.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use types::effect::Clock;
use types::{MemoryBudget, MemoryOwner};

use crate::buffer_tree::BufferTree;
use crate::published::PublishedLsn;
use crate::wal_appender::PendingWrite;

/// What the log's thread measures.
#[derive(Debug)]
pub(crate) struct WalMetrics {
    fsync_seconds: Histogram,
    group_frames: Histogram,
    appended_bytes: Counter,
    appended_batches: Counter,
    torn_tails: Counter,
    torn_bytes: Counter,
}

impl WalMetrics {
    /// Registers the metrics.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        // 50 µs to 3.3 s: a virtual disk with a cache answers in 150 µs, a sick one in seconds.
        let fsync_seconds = Histogram::new(exponential_buckets(50e-6, 2.0, 17));
        let group_frames = Histogram::new(exponential_buckets(1.0, 2.0, 12));
        let metrics = Self {
            fsync_seconds,
            group_frames,
            appended_bytes: Counter::default(),
            appended_batches: Counter::default(),
            torn_tails: Counter::default(),
            torn_bytes: Counter::default(),
        };
        registry.register_with_unit(
            "forebay_wal_fsync",
            "Time of each fdatasync of the write-ahead log",
            Unit::Seconds,
            metrics.fsync_seconds.clone(),
        );
        registry.register(
            "forebay_wal_group_frames",
            "Requests that one fdatasync covered",
            metrics.group_frames.clone(),
        );
        registry.register_with_unit(
            "forebay_wal_appended",
            "Bytes appended to the write-ahead log",
            Unit::Bytes,
            metrics.appended_bytes.clone(),
        );
        registry.register(
            "forebay_wal_appended_batches",
            "Batches appended to the write-ahead log",
            metrics.appended_batches.clone(),
        );
        registry.register(
            "forebay_wal_torn_tails",
            "Torn tails that the recovery at the start cut off and survived",
            metrics.torn_tails.clone(),
        );
        registry.register_with_unit(
            "forebay_wal_torn",
            "Bytes of torn tails, which nobody was told of",
            Unit::Bytes,
            metrics.torn_bytes.clone(),
        );
        metrics
    }

    pub(crate) fn recovered(&self, torn: wal::TornTails) {
        self.torn_tails.inc_by(torn.count);
        self.torn_bytes.inc_by(torn.bytes);
    }

    pub(crate) fn committed(&self, group: &wal::Group<PendingWrite>) {
        let batches: usize = group.frames.iter().map(|frame| frame.payload.batches.len()).sum();
        self.fsync_seconds.observe(group.sync_time.as_secs_f64());
        self.group_frames.observe(group.frames.len() as f64);
        self.appended_bytes.inc_by(group.bytes);
        self.appended_batches.inc_by(batches as u64);
    }
}

/// Reads the state of the ingester when it is asked for.
#[derive(Debug)]
pub(crate) struct StateCollector {
    pub(crate) tree: Arc<BufferTree>,
    pub(crate) budget: Arc<MemoryBudget>,
    pub(crate) log: wal::LogHandle<PendingWrite>,
    pub(crate) published: PublishedLsn,
    pub(crate) clock: Arc<dyn Clock>,
}

impl StateCollector {
    /// For how long the oldest row that is in no file has been visible, in whole seconds.
    fn oldest_unpersisted_seconds(&self) -> u64 {
        let partitions = self.tree.partitions();
        let oldest = partitions.iter().filter_map(|partition| partition.unpersisted_since()).min();
        oldest.map_or(0, |oldest| self.clock.monotonic().saturating_sub(oldest).as_secs())
    }
}

impl Collector for StateCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let memory = Family::<[(&'static str, &'static str); 1], Gauge>::default();
        for owner in MemoryOwner::ALL {
            let used = as_i64(self.budget.used_by(owner));
            memory.get_or_create(&[("owner", owner.word())]).set(used);
        }
        let help = "Accounted memory by owner";
        let ty = prometheus_client::metrics::MetricType::Gauge;
        memory.encode(encoder.encode_descriptor("forebay_memory_bytes", help, None, ty)?)?;

        let size = self.tree.size();
        let log = self.log.state();
        let partitions = self.tree.partition_count() as u64;
        let gauges: [(&str, &str, u64); 12] = [
            ("forebay_memory_budget_bytes", "The memory budget", self.budget.limit()),
            (
                "forebay_memory_high_water_bytes",
                "The most accounted memory since the start",
                self.budget.high_water(),
            ),
            ("forebay_buffer_rows", "Rows that are in no file yet", size.rows),
            ("forebay_buffer_unsealed_bytes", "Bytes of rows not sealed", size.unsealed_bytes),
            ("forebay_buffer_sealed_bytes", "Bytes on their way to files", size.sealed_bytes),
            ("forebay_buffer_retired_bytes", "Bytes kept for queries", size.retired_bytes),
            ("forebay_buffer_partitions", "Partitions with rows in the buffer", partitions),
            ("forebay_published_lsn", "Fsynced and visible up to here", self.published.get().get()),
            ("forebay_wal_segments", "Sealed segments of the log", log.sealed.len() as u64),
            ("forebay_wal_bytes", "Bytes in all segments of the log", log.bytes),
            (
                "forebay_oldest_unpersisted_seconds",
                "Age of the oldest row that is in no file yet",
                self.oldest_unpersisted_seconds(),
            ),
            ("forebay_wal_disk_full", "1 while the disk is full", u64::from(log.disk_full)),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(as_i64(value));
            gauge.encode(encoder.encode_descriptor(name, help, None, ty)?)?;
        }
        Ok(())
    }
}

fn as_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
