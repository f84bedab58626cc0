//! Sends a batch until it is settled.
//!
//! Each try sends the same bytes, and every line has its time, so a try whose outcome nobody knows
//! can be repeated: the points are the same points.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use types::effect::Randomness;
use types::error::chain;

use super::answer::{Answer, Settlement};
use super::batches::Batch;
use super::progress::Progress;
use super::tally::Tally;
use crate::command::host::Host;
use crate::error::Error;

/// A try without an answer for so long is taken for lost; a server answers within five seconds.
const TRY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one is willing to wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Before the first repetition, where the server does not say; it doubles with each. No wait is
    /// shorter, though the server says so.
    first_wait: Duration,
    /// Before any repetition, where the server does not say.
    longest_wait: Duration,
    /// From the first try of a batch to its last.
    in_all: Duration,
}

impl Patience {
    /// Patience for `in_all` from the first try of a batch to its last.
    pub(super) const fn new(in_all: Duration) -> Self {
        Self {
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(5),
            in_all,
        }
    }

    /// How long to wait before repetition `nth`, from 0: between half and all of the doubled wait,
    /// so that clients that were refused together do not come back together.
    fn wait(&self, nth: u32, chance: u64) -> Duration {
        let doubled = self.first_wait.saturating_mul(1 << nth.min(16)).min(self.longest_wait);
        let half = doubled / 2;
        let spread = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        half + Duration::from_millis(chance % spread)
    }
}

/// Sends batches to one database.
#[derive(Debug)]
pub(super) struct Sender {
    host: Host,
    query: Vec<(String, String)>,
    patience: Patience,
    randomness: Arc<dyn Randomness>,
    progress: Arc<Progress>,
}

impl Sender {
    /// Sends to `host` with `query` in the URL.
    pub(super) fn new(
        host: Host,
        query: &[(&str, &str)],
        patience: Patience,
        randomness: Arc<dyn Randomness>,
        progress: Arc<Progress>,
    ) -> Self {
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { host, query: query.collect(), patience, randomness, progress }
    }

    /// Sends `batch`, in parts if it is too large, until each line is kept or refused.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] for what no repetition would change, [`Error::GaveUp`] when patience is
    /// at its end: then it is not known whether the lines were kept.
    pub(super) async fn send(&self, batch: Batch) -> Result<Tally, Error> {
        let mut tally = Tally::default();
        // The front half is taken first, so that the order of lines stays.
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            match self.settle(&part, &mut tally).await? {
                Settlement::Kept => tally.add(Tally::kept_whole(&part)),
                Settlement::BadLines(bad) => tally.add(Tally::with_bad_lines(&part, bad)),
                Settlement::TooLarge { message } => match part.halves() {
                    Some([front, back]) => parts.extend([back, front]),
                    None => return Err(self.refused(message)),
                },
                Settlement::Refused { message } => return Err(self.refused(message)),
            }
        }
        Ok(tally)
    }

    fn refused(&self, message: String) -> Error {
        Error::Refused { host: self.host.name(), message }
    }

    /// Tries until a repetition would change nothing.
    async fn settle(&self, batch: &Batch, tally: &mut Tally) -> Result<Settlement, Error> {
        let begun = Instant::now();
        let mut tries = 0;
        loop {
            let (after, reason) = match self.try_once(batch).await {
                Ok(Answer::Settled(settlement)) => return Ok(settlement),
                Ok(Answer::Again { after, reason }) => (after, reason),
                Err(error) => (None, chain(&error)),
            };
            let own_wait = || self.patience.wait(tries, self.randomness.next_u64());
            let wait = after.map_or_else(own_wait, |after| after.max(self.patience.first_wait));
            tries += 1;
            if begun.elapsed().saturating_add(wait) > self.patience.in_all {
                return Err(Error::GaveUp { host: self.host.name(), tries, reason });
            }
            self.progress.waiting(&reason);
            tally.count_retry();
            sleep(wait).await;
        }
    }

    async fn try_once(&self, batch: &Batch) -> Result<Answer, Error> {
        let query: Vec<(&str, &str)> =
            self.query.iter().map(|(name, value)| (&**name, &**value)).collect();
        let request = self.host.post("/api/v3/write_lp", &query).body(batch.body.clone());
        let lost = |error| self.host.lost(error);
        let answer = request.timeout(TRY_TIMEOUT).send().await.map_err(lost)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.map_err(lost)?;
        Ok(Answer::of(status, &headers, &body))
    }
}

#[cfg(test)]
mod tests;
