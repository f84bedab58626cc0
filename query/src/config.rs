//! What a query engine is told and what it is given.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use catalog::CatalogRead;
use object_store::ObjectStore;
use types::MemoryBudget;
use types::effect::{Clock, Pool, Randomness};
use types::seam::QueryExec;

/// The limits of queries. None has a default here: the server's flags have them.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a query may take, from its start to the end of its answer.
    pub query_timeout: Duration,
    /// How many queries may run at a time. One more is refused, not queued: a client that waits in
    /// a queue cannot tell it from a slow query.
    pub queries_max: NonZeroUsize,
    /// The bytes that all queries together may use, out of the budget of the process.
    pub memory_limit_bytes: u64,
    /// How long a query waits for the position that it carries.
    pub position_timeout: Duration,
    /// Queries that take longer are logged.
    pub slow_query: Duration,
    /// How many streams one table scan is read by, usually the number of cores.
    pub target_partitions: NonZeroUsize,
}

/// What a query engine works with.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The catalog.
    pub catalog: Arc<dyn CatalogRead>,
    /// The buffer of this node.
    pub buffer: Arc<dyn QueryExec>,
    /// Where the files are.
    pub store: Arc<dyn ObjectStore>,
    /// The time: for logs and for `now()`.
    pub clock: Arc<dyn Clock>,
    /// Chance: for the ids of queries.
    pub randomness: Arc<dyn Randomness>,
    /// Where rows are sorted, decoded and laid out.
    pub pool: Arc<dyn Pool>,
    /// The budget of the process.
    pub memory: Arc<MemoryBudget>,
}
