//! What `forebay serve` is told: plain values with types, each checked, each with its reason.

mod flags;
mod object_store;

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::ValueEnum;
use url::Url;

pub(crate) use flags::ServeFlags;

use crate::error::Error;
use crate::machine::Machine;
use crate::telemetry::LogFormat;

/// A body may take no more than this part of the memory budget, so that a few large requests
/// cannot have all of it.
const BODY_SHARE_OF_BUDGET: u64 = 4;
/// Below this a budget holds not even the parts that must always fit: one largest job for each
/// worker, one body, one query.
const MEMORY_BUDGET_MIN: ByteSize = ByteSize::mib(64);
/// A job gathers its rows in columns, and Arrow counts a column's text with 31 bits.
const HOT_PARTITION_SIZE_MAX: ByteSize = ByteSize::gib(1);
/// The ballast of the log is at most this part of what all of its segments may hold: who gave the log
/// little room has little to give away.
const BALLAST_SHARE_OF_LOG: u64 = 8;
/// Open files that connections leave for the log, the catalog and the objects: without one of those
/// left, the log could not go on and the process would end.
const DESCRIPTORS_KEPT: u64 = 256;

/// Where the catalog is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CatalogKind {
    /// In this process, in `<data-dir>/catalog`.
    Embedded,
}

/// All that a server needs to know; see [`ServeFlags`] for meanings and defaults.
#[derive(Clone, Debug)]
pub(crate) struct ServeConfig {
    /// Holds `wal/`, `catalog/` and, by default, `objects/`.
    pub(crate) data_dir: PathBuf,
    /// Where HTTP and gRPC are served.
    pub(crate) bind: SocketAddr,
    /// Where Parquet goes: `file`, `s3`, `gs`, `az` or `memory`.
    pub(crate) object_store: Url,
    /// Where the catalog is.
    pub(crate) catalog: CatalogKind,
    /// How often the open segment of the log is sealed.
    pub(crate) rotation_period: Duration,
    /// Bytes of one segment.
    pub(crate) wal_segment_size: ByteSize,
    /// Bytes of all segments; over it writes are refused.
    pub(crate) wal_max_size: ByteSize,
    /// Persist jobs that run at once.
    pub(crate) persist_workers: NonZeroUsize,
    /// Persist jobs that may be outstanding.
    pub(crate) persist_queue_depth: NonZeroUsize,
    /// A partition of this size is sealed and persisted.
    pub(crate) persist_hot_partition_size: ByteSize,
    /// A partition whose oldest row has waited for so long is persisted.
    pub(crate) persist_max_age: Duration,
    /// Bytes for requests, buffers, persist jobs and queries together.
    pub(crate) memory_budget: ByteSize,
    /// Bytes of one request's body, as sent and inflated alike.
    pub(crate) max_body_size: ByteSize,
    /// A query that takes longer is ended.
    pub(crate) query_timeout: Duration,
    /// A query that takes longer is logged.
    pub(crate) slow_query: Duration,
    /// A shutdown that takes longer leaves the rest to the next start.
    pub(crate) shutdown_timeout: Duration,
    /// What is refused by its name.
    pub(crate) limits: Limits,
    /// Which lines are logged.
    pub(crate) log_filter: String,
    /// How they look.
    pub(crate) log_format: LogFormat,
    /// What `--max-connections` was before the machine's limit of open files lowered it.
    connections_asked: usize,
}

/// Counts and waits over which a request is refused, the limit named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Databases of this server.
    pub(crate) databases: usize,
    /// Tables of one database.
    pub(crate) tables: usize,
    /// Columns of one table.
    pub(crate) columns: usize,
    /// Tags of one line.
    pub(crate) tags: usize,
    /// Bytes of one line.
    pub(crate) line_size: ByteSize,
    /// Bytes of one string value.
    pub(crate) string_size: ByteSize,
    /// Rows × columns of one request.
    pub(crate) cells: u64,
    /// Partitions that one request writes to.
    pub(crate) partitions: usize,
    /// Partitions in the buffer.
    pub(crate) buffered_partitions: usize,
    /// Open connections.
    pub(crate) connections: usize,
    /// Running queries.
    pub(crate) queries: usize,
    /// How long a request waits for memory before it is refused.
    pub(crate) admission_timeout: Duration,
    /// How long a query waits for the position that it carries.
    pub(crate) position_timeout: Duration,
}

