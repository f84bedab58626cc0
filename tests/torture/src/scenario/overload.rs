//! Twice the rate that a server can take, offered without mercy: refusals, no loss, no more memory
//! than the budget, and those who get in are answered soon.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use crate::error::Error;
use crate::forebay::Launch;
use crate::http;
use crate::load::Load;
use crate::report::{MemoryPeak, Report, Spread, Totals, tell};
use crate::settings::Settings;
use crate::work_dir::WorkDir;

/// Rows of a request.
const ROWS: u64 = 1_000;
const CLOSED_CLIENTS: usize = 16;
/// Requests under way at once, at most.
const OPEN_CLIENTS: usize = 256;
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
    /// Requests a second that were offered.
    pub offered_rate: f64,
    /// Requests a second that were kept of them.
    pub kept_rate: f64,
    /// How long acknowledgements took under overload.
    pub acks: Spread,
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
    let (mut server, url) = Launch::new(&settings.binary()?, &dir.data(), &flags).start_ready()?;
    let (load, client) = (Load::new(ROWS), http::client()?);
    let mut overload = Overload::default();
    let (offered, peak) = MemoryPeak::during(&client, &url, server.process(), || {
        overload.offer(&load, &url, options.seconds)
    });
    offered?;
    overload.peak = peak;
    overload.totals = load.judge(&client, &url)?;
    overload.check();
    server.kill()?;
    if !overload.totals.is_clean() {
        dir.keep();
    }
    Ok(overload)
}

impl Overload {
    /// Measures what the server can take, and offers twice that.
    fn offer(&mut self, load: &Load, url: &str, seconds: u64) -> Result<(), Error> {
        let (third, before) = (Duration::from_secs(seconds.div_ceil(3)), load.requests_acked());
        load.closed(url, CLOSED_CLIENTS, || thread::sleep(third))?;
        let closed = (load.requests_acked() - before) as f64;
        self.closed_rate = closed / third.as_secs_f64();
        load.take_ack_times();
        tell(&format!("overload: {:.0} requests a second, now twice that", self.closed_rate));
        let (begun, before) = (Instant::now(), load.requests_acked());
        let rate = (2.0 * self.closed_rate).max(1.0);
        let offered = load.open(url, (rate, Duration::from_secs(seconds)), OPEN_CLIENTS)?;
        let took = begun.elapsed().as_secs_f64();
        self.offered_rate = offered as f64 / took;
        self.kept_rate = (load.requests_acked() - before) as f64 / took;
        self.acks = load.take_ack_times();
        Ok(())
    }

    fn check(&mut self) {
        let MemoryPeak { accounted_bytes, budget_bytes, .. } = self.peak;
        if accounted_bytes > budget_bytes + budget_bytes / 10 {
            let promise = format!("{accounted_bytes} bytes accounted, budget {budget_bytes}");
            self.totals.broke(promise);
        }
        if self.acks.p99_ms > ACK_MAX_MS {
            self.totals.broke(format!("p99 of acknowledgements is {} ms", self.acks.p99_ms));
        }
    }
}
