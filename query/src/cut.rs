//! Streams of a scan that can be ended from outside, with all that they hold.
//!
//! ```text
//!   who reads ──poll──▶ CutStream ─▶ slot ┬ stream: chunks, sorted rows, files, the scan itself
//!                                     ▲   └ waker
//!   the buffer ──give way─────────────┘ takes both out, drops one and wakes the other
//! ```
//!
//! A stream that is not read on is never asked again, so it cannot let go by itself. The slot's lock
//! is held while the stream is polled, and never while anybody waits: who comes to cut a stream that
//! is being polled leaves word, and the poll looks for it when the lock is free again.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use futures::Stream;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use types::seam::{GiveWay, QueryError, TableReader};

use crate::error::Error;

/// The items of `rows`, which `scan` has taken or will take, until the scan has to give way. The
/// stream ends with [`QueryError::SnapshotTooOld`] then.
pub(crate) fn until_cut<T: 'static>(
    rows: BoxStream<'static, Result<T, Error>>,
    scan: &dyn TableReader,
) -> CutStream<T> {
    let held = Held { rows: Some(rows), waker: None };
    let slot = Arc::new(Slot { held: Mutex::new(held), word: Mutex::new(None) });
    let stream: Weak<Slot<T>> = Arc::downgrade(&slot);
    scan.may_be_cut(stream);
    CutStream(slot)
}

/// A stream that can be cut.
#[derive(Debug)]
pub(crate) struct CutStream<T: 'static>(Arc<Slot<T>>);

/// What a stream consists of.
struct Slot<T: 'static> {
    held: Mutex<Held<T>>,
    /// Why the stream ends, until it has been told to who reads it.
    word: Mutex<Option<QueryError>>,
}

struct Held<T: 'static> {
    /// Nothing once the stream is over.
    rows: Option<BoxStream<'static, Result<T, Error>>>,
    /// Of who waits for the next item.
    waker: Option<Waker>,
}

impl<T: 'static> Held<T> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T, Error>>> {
        let Some(rows) = &mut self.rows else { return Poll::Ready(None) };
        let polled = rows.as_mut().poll_next(context);
        self.waker = polled.is_pending().then(|| context.waker().clone());
        polled
    }
}

impl<T: 'static> Slot<T> {
    /// Lets go of the stream, after the lock is free again: what a stream drops may do anything.
    fn end(&self) {
        let rows = self.held.lock().rows.take();
        drop(rows);
    }
}

impl<T: 'static> Stream for CutStream<T> {
    type Item = Result<T, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let slot = &self.0;
        let polled = slot.held.lock().poll(context);
        // After the lock, so that word that was left during the poll is found here.
        let word = slot.word.lock().take();
        if let Some(why) = word {
            slot.end();
            return Poll::Ready(Some(Err(why.into())));
        }
        if matches!(polled, Poll::Ready(None)) {
            slot.end();
        }
        polled
    }
}

impl<T: 'static> GiveWay for Slot<T> {
    fn give_way(&self, why: QueryError) -> bool {
        *self.word.lock() = Some(why);
        let Some(mut held) = self.held.try_lock() else { return false };
        let (rows, waker) = (held.rows.take(), held.waker.take());
        drop(held);
        drop(rows);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }
}

impl<T: 'static> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt, stream};
    use types::seam::PartitionRef;
    use types::{CatalogVersion, Chunk, LsnRange, PartitionId};

    use super::*;

    /// A scan that knows its streams.
    #[derive(Debug, Default)]
    struct Scan(Mutex<Vec<Weak<dyn GiveWay>>>);

    impl TableReader for Scan {
        fn partitions(&self) -> &[PartitionRef] {
            &[]
        }

        fn take(&self, _: PartitionId, _: &[LsnRange]) -> Result<Vec<Chunk>, QueryError> {
            Ok(Vec::new())
        }

        fn may_be_cut(&self, stream: Weak<dyn GiveWay>) {
            self.0.lock().push(stream);
        }
    }

    impl Scan {
        /// Cuts its one stream; says whether that has let go at once.
        fn cut(&self) -> bool {
            let stream = self.0.lock().first().and_then(Weak::upgrade);
            stream.expect("is read").give_way(too_old())
        }
    }

    fn too_old() -> QueryError {
        let (version, oldest) = (CatalogVersion::new(1), CatalogVersion::new(2));
        QueryError::SnapshotTooOld { version, oldest }
    }

    fn is_cut(item: Option<&Result<u32, Error>>) -> bool {
        matches!(item, Some(Err(Error::Buffer(QueryError::SnapshotTooOld { .. }))))
    }

    /// Items without end, beside something that is held for them.
    fn endless(held: &Arc<()>) -> BoxStream<'static, Result<u32, Error>> {
        let held = Arc::clone(held);
        stream::repeat_with(move || Ok(Arc::strong_count(&held) as u32)).boxed()
    }

    #[tokio::test]
    async fn a_stream_that_is_left_alone_lets_go_and_ends_when_it_is_read_on() {
        let (scan, held) = (Scan::default(), Arc::new(()));
        let mut rows = until_cut(endless(&held), &scan);
        assert!(rows.next().await.expect("is endless").is_ok());
        assert!(scan.cut());
        assert_eq!(Arc::strong_count(&held), 1, "at once, though nobody reads");
        assert!(is_cut(rows.next().await.as_ref()));
        assert!(rows.next().await.is_none());
    }

    #[tokio::test]
    async fn who_waits_for_a_stream_is_woken_when_it_is_cut() {
        let scan = Scan::default();
        let mut rows = until_cut(stream::pending::<Result<u32, Error>>().boxed(), &scan);
        let read = tokio::spawn(async move { rows.next().await });
        tokio::task::yield_now().await;
        assert!(scan.cut());
        assert!(is_cut(read.await.expect("does not panic").as_ref()));
    }

    #[tokio::test]
    async fn a_stream_that_is_cut_while_it_is_read_ends_with_that() {
        let (scan, held) = (Arc::new(Scan::default()), Arc::new(()));
        let (cutting, items) = (Arc::clone(&scan), endless(&held));
        let items = items.inspect(move |_| assert!(!cutting.cut(), "it is being read"));
        let mut rows = until_cut(items.boxed(), &*scan);
        assert!(is_cut(rows.next().now_or_never().expect("is there").as_ref()));
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(rows.next().await.is_none());
    }

    #[tokio::test]
    async fn a_stream_that_is_over_holds_nothing() {
        let (scan, held) = (Scan::default(), Arc::new(()));
        let mut rows = until_cut(endless(&held).take(2).boxed(), &scan);
        while rows.next().await.is_some() {}
        assert_eq!(Arc::strong_count(&held), 1);
        drop(rows);
        assert!(scan.0.lock()[0].upgrade().is_none());
    }
}
