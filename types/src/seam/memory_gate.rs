//! Where a request gets memory before its body is read.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use super::DmlError;
use crate::memory::Reservation;

/// When to come back where nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Hands out memory at the edge. Only the first step waits, and only for a bounded time; who cannot
/// grow later gives all back and is refused.
#[async_trait]
pub trait MemoryGate: Debug + Send + Sync {
    /// Reserves `bytes` for a request. Who asks first is served first, however much it is.
    ///
    /// # Errors
    ///
    /// [`DmlError::Busy`] if there is no room in time, or this node takes no writes now.
    async fn reserve(&self, bytes: u64) -> Result<Reservation, DmlError>;

    /// The most that one request can have once nobody else has any.
    fn capacity(&self) -> u64 {
        u64::MAX
    }

    /// Has `held` grow by `more` bytes for a body that is still coming; says no, and leaves it as
    /// it is, if there is no room or new memory is refused early.
    fn try_grow(&self, held: &mut Reservation, more: u64) -> bool {
        held.try_grow(more)
    }

    /// When a request that was refused for want of `missing` bytes should come back.
    fn retry_after(&self, _missing: u64) -> Duration {
        RETRY_AFTER
    }
}
