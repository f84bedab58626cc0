//! The face that callers share.

use std::fmt;
use std::sync::Arc;

use types::SegmentSeq;

use crate::error::Error;
use crate::frames::Frames;
use crate::log::queue::Request;
use crate::log::thread::Running;
use crate::log::{Append, LogState, Space};
use crate::segment::SealedSegment;

/// A running log. Cheap to clone; when the last clone goes, the log is closed as by
/// [`close`](LogHandle::close), though nobody waits for it.
pub struct LogHandle<T: Send + 'static> {
    running: Arc<Running<T>>,
}

impl<T: Send + 'static> LogHandle<T> {
    pub(crate) fn new(running: Running<T>) -> Self {
        Self { running: Arc::new(running) }
    }

    /// Promises room for a frame of `bytes` bytes, [`Body::frame_len`](crate::Body::frame_len).
    ///
    /// # Errors
    ///
    /// [`Error::LogFull`] at the configured size, [`Error::DiskFull`] while the disk is full,
    /// [`Error::FrameTooLarge`] if even an empty log has no room for it.
    pub fn reserve(&self, bytes: u64) -> Result<Space, Error> {
        self.running.room().reserve(bytes)
    }

    /// Queues an append; the observer hears what became of it. Never waits for the disk.
    ///
    /// # Errors
    ///
    /// Gives the payload back if the log is closed, or the space is smaller than the frame. Then
    /// nothing was queued.
    pub fn append(&self, append: Append<T>) -> Result<(), (Error, T)> {
        let needed = append.body.frame_len();
        let reserved = append.space.bytes();
        if reserved < needed {
            return Err((Error::SpaceTooSmall { reserved, needed }, append.payload));
        }
        self.running.append(append)
    }

    /// Seals the open segment behind all that was queued before this call, and opens the next.
    /// Blocks until that is durable. `None` if the open segment has no frame.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] or [`Error::Ended`] if the log's thread is gone.
    pub fn rotate(&self) -> Result<Option<SealedSegment>, Error> {
        self.running.ask(Request::Rotate)
    }

    /// Removes all sealed segments up to `seq`, oldest first, each durably before the next. Blocks;
    /// may be repeated.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if a file cannot be removed; it stays in the list, and a repetition tries again.
    /// [`Error::Closed`] if the log is closed: the directory may be another's by now.
    pub fn drop_through(&self, seq: SegmentSeq) -> Result<(), Error> {
        self.running.drop_through(seq)
    }

    /// Reads a sealed segment, recovered or live.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchSegment`] unless it is sealed and not dropped; [`Error::Io`] and
    /// [`Error::Corrupt`] if its header cannot be read.
    pub fn frames(&self, seq: SegmentSeq) -> Result<Frames, Error> {
        self.running.segments().frames(seq)
    }

    /// What the log is doing.
    pub fn state(&self) -> LogState {
        self.running.state()
    }

    /// Syncs what is queued, tells the observer, writes a seal, ends the thread and gives the
    /// directory back. Blocks; may be repeated.
    ///
    /// # Errors
    ///
    /// [`Error::Ended`] if the log's thread is gone without having closed.
    pub fn close(&self) -> Result<(), Error> {
        self.running.close()
    }
}

impl<T: Send + 'static> Clone for LogHandle<T> {
    fn clone(&self) -> Self {
        Self { running: Arc::clone(&self.running) }
    }
}

impl<T: Send + 'static> fmt::Debug for LogHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogHandle").finish_non_exhaustive()
    }
}
