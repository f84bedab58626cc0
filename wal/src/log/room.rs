//! Room in the log: bytes are promised before they are queued, so that what was queued fits.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::Error;
use crate::format::SEGMENT_HEADER_LEN;

/// Accounts for what the segments hold and what was promised to requests.
#[derive(Debug)]
pub(crate) struct Room {
    max: u64,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    written: u64,
    promised: u64,
    /// The largest frame that was refused, as long as what is written leaves no room for it.
    wanted: u64,
    disk_full: bool,
}

impl Room {
    /// Room for `max` bytes, of which `written` are in use.
    pub(crate) fn new(max: u64, written: u64) -> Arc<Self> {
        Arc::new(Self { max, counts: Mutex::new(Counts { written, ..Counts::default() }) })
    }

    /// Promises `bytes`, or says why not.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: u64) -> Result<Space, Error> {
        // What is left when all else is dropped: there is always a segment to write to.
        let largest = self.max.saturating_sub(SEGMENT_HEADER_LEN as u64);
        if bytes > largest {
            return Err(Error::FrameTooLarge { frame_len: bytes, max: largest });
        }
        let mut counts = self.counts.lock();
        if counts.disk_full {
            return Err(Error::DiskFull);
        }
        let used = counts.written.saturating_add(counts.promised);
        if used.saturating_add(bytes) > self.max {
            counts.wanted = counts.wanted.max(bytes);
            return Err(Error::LogFull { used, max: self.max, wanted: bytes });
        }
        counts.promised += bytes;
        Ok(Space { room: Arc::clone(self), bytes })
    }

    /// Bytes in all segments.
    pub(crate) fn written(&self) -> u64 {
        self.counts.lock().written
    }

    /// The largest frame that was refused for want of room, until there is room for it.
    pub(crate) fn wanted(&self) -> u64 {
        self.counts.lock().wanted
    }

    /// Counts bytes that now stand in a segment.
    pub(crate) fn add_written(&self, bytes: u64) {
        self.counts.lock().written += bytes;
    }

    /// Counts bytes that stand in no segment any more.
    pub(crate) fn sub_written(&self, bytes: u64) {
        let mut counts = self.counts.lock();
        assert!(bytes <= counts.written, "more bytes were dropped than were written");
        counts.written -= bytes;
        if counts.written.saturating_add(counts.wanted) <= self.max {
            counts.wanted = 0;
        }
    }

    pub(crate) fn is_disk_full(&self) -> bool {
        self.counts.lock().disk_full
    }

    pub(crate) fn set_disk_full(&self, full: bool) {
        self.counts.lock().disk_full = full;
    }
}

/// Room in the log for one frame; given back when it is dropped, or turned into written bytes when
/// the frame is durable.
pub struct Space {
    room: Arc<Room>,
    bytes: u64,
}

impl Space {
    /// The bytes promised.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.room.counts.lock().promised -= self.bytes;
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use types::ErrorKind;

    use super::*;

    #[test]
    fn room_is_never_promised_twice_and_comes_back_when_dropped() {
        let room = Room::new(1_000, 400);
        let space = room.reserve(500).expect("there is room");
        let refusal = room.reserve(110).expect_err("100 are left");
        assert!(matches!(refusal, Error::LogFull { used: 900, max: 1_000, wanted: 110 }));
        assert_eq!(refusal.kind(), ErrorKind::Busy);
        drop(space);
        assert!(room.reserve(600).is_ok());
        assert!(room.reserve(u64::MAX).is_err(), "a sum over u64 is refused, not wrapped");
    }

    #[test]
    fn what_an_empty_log_has_no_room_for_is_not_asked_for_again() {
        let empty = SEGMENT_HEADER_LEN as u64;
        let room = Room::new(1_000, empty);
        assert!(room.reserve(1_000 - empty).is_ok());
        let refusal = room.reserve(1_001 - empty).expect_err("it will never fit");
        assert!(matches!(refusal, Error::FrameTooLarge { .. }), "{refusal}");
        assert_eq!((refusal.kind(), room.wanted()), (ErrorKind::Rejected, 0));
        room.set_disk_full(true);
        assert!(matches!(room.reserve(1_000), Err(Error::FrameTooLarge { .. })));
    }

    #[test]
    fn what_was_refused_is_wanted_until_there_is_room_for_it() {
        let room = Room::new(1_000, 400);
        for bytes in [700, 800, 650] {
            assert!(room.reserve(bytes).is_err(), "{bytes} bytes");
        }
        assert_eq!(room.wanted(), 800);
        room.sub_written(100);
        assert_eq!(room.wanted(), 800, "300 and 800 are too many");
        room.sub_written(100);
        assert_eq!(room.wanted(), 0);
    }

    #[test]
    fn a_full_disk_promises_nothing() {
        let room = Room::new(1_000, 0);
        room.set_disk_full(true);
        assert!(matches!(room.reserve(1), Err(Error::DiskFull)));
        room.set_disk_full(false);
        assert!(room.reserve(1).is_ok());
    }
}
