//! Keeps a panic inside its query.

use std::panic::AssertUnwindSafe;

use futures::{Stream, StreamExt};

use crate::error::Error;

/// The items of `stream`; a panic ends it with [`Error::Fault`]. Unless it is caught it ends the
/// task of the connection, with all other requests on it.
///
/// The stream is not polled again after a panic, so nobody meets what it left behind.
pub(crate) fn contained<T>(
    stream: impl Stream<Item = Result<T, Error>>,
) -> impl Stream<Item = Result<T, Error>> {
    AssertUnwindSafe(stream).catch_unwind().map(|item| {
        item.unwrap_or_else(|_| {
            Err(Error::Fault { reason: "encoding the answer panicked".to_owned() })
        })
    })
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_the_last_item() {
        let items = stream::iter([1, 0, 2]).map(|divisor| Ok::<_, Error>(4 / divisor));
        let items: Vec<_> = contained(items).collect().await;
        assert!(matches!(items.as_slice(), [Ok(4), Err(Error::Fault { .. })]));
    }
}
