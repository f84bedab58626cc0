//! Runs a read of the buffer in a task of its own, a bounded number of messages ahead of its reader.
//!
//! ```text
//!   task: chunks ─▶ encode ─▶ [ MESSAGES_AHEAD ] ─▶ gRPC stream
//!           └── dropped, with permit and version, at its end, at the deadline, or with the reader
//! ```
//!
//! The task is there for readers that stop reading: they are never asked again, so only a task can
//! give back at the deadline what is held for them. And a panic ends this task, not the connection.

use std::pin::pin;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::error::Error;

/// How many messages wait for their reader: one on its way, one being read.
const MESSAGES_AHEAD: usize = 2;

/// Whether the source was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    TimedOut,
}

/// The reader's end.
struct Pump<T> {
    items: mpsc::Receiver<Result<T, Error>>,
    task: AbortOnDropHandle<End>,
    timeout: Duration,
}

/// Reads `source` for `timeout` at most; an error is the last item.
pub(super) fn pump<T: Send + 'static>(
    source: impl Stream<Item = Result<T, Error>> + Send + 'static,
    timeout: Duration,
) -> impl Stream<Item = Result<T, Error>> + Send + 'static {
    let (sender, items) = mpsc::channel(MESSAGES_AHEAD);
    let task = tokio::spawn(async move {
        match tokio::time::timeout(timeout, forward(source, sender)).await {
            Ok(()) => End::Whole,
            Err(_) => End::TimedOut,
        }
    });
    let pump = Pump { items, task: AbortOnDropHandle::new(task), timeout };
    stream::unfold(Some(pump), |pump| async move {
        let mut pump = pump?;
        match pump.items.recv().await {
            Some(item) => Some((item, Some(pump))),
            None => Some((Err(pump.ended().await?), None)),
        }
    })
}

impl<T> Pump<T> {
    /// Why there are no more items, unless that is how it should be.
    async fn ended(self) -> Option<Error> {
        match self.task.await {
            Ok(End::Whole) => None,
            Ok(End::TimedOut) => Some(Error::TimedOut { timeout: self.timeout }),
            Err(panic) => Some(Error::Fault { reason: panic.to_string() }),
        }
    }
}

async fn forward<T>(
    source: impl Stream<Item = Result<T, Error>>,
    sender: mpsc::Sender<Result<T, Error>>,
) {
    let mut source = pin!(source);
    while let Some(item) = source.next().await {
        let last = item.is_err();
        if sender.send(item).await.is_err() || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(300);

    #[tokio::test(start_paused = true)]
    async fn what_a_stalled_reader_holds_is_given_back_at_the_deadline() {
        let held = Arc::new(());
        let source = stream::repeat(Arc::clone(&held)).map(Ok);
        let mut read = pin!(pump(source, TIMEOUT));
        assert!(read.next().await.is_some());
        // Nobody reads on. Time passes by itself, because all tasks wait.
        tokio::time::sleep(TIMEOUT).await;
        let rest: Vec<_> = read.collect().await;
        assert!(matches!(rest.last(), Some(Err(Error::TimedOut { .. }))));
        drop(rest);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[tokio::test]
    async fn a_panic_is_told_as_the_last_item() {
        let source = stream::iter([1, 0]).map(|divisor| Ok(1 / divisor));
        let items: Vec<_> = pump(source, TIMEOUT).collect().await;
        assert!(matches!(items.as_slice(), [Ok(1), Err(Error::Fault { .. })]));
    }

    #[tokio::test]
    async fn the_task_ends_with_its_reader() {
        let held = Arc::new(());
        let source = stream::repeat(Arc::clone(&held)).map(Ok);
        let mut read = Box::pin(pump(source, TIMEOUT));
        assert!(read.next().await.is_some());
        drop(read);
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
