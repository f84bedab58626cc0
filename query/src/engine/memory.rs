//! The memory of queries: a share of the budget of the process.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{Result, resources_datafusion_err};
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation};
use parking_lot::Mutex;
use types::{MemoryBudget, MemoryOwner, Reservation};

/// DataFusion's pool over the budget. Queries never wait for memory: who cannot grow fails.
#[derive(Debug)]
pub(super) struct QueryMemory {
    limit_bytes: u64,
    held: Mutex<Reservation>,
}

impl QueryMemory {
    /// At most `limit_bytes` of `budget`.
    pub(super) fn new(budget: &Arc<MemoryBudget>, limit_bytes: u64) -> Self {
        Self { limit_bytes, held: Mutex::new(budget.reserve_anyway(MemoryOwner::Query, 0)) }
    }
}

impl MemoryPool for QueryMemory {
    fn name(&self) -> &str {
        "queries"
    }

    fn grow(&self, _: &MemoryReservation, additional: usize) {
        let mut held = self.held.lock();
        let bytes = held.bytes().saturating_add(additional as u64);
        held.set_anyway(bytes);
    }

    fn shrink(&self, _: &MemoryReservation, shrink: usize) {
        let mut held = self.held.lock();
        let bytes = held.bytes().saturating_sub(shrink as u64);
        held.shrink_to(bytes);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut held = self.held.lock();
        let more = additional as u64;
        let fits = held.bytes().saturating_add(more) <= self.limit_bytes;
        if fits && held.try_grow(more) {
            return Ok(());
        }
        Err(resources_datafusion_err!(
            "{} needs {more} bytes more; all queries hold {} bytes and may hold {}",
            reservation.consumer().name(),
            held.bytes(),
            self.limit_bytes
        ))
    }

    fn reserved(&self) -> usize {
        usize::try_from(self.held.lock().bytes()).unwrap_or(usize::MAX)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(usize::try_from(self.limit_bytes).unwrap_or(usize::MAX))
    }
}

impl fmt::Display for QueryMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of at most {} bytes", self.reserved(), self.limit_bytes)
    }
}
