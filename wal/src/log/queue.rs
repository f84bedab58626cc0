//! What waits for the log's thread, first come, first served.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::log::Append;
use crate::segment::SealedSegment;

/// What can be asked of the log's thread.
#[derive(Debug)]
pub(crate) enum Request<T> {
    /// Append a frame.
    Append(Append<T>),
    /// Seal the open segment and open the next.
    Rotate(SyncSender<Option<SealedSegment>>),
    /// Look whether a full disk has room again.
    Probe,
    /// Seal the open segment and end.
    Close(SyncSender<()>),
}

/// What the thread takes at a time.
#[derive(Debug)]
pub(crate) enum Work<T> {
    /// The frames of the next group, never empty.
    Group(Vec<Append<T>>),
    /// As in [`Request::Rotate`].
    Rotate(SyncSender<Option<SealedSegment>>),
    /// As in [`Request::Probe`].
    Probe,
    /// As in [`Request::Close`].
    Close(SyncSender<()>),
}

/// A queue whose bytes are bounded by the space that each append brings.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
}

#[derive(Debug)]
struct State<T> {
    requests: VecDeque<Request<T>>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        let state = State { requests: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), arrived: Condvar::new() }
    }

    /// Queues an append, or gives it back if the queue is closed.
    pub(crate) fn append(&self, append: Append<T>) -> Result<(), Append<T>> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(append);
        }
        state.requests.push_back(Request::Append(append));
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Queues what is not an append; false if the queue is closed. Behind a [`Request::Close`]
    /// nothing is taken any more.
    pub(crate) fn ask(&self, request: Request<T>) -> bool {
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        state.closed = matches!(request, Request::Close(_));
        state.requests.push_back(request);
        drop(state);
        self.arrived.notify_one();
        true
    }

    /// Takes nothing more and forgets what waits; who waits for an answer sees that none comes.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let forgotten = std::mem::take(&mut state.requests);
        // Payloads may do anything when they are dropped, so not under the lock.
        drop(state);
        drop(forgotten);
    }

    /// What is next: appends until `group_bytes_max` or something else comes, but at least one.
    pub(crate) fn take(&self, group_bytes_max: u64) -> Option<Work<T>> {
        let mut state = self.state.lock();
        let first = match state.requests.pop_front()? {
            Request::Append(append) => append,
            Request::Rotate(answer) => return Some(Work::Rotate(answer)),
            Request::Probe => return Some(Work::Probe),
            Request::Close(answer) => return Some(Work::Close(answer)),
        };
        let mut bytes = first.body.frame_len();
        let mut group = vec![first];
        while let Some(Request::Append(next)) = state.requests.front() {
            bytes = bytes.saturating_add(next.body.frame_len());
            if bytes > group_bytes_max {
                break;
            }
            if let Some(Request::Append(next)) = state.requests.pop_front() {
                group.push(next);
            }
        }
        Some(Work::Group(group))
    }

    /// Waits until something is there, at most for `patience`.
    pub(crate) fn wait(&self, patience: Option<Duration>) {
        let mut state = self.state.lock();
        if !state.requests.is_empty() {
            return;
        }
        match patience {
            Some(patience) => {
                self.arrived.wait_for(&mut state, patience);
            }
            None => self.arrived.wait(&mut state),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use types::BatchId;

    use super::*;
    use crate::config::Config;
    use crate::format::{Body, FRAME_HEADER_LEN};
    use crate::log::room::Room;

    fn append(queue: &Queue<u32>, payload: u32, len: usize) {
        let body = Body::encode(vec![0; len], &Config::default()).expect("it is small");
        let space = Room::new(u64::MAX, 0).reserve(0).expect("there is room");
        let batches = NonZeroU32::MIN;
        let append = Append { body, batches, batch_id: BatchId::default(), payload, space };
        assert!(queue.append(append).is_ok());
    }

    fn take(queue: &Queue<u32>, frames: u64) -> Vec<u32> {
        match queue.take(frames * (FRAME_HEADER_LEN as u64 + 10)) {
            Some(Work::Group(group)) => group.into_iter().map(|append| append.payload).collect(),
            other => panic!("expected a group, got {other:?}"),
        }
    }

    #[test]
    fn groups_close_at_their_size_but_take_one_however_large() {
        let queue = Queue::new();
        for (payload, len) in [(1, 10), (2, 10), (3, 10), (4, 1000), (5, 10)] {
            append(&queue, payload, len);
        }
        assert_eq!(take(&queue, 2), [1, 2]);
        assert_eq!(take(&queue, 2), [3]);
        assert_eq!(take(&queue, 2), [4]);
        assert_eq!(take(&queue, 2), [5]);
        assert!(queue.take(1).is_none());
    }

    #[test]
    fn what_was_queued_before_a_rotation_is_written_before_it() {
        let queue = Queue::new();
        append(&queue, 1, 10);
        let (answer, _answers) = std::sync::mpsc::sync_channel(1);
        assert!(queue.ask(Request::Rotate(answer)));
        append(&queue, 2, 10);
        assert_eq!(take(&queue, 9), [1]);
        assert!(matches!(queue.take(9), Some(Work::Rotate(_))));
        assert_eq!(take(&queue, 9), [2]);
    }

    #[test]
    fn nothing_is_taken_behind_a_close() {
        let queue = Queue::<u32>::new();
        let (answer, _answers) = std::sync::mpsc::sync_channel(1);
        assert!(queue.ask(Request::Close(answer)));
        assert!(!queue.ask(Request::Probe));
    }
}
