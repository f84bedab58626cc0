//! Reads the body of a request into memory that was reserved for it before.

mod buffer;
mod chunks;
mod message;
mod zstd;

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use tokio::time::Instant;
use types::Reservation;
use types::effect::Pool;
use types::seam::MemoryGate;

use self::buffer::Buffer;
use crate::edge::on_cpu;
use crate::error::Error;

pub(crate) use chunks::Chunks;
pub(crate) use message::{Encoding, Message, read_message};

/// What is reserved first for a body that does not say how long it is.
const FIRST_STEP_BYTES: u64 = 64 << 10;
/// What is inflated between two looks at the limit and the reservation.
const INFLATE_STEP_BYTES: usize = 64 << 10;
/// That step, and what the inflater itself holds: its window and its tables.
const INFLATER_BYTES: u64 = 128 << 10;
/// No gzip stream inflates to more than this many times its length.
const GZIP_RATIO_MAX: usize = 1_032;

/// A request's body, inflated, and the memory that it occupies.
#[derive(Debug)]
pub(crate) struct WriteBody {
    /// The bytes.
    pub(crate) bytes: Bytes,
    /// Covers them.
    pub(crate) memory: Reservation,
    /// How long its sender took to send it.
    pub(crate) sent_in: Duration,
}

/// Reads a body of at most `limit` bytes, as it comes and inflated alike. A long one is inflated on
/// `pool`.
///
/// Memory for the first step is waited for, before anything is read; what the body needs beyond it
/// is there or the request is refused.
///
/// # Errors
///
/// [`Error::BodyTooLarge`] before more than the limit is read or inflated; [`Error::BodyTooSlow`];
/// [`Error::NoMemory`] and busy sinks; what is wrong with the body.
pub(crate) async fn read_body(
    gate: &dyn MemoryGate,
    pool: &dyn Pool,
    headers: &HeaderMap,
    body: Body,
    limit: u64,
) -> Result<WriteBody, Error> {
    let is_gzip = is_gzip(headers)?;
    let announced = announced_length(headers);
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(Error::BodyTooLarge { state: "", limit });
    }
    let first_step = announced.unwrap_or(FIRST_STEP_BYTES).clamp(1, limit);
    let memory = reserve_first(gate, first_step).await?;
    let begun = Instant::now();
    let received = receive(gate, body, Buffer::new(memory, "", limit)).await?;
    let sent_in = begun.elapsed();
    if !is_gzip {
        return Ok(received.finish(sent_in));
    }
    let work = received.bytes().len().saturating_mul(GZIP_RATIO_MAX);
    let inflated = on_cpu(pool, work, move || inflate(received, 0, limit)).await??;
    Ok(inflated.finish(sent_in))
}

/// Waits for the first step, unless a node that has nothing else to do has no room for it either.
async fn reserve_first(gate: &dyn MemoryGate, bytes: u64) -> Result<Reservation, Error> {
    if bytes > gate.capacity() {
        return Err(Error::MoreThanMemory { bytes });
    }
    Ok(gate.reserve(bytes).await?)
}

/// Reads all of a body, as it comes.
async fn receive(gate: &dyn MemoryGate, body: Body, mut received: Buffer) -> Result<Buffer, Error> {
    let mut chunks = Chunks::new(body, received.limit());
    while let Some(chunk) = chunks.next().await? {
        received.extend(&chunk, |memory, more| gate.try_grow(memory, more))?;
    }
    Ok(received)
}

/// Inflates all members of the gzip stream that begins at `from`, to no more than `limit` bytes.
fn inflate(mut received: Buffer, from: usize, limit: u64) -> Result<Buffer, Error> {
    let mut inflater = received.complete();
    let beside = received.memory_bytes();
    if !inflater.try_grow(INFLATER_BYTES) {
        return Err(Error::no_memory(&inflater, beside, INFLATER_BYTES));
    }
    let memory = inflater.split(0);
    let mut inflated = Buffer::new(memory, " when inflated", limit);
    inflated.has_beside(beside.saturating_add(INFLATER_BYTES));
    let mut decoder = MultiGzDecoder::new(&received.bytes()[from..]);
    let mut step = vec![0; INFLATE_STEP_BYTES];
    loop {
        let read = decoder.read(&mut step).map_err(Error::Inflate)?;
        if read == 0 {
            return Ok(inflated);
        }
        inflated.extend(&step[..read], Reservation::try_grow)?;
    }
}

fn is_gzip(headers: &HeaderMap) -> Result<bool, Error> {
    let Some(encoding) = headers.get(CONTENT_ENCODING) else {
        return Ok(false);
    };
    let encoding = String::from_utf8_lossy(encoding.as_bytes());
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(false),
        "gzip" | "x-gzip" => Ok(true),
        _ => Err(Error::Encoding(encoding.into_owned())),
    }
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
