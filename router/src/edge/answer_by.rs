//! When a client gets its answer, whatever it is.

use std::time::Duration;

use tokio::time::Instant;
use types::seam::{DmlError, MemoryGate};

/// Telegraf gives up after five seconds; what it does not hear of by then, it sends again.
const ANSWER_WITHIN: Duration = Duration::from_millis(4_500);

/// The time by which a write has an answer. It counts from the request's head, but for the time
/// that the client took to send the body.
#[derive(Clone, Copy, Debug)]
pub struct AnswerBy(Instant);

impl AnswerBy {
    /// For a request that has just come.
    pub fn begin() -> Self {
        Self(Instant::now() + ANSWER_WITHIN)
    }

    /// Gives back the time in which the client itself was waited for.
    #[must_use]
    pub fn later_by(self, sending: Duration) -> Self {
        Self(self.0 + sending)
    }

    /// What `applying` comes to, or that its outcome is unknown; then it goes on all the same. If the
    /// answer is due already, nothing is begun, and `gate` knows when to come back.
    ///
    /// # Errors
    ///
    /// Those of `applying`, [`DmlError::Unknown`], and [`DmlError::Busy`] if nothing was begun.
    pub(super) async fn limit<T>(
        self,
        gate: &dyn MemoryGate,
        applying: impl Future<Output = Result<T, DmlError>>,
    ) -> Result<T, DmlError> {
        if Instant::now() >= self.0 {
            let reason = "the request took too long before it could be kept".to_owned();
            // It gives back what it holds, so nothing is missing but time.
            return Err(DmlError::Busy { reason, retry_after: gate.retry_after(0) });
        }
        tokio::time::timeout_at(self.0, applying).await.unwrap_or_else(|_| {
            let reason = "the write was taken in but not synced in time".to_owned();
            Err(DmlError::Unknown { reason })
        })
    }
}

#[cfg(test)]
mod tests {
    use types::MemoryBudget;

    use super::*;
    use crate::testing::BudgetGate;

    #[tokio::test(start_paused = true)]
    async fn an_outcome_that_comes_too_late_is_unknown() {
        let answer_by = AnswerBy::begin().later_by(Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(5)).await;
        let gate = BudgetGate { budget: MemoryBudget::new(1) };
        assert_eq!(answer_by.limit(&gate, async { Ok(1) }).await, Ok(1));
        let never = std::future::pending::<Result<(), DmlError>>();
        let late = answer_by.limit(&gate, never).await.expect_err("never comes");
        assert!(matches!(late, DmlError::Unknown { .. }), "{late}");
        let begun = std::cell::Cell::new(false);
        let begin = async {
            begun.set(true);
            Ok(())
        };
        let refused = answer_by.limit(&gate, begin).await.expect_err("is due");
        let told = gate.retry_after(0);
        let is_told = matches!(refused, DmlError::Busy { retry_after, .. } if retry_after == told);
        assert!(is_told && !begun.get(), "{refused}");
    }
}
