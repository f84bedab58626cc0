//! Where a request gets memory before its body is read.

use std::fmt::Debug;

use async_trait::async_trait;

use super::DmlError;
use crate::memory::Reservation;

/// Hands out memory at the edge. Only this first step waits, and only for a bounded time; who
/// cannot grow later gives all back and is refused.
#[async_trait]
pub trait MemoryGate: Debug + Send + Sync {
    /// Reserves `bytes` for a request.
    ///
    /// # Errors
    ///
    /// [`DmlError::Busy`] if there is no room in time, or this node takes no writes now.
    async fn reserve(&self, bytes: u64) -> Result<Reservation, DmlError>;
}
