//! One request, ready to be appended.

use std::num::NonZeroU32;

use types::BatchId;

use crate::format::Body;
use crate::log::Space;

/// What becomes one frame: all batches of one request, durable together or not at all.
#[derive(Debug)]
pub struct Append<T> {
    /// The encoded body.
    pub body: Body,
    /// How many batches it holds, and so how many LSNs it gets.
    pub batches: NonZeroU32,
    /// The client's own id of the request; nil where it gave none.
    pub batch_id: BatchId,
    /// Handed to the observer with the LSNs when the frame is durable, or when it was refused.
    pub payload: T,
    /// Room for at least [`Body::frame_len`] bytes.
    pub space: Space,
}
