//! The flags of `forebay serve`, with their defaults.
//!
//! What is hidden in the short help is what few people need: `--help-all` shows it.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use url::Url;

use super::{CatalogKind, Limits, object_store};
use crate::cli::{parse_duration, parse_size};
use crate::telemetry::{LogFormat, check_filter};

/// Flags as given; [`ServeConfig`](super::ServeConfig) is what becomes of them.
#[derive(Debug, Args)]
pub(crate) struct ServeFlags {
    /// Directory of the log, the catalog and, by default, the objects
    #[arg(long, value_name = "DIR", default_value = "./forebay-data")]
    pub(super) data_dir: PathBuf,

    /// Address for HTTP and gRPC
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8181")]
    pub(super) bind: SocketAddr,

    /// Where Parquet goes: file:///path, s3://bucket/prefix, gs://, az:// or memory://
    ///
    /// The default is the folder `objects` in the data directory. Credentials come from the
    /// environment under the clouds' own names, such as AWS_ACCESS_KEY_ID. memory:// forgets
    /// everything when the process ends.
    #[arg(long, value_name = "URL", value_parser = object_store::parse)]
    pub(super) object_store: Option<Url>,

    /// Where the catalog is
    #[arg(
        long,
        value_enum,
        value_name = "CATALOG",
        default_value = "embedded",
        hide_short_help = true
    )]
    pub(super) catalog: CatalogKind,

    /// Bytes for requests, buffers, persist jobs and queries together [default: half of the
    /// machine's memory, or of the cgroup's]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(super) memory_budget: Option<ByteSize>,

    /// Largest body of a request, as sent and inflated alike
    ///
    /// Never more than a quarter of the memory budget.
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "64MiB")]
    pub(super) max_body_size: ByteSize,

    /// A query that takes longer is ended
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "300s")]
    pub(super) query_timeout: Duration,

    /// A query that takes longer is logged
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10s")]
    #[arg(hide_short_help = true)]
    pub(super) slow_query: Duration,

    /// A shutdown that takes longer leaves the rest in the log, for the next start
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "25s")]
    pub(super) shutdown_timeout: Duration,

    /// How often the open segment is sealed, so that it can be dropped once it is persisted
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "300s")]
    #[arg(help_heading = "Log")]
    pub(super) rotation_period: Duration,

    /// Size of a segment, which is written as zeros ahead of need
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "64MiB")]
    #[arg(help_heading = "Log", hide_short_help = true)]
    pub(super) wal_segment_size: ByteSize,

    /// Size of all segments, over which writes are refused until persists have freed some
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "4GiB")]
    #[arg(help_heading = "Log")]
    pub(super) wal_max_size: ByteSize,

    /// Persist jobs that run at once [default: cores]
    #[arg(long, value_name = "COUNT", help_heading = "Persist", hide_short_help = true)]
    pub(super) persist_workers: Option<NonZeroUsize>,

    /// Persist jobs that may be outstanding
    #[arg(
        long,
        value_name = "COUNT",
        default_value = "250",
        help_heading = "Persist",
        hide_short_help = true
    )]
    pub(super) persist_queue_depth: NonZeroUsize,

    /// A partition that has grown to this size is persisted [default: 64MiB, less where the memory
    /// budget is small]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    #[arg(help_heading = "Persist", hide_short_help = true)]
    pub(super) persist_hot_partition_size: Option<ByteSize>,

    /// A partition whose oldest row has waited for so long is persisted
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "1h")]
    #[arg(help_heading = "Persist")]
    pub(super) persist_max_age: Duration,

    #[command(flatten)]
    pub(super) limits: LimitFlags,

    /// Which lines are logged to standard error, such as info or warn,wal=debug
    #[arg(long, value_name = "FILTER", value_parser = check_filter, default_value = "info")]
    #[arg(help_heading = "Telemetry")]
    pub(super) log_filter: String,

    /// How they look
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Telemetry"
    )]
    pub(super) log_format: LogFormat,
}

/// The limits, each with a flag of its own.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits, each refused by its name")]
pub(crate) struct LimitFlags {
    /// Databases
    #[arg(long, value_name = "COUNT", default_value = "1000", hide_short_help = true)]
    max_databases: usize,

    /// Tables of a database
    #[arg(long, value_name = "COUNT", default_value = "10000", hide_short_help = true)]
    max_tables: usize,

    /// Columns of a table
    #[arg(long, value_name = "COUNT", default_value = "1000", hide_short_help = true)]
    max_columns: usize,

    /// Tags of a line
    #[arg(long, value_name = "COUNT", default_value = "64", hide_short_help = true)]
    max_tags: usize,

    /// Size of a line
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "1MiB")]
    #[arg(hide_short_help = true)]
    max_line_size: ByteSize,

    /// Size of a string value
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value = "64KiB")]
    #[arg(hide_short_help = true)]
    max_string_size: ByteSize,

    /// Rows × columns of a request
    #[arg(long, value_name = "COUNT", default_value = "100000000", hide_short_help = true)]
    max_cells: u64,

    /// Partitions of a request
    #[arg(long, value_name = "COUNT", default_value = "10000", hide_short_help = true)]
    max_partitions: usize,

    /// Partitions in the buffer
    #[arg(long, value_name = "COUNT", default_value = "100000", hide_short_help = true)]
    max_buffered_partitions: usize,

    /// Open connections
    #[arg(long, value_name = "COUNT", default_value = "4096", hide_short_help = true)]
    max_connections: usize,

    /// Running queries
    #[arg(long, value_name = "COUNT", default_value = "32", hide_short_help = true)]
    max_queries: usize,

    /// How long a request waits for memory
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "2s")]
    #[arg(hide_short_help = true)]
    admission_timeout: Duration,

    /// How long a query waits for the position that it carries
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "5s")]
    #[arg(hide_short_help = true)]
    position_timeout: Duration,
}

impl From<LimitFlags> for Limits {
    fn from(flags: LimitFlags) -> Self {
        Self {
            databases: flags.max_databases,
            tables: flags.max_tables,
            columns: flags.max_columns,
            tags: flags.max_tags,
            line_size: flags.max_line_size,
            string_size: flags.max_string_size,
            cells: flags.max_cells,
            partitions: flags.max_partitions,
            buffered_partitions: flags.max_buffered_partitions,
            connections: flags.max_connections,
            queries: flags.max_queries,
            admission_timeout: flags.admission_timeout,
            position_timeout: flags.position_timeout,
        }
    }
}
