//! Reads the body of a request into memory that was reserved for it before.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use tokio::time::{Instant, timeout_at};
use types::Reservation;
use types::effect::Pool;
use types::seam::MemoryGate;

use crate::edge::on_cpu;
use crate::error::Error;

/// What is reserved first for a body that does not say how long it is.
const FIRST_STEP_BYTES: u64 = 64 << 10;
/// What is inflated between two looks at the limit and the reservation.
const INFLATE_STEP_BYTES: usize = 64 << 10;
/// No gzip stream inflates to more than this many times its length.
const GZIP_RATIO_MAX: usize = 1_032;

/// A sender that brings no byte for so long is gone; the memory that was reserved for it is needed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// The time for a whole body, so that nobody holds memory by bringing a byte now and then.
const BODY_TIMEOUT_MIN: Duration = Duration::from_secs(60);
/// A body has at least as long as its limit takes at this pace, that of an uplink of ten megabits:
/// 64 MiB in 64 s. Who gives up sooner, as Telegraf does after 5 s, ends the body by itself.
const BYTES_PER_SECOND_MIN: u64 = 1 << 20;

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
    let memory = gate.reserve(first_step).await?;
    let begun = Instant::now();
    let received = receive(body, Buffer::new(memory, "", limit)).await?;
    let sent_in = begun.elapsed();
    if !is_gzip {
        return Ok(received.finish(sent_in));
    }
    let work = received.bytes.len().saturating_mul(GZIP_RATIO_MAX);
    let inflated = on_cpu(pool, work, move || inflate(received)).await??;
    Ok(inflated.finish(sent_in))
}

/// Reads all of a body, as it comes.
async fn receive(body: Body, mut received: Buffer) -> Result<Buffer, Error> {
    let time = time_for(received.limit);
    let deadline = Instant::now() + time;
    let mut chunks = body.into_data_stream();
    loop {
        let idle = Instant::now() + IDLE_TIMEOUT;
        let Ok(chunk) = timeout_at(idle.min(deadline), chunks.next()).await else {
            let waited = if idle < deadline { IDLE_TIMEOUT } else { time };
            let bytes = received.bytes.len();
            return Err(Error::BodyTooSlow { bytes, waited });
        };
        match chunk {
            Some(chunk) => received.extend(&chunk.map_err(Error::Body)?)?,
            None => return Ok(received),
        }
    }
}

/// How long a body of `limit` bytes may take.
fn time_for(limit: u64) -> Duration {
    BODY_TIMEOUT_MIN.max(Duration::from_secs(limit / BYTES_PER_SECOND_MIN))
}

/// Inflates all members of a gzip stream.
fn inflate(mut received: Buffer) -> Result<Buffer, Error> {
    let memory = received.memory.split(0);
    let mut inflated = Buffer::new(memory, " when inflated", received.limit);
    let mut decoder = MultiGzDecoder::new(received.bytes.as_slice());
    let mut step = vec![0; INFLATE_STEP_BYTES];
    loop {
        let read = decoder.read(&mut step).map_err(Error::Inflate)?;
        if read == 0 {
            return Ok(inflated);
        }
        inflated.extend(&step[..read])?;
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

/// Bytes that grow no further than a limit and a reservation let them.
#[derive(Debug)]
struct Buffer {
    bytes: Vec<u8>,
    memory: Reservation,
    /// How the error calls what is too large.
    state: &'static str,
    limit: u64,
}

impl Buffer {
    const fn new(memory: Reservation, state: &'static str, limit: u64) -> Self {
        Self { bytes: Vec::new(), memory, state, limit }
    }

    fn extend(&mut self, more: &[u8]) -> Result<(), Error> {
        let needed = self.bytes.len() as u64 + more.len() as u64;
        if needed > self.limit {
            return Err(Error::BodyTooLarge { state: self.state, limit: self.limit });
        }
        if needed > self.bytes.capacity() as u64 {
            self.grow(needed)?;
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    /// Makes room for `needed` bytes; for twice as many if they can be had, so that copying what
    /// is there stays cheap.
    fn grow(&mut self, needed: u64) -> Result<(), Error> {
        let wished = needed.saturating_mul(2).min(self.limit);
        let capacity = if self.reserve(wished) {
            wished
        } else if self.reserve(needed) {
            needed
        } else {
            let bytes = needed.saturating_sub(self.memory.bytes());
            return Err(Error::no_memory(&self.memory, bytes));
        };
        let more = usize::try_from(capacity).unwrap_or(usize::MAX) - self.bytes.len();
        self.bytes.reserve_exact(more);
        Ok(())
    }

    fn reserve(&mut self, bytes: u64) -> bool {
        let missing = bytes.saturating_sub(self.memory.bytes());
        missing == 0 || self.memory.try_grow(missing)
    }

    fn finish(mut self, sent_in: Duration) -> WriteBody {
        self.memory.shrink_to(self.bytes.capacity() as u64);
        WriteBody { bytes: Bytes::from(self.bytes), memory: self.memory, sent_in }
    }
}

#[cfg(test)]
mod tests;
