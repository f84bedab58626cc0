//! Reads the one message of a gRPC write into memory that was reserved for it before.
//!
//! ```text
//!   ┌───────────┬────────────┬─────────────────┐
//!   │ packed: 1 │ length: 4  │ message         │
//!   └───────────┴────────────┴─────────────────┘
//! ```
//!
//! The length is known as soon as the head is here, and so is reserved at once.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use tokio::time::Instant;
use types::Reservation;
use types::effect::Pool;
use types::seam::MemoryGate;

use super::buffer::Buffer;
use super::chunks::Chunks;
use super::{FIRST_STEP_BYTES, GZIP_RATIO_MAX, inflate, reserve_first, zstd};
use crate::edge::on_cpu;
use crate::error::Error;

/// Bytes in front of a message.
const HEAD_BYTES: usize = 5;
/// A message stands twice in memory: while the library takes it over, and then while columns are
/// copied that are not aligned in it.
const COPIES: u64 = 2;
/// What zstd inflates to stands in its window, and in a buffer of the library that doubles.
const ZSTD_COPIES: u64 = 4;

/// How the messages of a request may be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Not at all.
    Identity,
    /// As gzip.
    Gzip,
    /// As zstd.
    Zstd,
}

impl Encoding {
    /// What a request says of itself; nothing if it is none that is taken.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        match headers.get("grpc-encoding").map(|value| value.as_bytes()) {
            None | Some(b"identity") => Some(Self::Identity),
            Some(b"gzip") => Some(Self::Gzip),
            Some(b"zstd") => Some(Self::Zstd),
            Some(_) => None,
        }
    }
}

/// A message that is here, and the memory for it and for what is read out of it.
#[derive(Debug)]
pub(crate) struct Message {
    /// The head and the message, as whoever decodes it shall see them.
    pub(crate) parts: [Bytes; 2],
    /// Covers them until they are decoded.
    pub(crate) memory: Reservation,
    /// How long its sender took to send it.
    pub(crate) sent_in: Duration,
}

/// Reads a message of at most `limit` bytes, as it comes and inflated alike, the latter on `pool`.
/// A message whose head is wrong or that is cut short is handed on as it is: whoever decodes it
/// says so.
///
/// # Errors
///
/// As for bodies over HTTP.
pub(crate) async fn read_message(
    gate: &dyn MemoryGate,
    pool: &dyn Pool,
    encoding: Encoding,
    body: Body,
    limit: u64,
) -> Result<Message, Error> {
    let framed = limit.saturating_add(HEAD_BYTES as u64);
    let memory = reserve_first(gate, FIRST_STEP_BYTES.min(framed)).await?;
    let begun = Instant::now();
    let mut received = Buffer::new(memory, "", framed);
    let mut chunks = Chunks::new(body, limit);
    while let Some(chunk) = chunks.next().await? {
        take(gate, &mut received, &chunk, limit)?;
    }
    let sent_in = begun.elapsed();
    let is_whole = message_len(received.bytes())
        .is_some_and(|len| received.bytes().len() as u64 == len.saturating_add(HEAD_BYTES as u64));
    let is_packed = is_whole && received.bytes().first() == Some(&1);
    match encoding {
        Encoding::Gzip if is_packed => {
            let work = received.bytes().len().saturating_mul(GZIP_RATIO_MAX);
            let inflated =
                on_cpu(pool, work, move || inflate(received, HEAD_BYTES, limit)).await??;
            let (message, memory) = inflated.into_parts();
            let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
            let mut head = vec![0];
            head.extend_from_slice(&len.to_be_bytes());
            Message { parts: [Bytes::from(head), message], memory, sent_in }.with_copies(0)
        }
        Encoding::Zstd if is_packed => {
            let packed = &received.bytes()[HEAD_BYTES..];
            let inflated = zstd::inflated_max(packed).ok_or_else(not_zstd)?.min(limit);
            Message::of(received, sent_in).with_copies(inflated.saturating_mul(ZSTD_COPIES))
        }
        _ => Message::of(received, sent_in).with_copies(0),
    }
}

impl Message {
    /// A message as it came.
    fn of(received: Buffer, sent_in: Duration) -> Self {
        let (mut message, memory) = received.into_parts();
        let head = message.split_to(HEAD_BYTES.min(message.len()));
        Self { parts: [head, message], memory, sent_in }
    }

    /// The message with memory for its copies too, and `more`.
    fn with_copies(mut self, more: u64) -> Result<Self, Error> {
        let len: u64 = self.parts.iter().map(|part| part.len() as u64).sum();
        let needed = len.saturating_mul(COPIES).saturating_add(more);
        let missing = needed.saturating_sub(self.memory.bytes());
        if missing > 0 && !self.memory.try_grow(missing) {
            return Err(Error::no_memory(&self.memory, 0, missing));
        }
        Ok(self)
    }
}

/// Takes what of `chunk` belongs to the first message; what comes behind it is nobody's.
fn take(
    gate: &dyn MemoryGate,
    received: &mut Buffer,
    chunk: &[u8],
    limit: u64,
) -> Result<(), Error> {
    let missing = HEAD_BYTES.saturating_sub(received.bytes().len()).min(chunk.len());
    let (head, rest) = chunk.split_at(missing);
    received.extend(head, |memory, more| gate.try_grow(memory, more))?;
    let Some(len) = message_len(received.bytes()) else {
        return Ok(());
    };
    if len > limit {
        return Err(Error::BodyTooLarge { state: "", limit });
    }
    let end = len.saturating_add(HEAD_BYTES as u64);
    received.make_room(end, |memory, more| gate.try_grow(memory, more))?;
    let left = usize::try_from(end).unwrap_or(usize::MAX) - received.bytes().len();
    let rest = &rest[..rest.len().min(left)];
    received.extend(rest, |memory, more| gate.try_grow(memory, more))
}

/// How long the message is, once its head is here.
fn message_len(received: &[u8]) -> Option<u64> {
    let (head, _) = received.split_first_chunk::<HEAD_BYTES>()?;
    let [_, len @ ..] = head;
    Some(u64::from(u32::from_be_bytes(*len)))
}

fn not_zstd() -> Error {
    let kind = std::io::ErrorKind::InvalidData;
    Error::Inflate(std::io::Error::new(kind, "the message is not a stream of zstd frames"))
}
