//! A server that is stopped for a while and goes on, and another one that would take its place.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use rand::Rng;
use rustix::process::Signal;
use serde::Serialize;

use crate::bench::{Bench, CREW, SMALL};
use crate::error::Error;
use crate::forebay::PATIENCE;
use crate::report::{Report, Spread, Totals, tell};
use crate::settings::Settings;
use crate::work_dir::WorkDir;
use crate::workload::Workload;

const KEYS: u64 = 8_000;

/// How often, and for how long.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Times that the server is stopped
    #[arg(long, default_value_t = 20)]
    pub rounds: u64,

    /// The longest stop, in milliseconds
    #[arg(long, default_value_t = 4_000)]
    pub stop_ms: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Pause {
    /// Times that the server was stopped.
    pub stops: u64,
    /// Other servers on the same directory, all refused.
    pub others_refused: u64,
    /// From the moment that it went on until a write was acknowledged.
    pub until_resumed: Spread,
    /// What clients did and saw.
    #[serde(flatten)]
    pub totals: Totals,
}

impl Report for Pause {
    const SCENARIO: &'static str = "pause";

    fn totals(&self) -> &Totals {
        &self.totals
    }
}

/// Runs the rounds.
///
/// # Errors
///
/// [`Error`] if they could not be run; what was found is in the report.
pub fn run(settings: &Settings, options: &Options) -> Result<Pause, Error> {
    let mut random = settings.random();
    let mut dir = WorkDir::within(&settings.work_dir)?;
    let bench = Bench::new(settings, dir.data(), Workload::new(KEYS))?;
    let mut pause = Pause::default();
    let done = pause.all(&bench, options, random.random());
    if done.is_err() || !bench.workload.is_clean() {
        dir.keep();
        bench.keep_ledger();
    }
    pause.totals = bench.workload.totals();
    done.map(|()| pause)
}

impl Pause {
    fn all(&mut self, bench: &Bench, options: &Options, seed: u64) -> Result<(), Error> {
        let (mut server, url) = bench.launch(&SMALL).start_ready()?;
        let mut times = Vec::new();
        let stops = bench.workload.during(&url, CREW, seed, || {
            for round in 0..options.rounds {
                thread::sleep(Duration::from_millis(200));
                server.signal(Signal::STOP);
                let stopped = Instant::now();
                let other = self.try_another(bench);
                // From a third of the longest stop to all of it.
                let third = options.stop_ms / 3;
                let length = Duration::from_millis(third + third * (round % 3));
                thread::sleep(length.saturating_sub(stopped.elapsed()));
                server.signal(Signal::CONT);
                other?;
                times.push(bench.workload.wait_for_ack("a pause")?);
                self.stops += 1;
                tell(&format!("pause: {} of {}", self.stops, options.rounds));
            }
            Ok::<_, Error>(())
        })?;
        stops?;
        self.until_resumed = Spread::of(times);
        bench.judge(&url)?;
        server.kill()?;
        bench.expect_no_panic(&server);
        bench.workload.crashed();
        bench.judge_after_restart(&SMALL)
    }

    /// The directory is not free while its owner is only stopped.
    fn try_another(&mut self, bench: &Bench) -> Result<(), Error> {
        let mut other = bench.launch(&SMALL).start()?;
        let ended = other.wait_end(PATIENCE)?;
        let refused = !other.lines_with("in use by another process").is_empty();
        if refused && ended.is_some_and(|status| !status.success()) {
            self.others_refused += 1;
        } else {
            bench.workload.broke(format!("a second server: {ended:?}: {}", other.told()));
        }
        Ok(())
    }
}
