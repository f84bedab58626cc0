//! Keeps long work off the threads that serve requests.

use std::panic::{AssertUnwindSafe, catch_unwind};

use types::effect::{Lost, Pool, offload};
use types::error::panic_text;

use crate::error::Error;

/// Work on fewer bytes than this takes less time than handing it over and back.
const INLINE_BYTES_MAX: usize = 16 << 10;

/// Does `work`, which takes time in proportion to `bytes`, here or on `pool`.
///
/// # Errors
///
/// If the work panicked: the fault stays with its request.
pub(crate) async fn on_cpu<T: Send + 'static>(
    pool: &dyn Pool,
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    if bytes < INLINE_BYTES_MAX {
        return Ok(work());
    }
    // Nothing that a panic may leave half-changed is used after it: the work owns what it works on.
    let caught = move || catch_unwind(AssertUnwindSafe(work));
    match offload(pool, caught).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(panic)) => {
            let text = panic_text(panic.as_ref());
            Err(Error::Internal(format!("a panic: {text}")))
        }
        Err(Lost) => Err(Error::Internal("the process is at its end".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use types::effect::InPlace;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_of_its_request() {
        let number = 7;
        let panicked = on_cpu::<()>(&InPlace, INLINE_BYTES_MAX, move || panic!("no {number}"));
        match panicked.await {
            Err(Error::Internal(message)) => assert_eq!(message, "a panic: no 7"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(on_cpu(&InPlace, INLINE_BYTES_MAX, move || number).await, Ok(7)));
    }
}