impl ServeConfig {
    /// Fills in what depends on the machine, and checks what depends on more than one flag.
    ///
    /// # Errors
    ///
    /// [`Error::BadFlags`] with all faults at once.
    pub(crate) fn new(flags: ServeFlags, machine: &Machine) -> Result<Self, Error> {
        let object_store = match flags.object_store {
            Some(url) => url,
            None => object_store::within(&flags.data_dir)?,
        };
        let half_of_machine = || machine.memory.map(|memory| ByteSize(memory.0 / 2));
        let memory_budget = flags.memory_budget.or_else(half_of_machine);
        let memory_budget = memory_budget.ok_or_else(|| Error::BadFlags {
            faults: vec!["--memory-budget is needed: this system does not tell its memory".into()],
        })?;
        let persist_workers = flags.persist_workers.unwrap_or(machine.cores);
        let hot_size =
            ByteSize(ingester::Config::hot_partition_size_for(memory_budget.0, persist_workers));
        let mut limits = Limits::from(flags.limits);
        let connections_asked = limits.connections;
        limits.connections = connections_within(connections_asked, machine.descriptors);
        let config = Self {
            data_dir: flags.data_dir,
            bind: flags.bind,
            object_store,
            catalog: flags.catalog,
            rotation_period: flags.rotation_period,
            wal_segment_size: flags.wal_segment_size,
            wal_max_size: flags.wal_max_size,
            persist_workers,
            persist_queue_depth: flags.persist_queue_depth,
            persist_hot_partition_size: flags.persist_hot_partition_size.unwrap_or(hot_size),
            persist_max_age: flags.persist_max_age,
            memory_budget,
            max_body_size: flags
                .max_body_size
                .min(ByteSize(memory_budget.0 / BODY_SHARE_OF_BUDGET)),
            query_timeout: flags.query_timeout,
            slow_query: flags.slow_query,
            shutdown_timeout: flags.shutdown_timeout,
            limits,
            log_filter: flags.log_filter,
            log_format: flags.log_format,
            connections_asked,
        };
        let faults = config.faults();
        if faults.is_empty() { Ok(config) } else { Err(Error::BadFlags { faults }) }
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.wal_segment_size < ByteSize::mib(1) {
            faults.push("--wal-segment-size must be at least 1MiB".to_owned());
        }
        if self.wal_max_size < self.wal_segment_size {
            faults.push("--wal-max-size must be at least --wal-segment-size".to_owned());
        }
        if self.memory_budget < MEMORY_BUDGET_MIN {
            faults.push(format!("--memory-budget must be at least {}", size(MEMORY_BUDGET_MIN)));
        }
        let hot = self.persist_hot_partition_size;
        if hot.0 == 0 || hot > HOT_PARTITION_SIZE_MAX {
            let max = size(HOT_PARTITION_SIZE_MAX);
            faults.push(format!("--persist-hot-partition-size must be above 0 and at most {max}"));
        }
        if self.rotation_period.is_zero() {
            faults.push("--rotation-period must not be 0".to_owned());
        }
        if self.limits.queries == 0 || self.connections_asked == 0 {
            faults.push("--max-queries and --max-connections must not be 0".to_owned());
        } else if self.limits.connections == 0 {
            let needed = DESCRIPTORS_KEPT + 1;
            faults.push(format!("at least {needed} files must be allowed to be open (ulimit -n)"));
        }
        // Room is made when three quarters are there: a write of more than the last one would have to
        // wait for the age of others.
        if self.limits.partitions > self.limits.buffered_partitions / 4 {
            let told = "--max-partitions must be at most a quarter of --max-buffered-partitions";
            faults.push(told.to_owned());
        }
        faults.extend(self.edge().validate());
        faults
    }

