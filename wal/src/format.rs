//! The bytes of version 1: fixed layouts, little-endian, described byte by byte in
//! `docs/wal-format.md`.

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

mod body;
mod fields;
mod frame_header;
#[cfg(test)]
mod golden;
mod segment_header;

pub use body::Body;
pub(crate) use frame_header::{FRAME_HEADER_LEN, FRAME_MAGIC, FrameHeader, HeaderFault, Link};
pub(crate) use segment_header::{SEGMENT_HEADER_LEN, SegmentHeader, SegmentHeaderFault};

/// The version of segments and of the frames in them.
pub(crate) const VERSION: u16 = 1;
