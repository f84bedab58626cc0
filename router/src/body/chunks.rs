//! A body as it comes, each part of it in time.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::error::Error;

/// A sender that brings no byte for so long is gone; the memory that was reserved for it is needed.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// The time for a whole body, so that nobody holds memory by bringing a byte now and then.
pub(super) const BODY_TIMEOUT_MIN: Duration = Duration::from_secs(60);
/// A body has at least as long as its limit takes at this pace, that of an uplink of ten megabits:
/// 64 MiB in 64 s. Who gives up sooner, as Telegraf does after 5 s, ends the body by itself.
const BYTES_PER_SECOND_MIN: u64 = 1 << 20;

/// What is left of a body.
#[derive(Debug)]
pub(crate) struct Chunks {
    stream: BodyDataStream,
    time: Duration,
    deadline: Instant,
    bytes: usize,
}

impl Chunks {
    /// A body of at most `limit` bytes, whose time begins now.
    pub(super) fn new(body: Body, limit: u64) -> Self {
        Self::of(body.into_data_stream(), limit)
    }

    /// The rest of a body that was begun, with as much time as all of one has.
    pub(crate) fn of(stream: BodyDataStream, limit: u64) -> Self {
        let time = time_for(limit);
        let deadline = Instant::now() + time;
        Self { stream, time, deadline, bytes: 0 }
    }

    /// The next bytes; nothing at the end.
    ///
    /// # Errors
    ///
    /// [`Error::BodyTooSlow`] and [`Error::Body`].
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let idle = Instant::now() + IDLE_TIMEOUT;
        let Ok(chunk) = timeout_at(idle.min(self.deadline), self.stream.next()).await else {
            let waited = if idle < self.deadline { IDLE_TIMEOUT } else { self.time };
            return Err(Error::BodyTooSlow { bytes: self.bytes, waited });
        };
        let chunk = chunk.transpose().map_err(Error::Body)?;
        self.bytes += chunk.as_ref().map_or(0, Bytes::len);
        Ok(chunk)
    }
}

/// How long a body of `limit` bytes may take.
pub(super) fn time_for(limit: u64) -> Duration {
    BODY_TIMEOUT_MIN.max(Duration::from_secs(limit / BYTES_PER_SECOND_MIN))
}
