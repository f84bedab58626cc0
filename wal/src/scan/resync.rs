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
        let chunk = window.chunk(at)?;
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
