//! Keeps work that takes long off the threads that serve requests.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use types::effect::{Lost, Pool, offload};

use crate::error::Error;

/// Does `work` on `pool`. A panic in it goes on here, where it ends its query and nothing else.
///
/// # Errors
///
/// [`Error::Fault`] if the pool is gone.
///
/// # Cancel safety
///
/// Dropping the future forgets the result; the work runs to its end.
pub(crate) async fn on_pool<T: Send + 'static>(
    pool: &dyn Pool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    // Nothing that a panic may leave half-changed is used after it: the work owns what it works on.
    let caught = move || catch_unwind(AssertUnwindSafe(work));
    match offload(pool, caught).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(panic)) => resume_unwind(panic),
        Err(Lost) => Err(Error::Fault { reason: "the pool ended before the query".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use types::effect::InPlace;

    use super::*;

    /// Does nothing any more.
    #[derive(Debug)]
    struct Ended;

    impl Pool for Ended {
        fn spawn(&self, _work: Box<dyn FnOnce() + Send>) {}
    }

    #[tokio::test]
    async fn a_panic_goes_on_where_the_work_is_waited_for() {
        let divisor = 0;
        let working = on_pool(&InPlace, move || 4 / divisor);
        let panicked = AssertUnwindSafe(working).catch_unwind().await;
        assert!(panicked.is_err());
        assert!(matches!(on_pool(&InPlace, || 4 / 2).await, Ok(2)));
    }

    #[tokio::test]
    async fn work_that_is_never_done_is_a_fault() {
        assert!(matches!(on_pool(&Ended, || 4).await, Err(Error::Fault { .. })));
    }
}
