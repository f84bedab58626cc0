//! Twice the rate that a server can take, offered without mercy: refusals, no loss, no more memory
//! than the budget, and those who get in are answered soon.
//!
//! What it can take is what so many clients get through that wait for their answers as keep it
//! busy. Requests are then due at twice that rate, whether or not earlier ones were answered.

use std::thread;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::afterlife::judge_load_after_kill;
use crate::error::Error;
use crate::forebay::Launch;
use crate::http;
use crate::load::Load;
use crate::report::{MemoryPeak, Report, Spread, Totals, tell};
use crate::settings::Settings;
use crate::work_dir::WorkDir;

/// Rows of a request.
const ROWS: u64 = 1_000;
/// More than the server has under way at its best, so that it never waits for a client.
const CLOSED_CLIENTS: usize = 64;
/// Requests under way at once, at most: seconds of what is offered.
const OPEN_CLIENTS: usize = 2_048;
/// What is offered, as a multiple of what is taken, and the least of it that counts as offered.
const OFFERED: f64 = 2.0;
const OFFERED_MIN: f64 = 1.9;
/// An answer that comes later is no answer to those who wait for it.
const ACK_MAX_MS: f64 = 5_000.0;

/// How long.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Seconds of overload; the rate is measured before, for a third of them
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,

    /// The server's budget
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub memory_budget: String,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Overload {
    /// Requests a second that clients get through that wait for each answer.
    pub closed_rate: f64,
    /// Requests a second that were offered, while they were.
    pub offered_rate: f64,
    /// Requests a second that were kept of them, until the last answer.
    pub kept_rate: f64,
    /// Requests a second that were refused of them, until the last answer.
    pub refused_rate: f64,
    /// How long acknowledgements took under overload, from when a request was sent.
    pub acks: Spread,
    /// The same from when a request was due: what a client waits that sends at moments of its own.
    pub acks_from_due: Spread,
    /// The most memory that was in use.
    pub peak: MemoryPeak,
    /// What clients did and saw.
    #[serde(flatten)]
    pub totals: Totals,
}

impl Report for Overload {
    const SCENARIO: &'static str = "overload";

    fn totals(&self) -> &Totals {
        &self.totals
    }
}

/// Runs the load.
///
/// # Errors
///
/// [`Error`] if it could not be run; what was found is in the report.
pub fn run(settings: &Settings, options: &Options) -> Result<Overload, Error> {
    let mut dir = WorkDir::within(&settings.work_dir)?;
    let flags = ["--memory-budget", options.memory_budget.as_str()];
    let launch = Launch::new(&settings.binary()?, &dir.data(), &flags);
    let (mut server, url) = launch.start_ready()?;
    let (load, client) = (Load::new(ROWS), http::client()?);
    let mut overload = Overload::default();
    let (offered, peak) = MemoryPeak::during(&client, &url, server.process(), || {
        overload.offer(&load, &url, options.seconds)
    });
    offered?;
    overload.peak = peak;
    overload.totals = load.judge(&client, &url)?;
    overload.check(settings.strict);
    let (load, totals) = ((&load, &client), &mut overload.totals);
    let judged = judge_load_after_kill((&mut server, &launch), load, totals);
    if judged.is_err() || !overload.totals.is_clean() {
        dir.keep();
    }
    judged.map(|()| overload)
}

impl Overload {
    /// Measures what the server can take, and offers twice that.
    fn offer(&mut self, load: &Load, url: &str, seconds: u64) -> Result<(), Error> {
        let third = Duration::from_secs(seconds.div_ceil(3));
        // What is answered after that time does not count.
        let closed = load.closed(url, CLOSED_CLIENTS, || {
            thread::sleep(third);
            load.answered().0
        })?;
        self.closed_rate = closed as f64 / third.as_secs_f64();
        load.take_ack_times();
        tell(&format!("overload: {:.0} requests a second, now twice that", self.closed_rate));
        let (kept, refused) = load.answered();
        let (rate, time) = ((OFFERED * self.closed_rate).max(1.0), Duration::from_secs(seconds));
        let offered = load.open(url, (rate, time), OPEN_CLIENTS)?;
        let (kept_then, refused_then) = load.answered();
        let took = offered.took.as_secs_f64();
        self.offered_rate = offered.requests as f64 / time.as_secs_f64();
        self.kept_rate = (kept_then - kept) as f64 / took;
        self.refused_rate = (refused_then - refused) as f64 / took;
        self.acks = load.take_ack_times();
        self.acks_from_due = load.take_due_times();
        Ok(())
    }

