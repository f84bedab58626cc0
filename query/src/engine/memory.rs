//! The memory of queries: a share of the budget of the process.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{Result, resources_datafusion_err};
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation};
use parking_lot::Mutex;
use types::{MemoryBudget, MemoryOwner, Reservation};

/// DataFusion's pool over the budget. Queries never wait for memory: who cannot grow fails.
///
/// The share holds what queries keep alive in the buffer too, which the buffer accounts for under
/// the same owner.
#[derive(Debug)]
pub(super) struct QueryMemory {
    limit_bytes: u64,
    budget: Arc<MemoryBudget>,
    held: Mutex<Reservation>,
}

impl QueryMemory {
    /// At most `limit_bytes` of `budget`.
    pub(super) fn new(budget: &Arc<MemoryBudget>, limit_bytes: u64) -> Self {
        let held = Mutex::new(budget.reserve_anyway(MemoryOwner::Query, 0));
        Self { limit_bytes, budget: Arc::clone(budget), held }
    }

    /// What all queries hold and what is kept for them.
    fn used(&self) -> u64 {
        self.budget.used_by(MemoryOwner::Query)
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
        let before = held.bytes();
        // Taken first and then looked at: of two that take at once, none overlooks the other.
        if held.try_grow(more) {
            if self.used() <= self.limit_bytes {
                return Ok(());
            }
            held.shrink_to(before);
        }
        Err(resources_datafusion_err!(
            "{} needs {more} bytes more; all queries hold {} bytes, with what is kept for them in \
             the buffer, and may hold {}",
            reservation.consumer().name(),
            self.used(),
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

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::MemoryConsumer;

    use super::*;

    #[test]
    fn what_the_buffer_keeps_for_queries_counts() {
        let budget = MemoryBudget::new(1_000);
        let pool: Arc<dyn MemoryPool> = Arc::new(QueryMemory::new(&budget, 100));
        let account = MemoryConsumer::new("test").register(&pool);
        account.try_grow(60).expect("there is room");
        let kept = budget.reserve_anyway(MemoryOwner::Query, 30);
        account.try_grow(11).expect_err("one byte too many");
        assert_eq!((account.size(), budget.used_by(MemoryOwner::Query)), (60, 90));
        drop(kept);
        account.try_grow(40).expect("there is room again");
        account.try_grow(usize::MAX).expect_err("a sum over u64 is refused, not wrapped");
        drop(account);
        assert_eq!(budget.used_by(MemoryOwner::Query), 0);
    }
}
