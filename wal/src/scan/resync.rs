//! Finds frame headers behind damage: they tell whether the damage was durable once.

use std::io;

use super::window::Window;
use crate::disk::ReadAt;
use crate::format::{FRAME_HEADER_LEN, FRAME_MAGIC, FrameHeader, SegmentHeader};

/// The first frame header at or behind `at` that `wanted` accepts, with its offset.
///
/// A header whose checksum is right is enough, whatever became of its body: that it was written is
/// what it is asked for. Bodies of such frames are stepped over, so that bytes which a client made
/// up are not searched; the salt keeps those out that are.
pub(crate) fn find_frame<S: ReadAt>(
    window: &mut Window<S>,
    mut at: u64,
    segment: &SegmentHeader,
    wanted: impl Fn(&FrameHeader) -> bool,
) -> io::Result<Option<(u64, FrameHeader)>> {
    while let Some(candidate) = find_magic(window, at)? {
        at = candidate.saturating_add(1);
        let Some(bytes) = window.array::<FRAME_HEADER_LEN>(candidate)? else {
            return Ok(None);
        };
        let Ok((header, _)) = FrameHeader::decode(&bytes, segment.salt) else {
            continue;
        };
        if header.epoch == segment.epoch && wanted(&header) {
            return Ok(Some((candidate, header)));
        }
        let end = candidate.saturating_add(header.frame_len());
        if end <= window.len() {
            at = end;
        }
    }
    Ok(None)
}

fn find_magic<S: ReadAt>(window: &mut Window<S>, mut at: u64) -> io::Result<Option<u64>> {
    loop {
        // What is held is searched to its end: there may be a candidate at every few bytes of it.
        let chunk = window.held_from(at, FRAME_MAGIC.len())?;
        if let Some(skip) = memchr::memmem::find(chunk, &FRAME_MAGIC) {
            return Ok(Some(at.saturating_add(skip as u64)));
        }
        // The magic may lie across the end of the chunk.
        let step = chunk.len().saturating_sub(FRAME_MAGIC.len().saturating_sub(1));
        if step == 0 {
            return Ok(None);
        }
        at = at.saturating_add(step as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use types::{Epoch, LogId, SegmentSeq};

    use super::*;

    /// Counts what is read of it.
    struct Counted {
        bytes: Vec<u8>,
        read: AtomicU64,
    }

    impl ReadAt for Counted {
        fn len(&self) -> io::Result<u64> {
            ReadAt::len(&self.bytes)
        }

        fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
            let read = self.bytes.read_at(bytes, offset)?;
            // Relaxed: one thread reads.
            self.read.fetch_add(read as u64, Ordering::Relaxed);
            Ok(read)
        }
    }

    #[test]
    fn a_file_full_of_candidates_is_read_about_once() {
        let len = 1 << 20;
        let bytes = FRAME_MAGIC.iter().copied().cycle().take(len).collect();
        let counted = Counted { bytes, read: AtomicU64::new(0) };
        let mut window = Window::new(&counted).expect("memory");
        let log = LogId::from_bytes([1; 16]);
        let (epoch, seq) = (Epoch::new(1), SegmentSeq::new(1));
        let segment = SegmentHeader { log, epoch, seq, salt: 5 };
        let found = find_frame(&mut window, 0, &segment, |_| true).expect("memory");
        assert_eq!(found, None);
        let read = counted.read.load(Ordering::Relaxed);
        assert!(read < 2 * len as u64, "{read} bytes were read");
    }
}
