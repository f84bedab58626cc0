//! A disk that takes its time for each fdatasync: groups grow, acknowledgements take about two
//! delays, and nobody is refused for it.

use std::thread;
use std::time::Duration;

use clap::Args;
use rand::Rng;
use serde::Serialize;

use crate::bench::Bench;
use crate::error::Error;
use crate::http;
use crate::metrics::Metrics;
use crate::report::{Report, Spread, Totals, tell};
use crate::settings::Settings;
use crate::strace;
use crate::work_dir::WorkDir;
use crate::workload::{Crew, Workload};

const KEYS: u64 = 20_000;
const CREW: Crew = Crew { writers: 32, readers: 1, rest: Duration::from_millis(20) };
const FLAGS: [&str; 2] = ["--persist-max-age", "10s"];

/// How slow, and how long.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Delays, in milliseconds; 0 is the disk as it is, under the same tracer
    #[arg(long, value_delimiter = ',', default_values_t = [0_u64, 50, 200, 1_000])]
    pub delays_ms: Vec<u64>,

    /// Seconds with each
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
}

/// What was found at one delay.
#[derive(Clone, Debug, Serialize)]
pub struct AtDelay {
    /// The delay of each fdatasync.
    pub delay_ms: u64,
    /// Requests that were acknowledged, a second.
    pub requests_per_second: f64,
    /// Requests that one fdatasync covered, on average.
    pub group_requests: f64,
    /// How long acknowledgements took.
    pub acks: Spread,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SlowDisk {
    /// By delay.
    pub delays: Vec<AtDelay>,
    /// What clients did and saw.
    #[serde(flatten)]
    pub totals: Totals,
}

impl Report for SlowDisk {
    const SCENARIO: &'static str = "slow-disk";

    fn totals(&self) -> &Totals {
        &self.totals
    }
}

/// Runs the delays.
///
/// # Errors
///
/// [`Error`] if they could not be run; what was found is in the report.
pub fn run(settings: &Settings, options: &Options) -> Result<SlowDisk, Error> {
    let mut random = settings.random();
    let mut slow = SlowDisk::default();
    for delay in &options.delays_ms {
        let mut dir = WorkDir::within(&settings.work_dir)?;
        let bench = Bench::new(settings, dir.data(), Workload::new(KEYS))?;
        let time = Duration::from_secs(options.seconds);
        let at = at_delay(&bench, &dir, (*delay, time), random.random());
        if at.is_err() || !bench.workload.is_clean() {
            dir.keep();
        }
        slow.totals.absorb(bench.workload.totals());
        let at = at?;
        tell(&format!("slow-disk: {at:?}"));
        slow.delays.push(at);
    }
    // A storm would be more than a refusal now and then.
    let (refused, acked) = (slow.totals.requests_rejected, slow.totals.requests_acked);
    if slow.totals.requests_unknown > 0 || refused * 100 > acked {
        let unknown = slow.totals.requests_unknown;
        slow.totals.broke(format!("{refused} refused and {unknown} unknown of {acked} kept"));
    }
    Ok(slow)
}

fn at_delay(
    bench: &Bench,
    dir: &WorkDir,
    (delay_ms, time): (u64, Duration),
    seed: u64,
) -> Result<AtDelay, Error> {
    let trace = dir.path().join("trace");
    let prefix = strace::slow_sync(Duration::from_millis(delay_ms), &trace);
    let (mut server, url) = bench.launch(&FLAGS).under(prefix).start_ready()?;
    let client = http::client()?;
    bench.workload.during(&url, CREW, seed, || thread::sleep(time))?;
    let groups = Metrics::of(&client, &url)?.histogram("forebay_wal_group_frames");
    let acks = bench.workload.take_ack_times();
    server.kill()?;
    bench.workload.crashed();
    bench.judge_after_restart(&FLAGS)?;
    Ok(AtDelay {
        delay_ms,
        requests_per_second: acks.count as f64 / time.as_secs_f64(),
        group_requests: groups.mean(),
        acks,
    })
}
