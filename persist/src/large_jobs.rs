//! Jobs larger than the usual: what they need beyond it is shared by all of them.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Bytes that are counted as one.
const UNIT_BYTES: u64 = 1 << 10;

/// Far more than a machine has, and no more than a semaphore counts.
const UNITS_MAX: u32 = 1 << 28;

/// A worker may encode a job of the usual size at any time. The rows that a job has beyond that
/// are encoded out of one allowance, so that all workers together need no more memory than is kept
/// free for them. A job that would need more than all of it has all of it. A job that waits for the
/// allowance keeps its worker: it gets it when an encoding ends, and that takes no longer than its own.
#[derive(Debug)]
pub(crate) struct LargeJobs {
    usual_bytes: u64,
    allowance: Semaphore,
    units: u32,
}

impl LargeJobs {
    pub(crate) fn new(usual_bytes: u64, allowance_bytes: u64) -> Self {
        let units = units_of(allowance_bytes).max(1);
        Self { usual_bytes, allowance: Semaphore::new(units as usize), units }
    }

    /// Waits until a job of so many bytes may be encoded: for the end of other encodings, which need
    /// nothing but a core, and never for memory. First come, first served.
    pub(crate) async fn turn(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        let units = units_of(bytes.saturating_sub(self.usual_bytes)).min(self.units);
        if units == 0 {
            return None;
        }
        // Never closed.
        self.allowance.acquire_many(units).await.ok()
    }
}

fn units_of(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(UNITS_MAX).min(UNITS_MAX)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn what_jobs_have_beyond_the_usual_is_taken_from_one_allowance() {
        let large = LargeJobs::new(8 * MIB, 4 * MIB);
        assert!(large.turn(8 * MIB).now_or_never().is_some_and(|turn| turn.is_none()));
        let first = large.turn(10 * MIB).now_or_never().expect("half of the allowance");
        let second = large.turn(10 * MIB).now_or_never().expect("the other half");
        let mut huge = Box::pin(large.turn(1 << 60));
        assert!(huge.as_mut().now_or_never().is_none());
        drop(first);
        assert!(huge.as_mut().now_or_never().is_none(), "it waits for all of it");
        assert!(large.turn(9 * MIB).now_or_never().is_none(), "who came first is first");
        assert!(large.turn(MIB).now_or_never().is_some(), "the usual waits for nobody");
        drop(second);
        assert!(huge.now_or_never().is_some(), "nobody else encodes what is large");
        assert!(large.turn(12 * MIB).now_or_never().is_some());
    }
}