    /// The part of the edge.
    pub(crate) fn edge(&self) -> router::Config {
        let bytes = |size: ByteSize| usize::try_from(size.0).unwrap_or(usize::MAX);
        let limits = &self.limits;
        router::Config {
            limits: router::Limits {
                databases_max: limits.databases,
                tables_max: limits.tables,
                columns_max: limits.columns,
                tags_max: limits.tags,
                line_bytes_max: bytes(limits.line_size),
                string_bytes_max: bytes(limits.string_size),
                cells_max: limits.cells,
                partitions_max: limits.partitions,
            },
            body_bytes_max: self.max_body_size.0,
        }
    }

    /// Room that the log holds back for persisting on a full disk: as much as the largest job, which
    /// is a hot partition and one more request. Its file is smaller than that.
    pub(crate) fn wal_ballast(&self) -> ByteSize {
        let largest_job = self.persist_hot_partition_size.0.saturating_add(self.max_body_size.0);
        ByteSize(largest_job.min(self.wal_max_size.0 / BALLAST_SHARE_OF_LOG))
    }

    /// Logs the effective configuration. Nothing in it is secret: credentials are taken from the
    /// environment by the store's own library and are refused in a URL.
    pub(crate) fn log(&self) {
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "effective configuration: {self}");
        let (asked, lowered) = (self.connections_asked, self.limits.connections);
        if lowered < asked {
            tracing::warn!(
                asked,
                lowered,
                "--max-connections is lowered: no more files may be open (ulimit -n)"
            );
        }
    }

    /// Each flag with the value that is in force.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let limits = &self.limits;
        vec![
            ("data-dir", self.data_dir.display().to_string()),
            ("bind", self.bind.to_string()),
            ("object-store", self.object_store.to_string()),
            ("catalog", word(&self.catalog)),
            ("rotation-period", time(self.rotation_period)),
            ("wal-segment-size", size(self.wal_segment_size)),
            ("wal-max-size", size(self.wal_max_size)),
            ("persist-workers", self.persist_workers.to_string()),
            ("persist-queue-depth", self.persist_queue_depth.to_string()),
            ("persist-hot-partition-size", size(self.persist_hot_partition_size)),
            ("persist-max-age", time(self.persist_max_age)),
            ("memory-budget", size(self.memory_budget)),
            ("max-body-size", size(self.max_body_size)),
            ("query-timeout", time(self.query_timeout)),
            ("slow-query", time(self.slow_query)),
            ("shutdown-timeout", time(self.shutdown_timeout)),
            ("max-databases", limits.databases.to_string()),
            ("max-tables", limits.tables.to_string()),
            ("max-columns", limits.columns.to_string()),
            ("max-tags", limits.tags.to_string()),
            ("max-line-size", size(limits.line_size)),
            ("max-string-size", size(limits.string_size)),
            ("max-cells", limits.cells.to_string()),
            ("max-partitions", limits.partitions.to_string()),
            ("max-buffered-partitions", limits.buffered_partitions.to_string()),
            ("max-connections", limits.connections.to_string()),
            ("max-queries", limits.queries.to_string()),
            ("admission-timeout", time(limits.admission_timeout)),
            ("position-timeout", time(limits.position_timeout)),
            ("log-filter", self.log_filter.clone()),
            ("log-format", word(&self.log_format)),
        ]
    }
}

/// As many of the connections that were asked for as leave [`DESCRIPTORS_KEPT`] open files.
fn connections_within(asked: usize, descriptors: Option<u64>) -> usize {
    let left = descriptors.map(|limit| limit.saturating_sub(DESCRIPTORS_KEPT));
    let left = left.and_then(|left| usize::try_from(left).ok());
    left.map_or(asked, |left| asked.min(left))
}

/// As one would type it.
impl fmt::Display for ServeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (flag, value)) in self.settings().iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}--{flag}={value}")?;
        }
        Ok(())
    }
}

/// A size without loss, in a form that is read back: `64MiB`, or bytes where no unit fits.
fn size(size: ByteSize) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let bytes = size.as_u64();
    let fits = |(_, bits): &&(&str, u32)| bytes != 0 && bytes.trailing_zeros() >= *bits;
    match UNITS.iter().find(fits) {
        Some((unit, bits)) => format!("{}{unit}", bytes >> bits),
        None => bytes.to_string(),
    }
}

fn time(time: Duration) -> String {
    humantime::format_duration(time).to_string().replace(' ', "")
}

fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests;