    /// Looks whether the promises were kept, and whether it was an overload at all. How long
    /// answers took is judged if that is `strict`.
    fn check(&mut self, strict: bool) {
        let MemoryPeak { accounted_bytes, budget_bytes, .. } = self.peak;
        if accounted_bytes > budget_bytes + budget_bytes / 10 {
            let promise = format!("{accounted_bytes} bytes accounted, budget {budget_bytes}");
            self.totals.broke(promise);
        }
        if self.offered_rate < OFFERED_MIN * self.closed_rate {
            self.totals.broke(format!(
                "no overload: the clients could offer {:.0} requests a second only, and {:.0} are \
                 taken",
                self.offered_rate, self.closed_rate,
            ));
        }
        let Totals { requests_acked, requests_rejected, requests_unknown, .. } = self.totals;
        let answered: u64 = self.totals.statuses.values().sum();
        let silent = requests_acked + requests_rejected + requests_unknown - answered;
        if silent > 0 {
            self.totals.broke(format!("{silent} requests without an answer"));
        }
        if self.acks.count == 0 {
            self.totals.broke("nothing was kept under overload".to_owned());
        }
        // Who is taken whole has room for more, and shows nothing of refusals.
        if strict && self.refused_rate <= 0.0 {
            self.totals.broke("no overload: nobody was refused".to_owned());
        }
        if strict && self.acks.p99_ms > ACK_MAX_MS {
            self.totals.broke(format!("p99 of acknowledgements is {} ms", self.acks.p99_ms));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many promises such an overload has broken.
    fn broken(offered_rate: f64, p99_ms: f64, accounted_bytes: u64, strict: bool) -> usize {
        let mut overload = Overload {
            closed_rate: 100.0,
            offered_rate,
            refused_rate: 1.0,
            acks: Spread { count: 1, p99_ms, ..Spread::default() },
            peak: MemoryPeak { accounted_bytes, budget_bytes: 1_000, ..MemoryPeak::default() },
            ..Overload::default()
        };
        overload.check(strict);
        overload.totals.broken.len()
    }

    #[test]
    fn an_overload_that_could_not_be_made_is_told_as_one() {
        assert_eq!(broken(190.0, 1.0, 1_100, true), 0);
        assert_eq!(broken(189.0, 1.0, 1_100, false), 1);
        assert_eq!(broken(190.0, 1.0, 1_101, false), 1);
        assert_eq!((broken(200.0, 5_001.0, 0, true), broken(200.0, 5_001.0, 0, false)), (1, 0));
    }

    #[test]
    fn an_overload_in_which_nobody_is_refused_is_none() {
        for (refused_rate, strict, broken) in [(0.0, true, 1), (0.0, false, 0), (0.1, true, 0)] {
            let acks = Spread { count: 1, ..Spread::default() };
            let mut overload = Overload { acks, refused_rate, ..Overload::default() };
            overload.check(strict);
            assert_eq!(overload.totals.broken.len(), broken, "{refused_rate} a second");
        }
    }

    #[test]
    fn a_request_without_an_answer_is_told_and_an_honest_unknown_is_not() {
        let acks = Spread { count: 1, ..Spread::default() };
        let mut overload = Overload { acks, refused_rate: 1.0, ..Overload::default() };
        overload.totals.answered(Some(504), 1);
        overload.check(true);
        assert!(overload.totals.is_clean());
        overload.totals.answered(None, 1);
        overload.check(true);
        assert_eq!(overload.totals.broken, ["1 requests without an answer"]);
    }
}
