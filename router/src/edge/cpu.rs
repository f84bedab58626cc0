//! Keeps long work off the threads that serve requests.

use crate::error::Error;

/// Work on fewer bytes than this takes less time than handing it over and back.
const INLINE_BYTES_MAX: usize = 16 << 10;

/// Does `work`, which takes time in proportion to `bytes`, here or on a thread of its own.
///
/// # Errors
///
/// If the work panicked: the fault stays with its request.
pub(crate) async fn on_cpu<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    if bytes < INLINE_BYTES_MAX {
        return Ok(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::Internal(error.to_string()))
}
