//! A disk that takes its time for each fdatasync: groups grow, acknowledgements take about two
//! delays, and nobody is refused for it.
//!
//! How long a write waits follows from the log. It waits for the group under way, and then for its
//! own: two delays. One more may lie before them: the seal of a segment that is full or was idle, or
//! the commit of a new column. Hence `acks_limit`.
//!
//! The first writes of all wait for longer, and are told by themselves: each needs a database, a
//! table or columns that others are creating just then. Who comes second is checked again against
//! what the first one committed, so that there are up to four commits of the catalog in a row (the
//! database with a first table, the other tables, and columns twice) before the two delays of the
//! log. At a second each that is longer than the 4.5 s after which an honest answer is "unknown".

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use rand::Rng;
use serde::Serialize;

use crate::bench::Bench;
use crate::error::Error;
use crate::http;
use crate::metrics::Metrics;
use crate::report::{MemoryPeak, Report, Spread, Totals, tell};
use crate::settings::Settings;
use crate::strace;
use crate::work_dir::WorkDir;
use crate::workload::{Crew, Workload};

const KEYS: u64 = 20_000;
/// So many writers that there is a p99 even where each waits for seconds.
const CREW: Crew = Crew { writers: 64, readers: 1, rest: Duration::from_millis(20) };
const FLAGS: [&str; 2] = ["--persist-max-age", "10s"];

/// The first writes have their columns after four commits and two groups.
const WARM_UP_DELAYS: u32 = 8;
/// Beside the delays: the server starts to work, too.
const WARM_UP_MIN: Duration = Duration::from_secs(1);

/// Up to here there is time for all that a write may wait for; a disk that is slower may leave it
/// without an answer in time.
const ANSWERED_MAX_MS: u64 = 200;
/// What an acknowledgement takes beside the delays, for one of a hundred: the tracer and all
/// clients share the cores with the server.
const ACK_WORK_MS: f64 = 100.0;

/// How slow, and how long.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Delays, in milliseconds; 0 is the disk as it is, under the same tracer
    #[arg(long, value_delimiter = ',', default_values_t = [0_u64, 50, 200, 1_000])]
    pub delays_ms: Vec<u64>,

    /// Seconds with each, after eight delays and a second to get warm
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
}

/// What writers saw for a while.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Seen {
    /// How long acknowledgements took.
    pub acks: Spread,
    /// Requests that were refused.
    pub refused: u64,
    /// Requests whose outcome nobody told.
    pub unknown: u64,
}

impl Seen {
    /// What was seen since there were such counts, and times were taken.
    fn since(before: &Totals, workload: &Workload) -> Self {
        let now = workload.totals();
        Self {
            acks: workload.take_ack_times(),
            refused: now.requests_rejected - before.requests_rejected,
            unknown: now.requests_unknown - before.requests_unknown,
        }
    }
}

/// What was found at one delay.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AtDelay {
    /// The delay of each fdatasync.
    pub delay_ms: u64,
    /// Requests that were acknowledged, a second.
    pub requests_per_second: f64,
    /// Requests that one fdatasync covered, on average.
    pub group_requests: f64,
    /// What was seen once the server was warm.
    #[serde(flatten)]
    pub seen: Seen,
    /// What was seen before, while the tables were made.
    pub warm_up: Seen,
    /// The most memory that was in use.
    pub peak: MemoryPeak,
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
            bench.keep_ledger();
        }
        slow.totals.absorb(bench.workload.totals());
        let at = at?;
        tell(&format!("slow-disk: {at:?}"));
        for fault in at.faults(settings.strict) {
            slow.totals.broke(format!("with {delay} ms a sync: {fault}"));
        }
        slow.delays.push(at);
    }
    // A storm would be more than a refusal now and then.
    let (refused, acked) = (slow.totals.requests_rejected, slow.totals.requests_acked);
    if refused * 100 > acked {
        slow.totals.broke(format!("{refused} refused and {acked} kept"));
    }
    Ok(slow)
}

fn at_delay(
    bench: &Bench,
    dir: &WorkDir,
    (delay_ms, time): (u64, Duration),
    seed: u64,
) -> Result<AtDelay, Error> {
    let (trace, delay) = (dir.path().join("trace"), Duration::from_millis(delay_ms));
    let prefix = strace::slow_sync(delay, &trace);
    let (mut server, url) = bench.launch(&FLAGS).under(prefix).start_ready()?;
    let client = http::client()?;
    let groups =
        || Ok::<_, Error>(Metrics::of(&client, &url)?.histogram("forebay_wal_group_frames"));
    let work = || {
        thread::sleep(WARM_UP_MIN + delay * WARM_UP_DELAYS);
        let warm_up = Seen::since(&Totals::default(), &bench.workload);
        let warm = (bench.workload.totals(), groups()?, Instant::now());
        thread::sleep(time);
        Ok::<_, Error>((warm_up, warm))
    };
    let (done, peak) = MemoryPeak::during(&client, &url, server.process(), || {
        bench.workload.during(&url, CREW, seed, work)
    });
    let (warm_up, (totals, groups_before, begun)) = done??;
    let took = begun.elapsed();
    let seen = Seen::since(&totals, &bench.workload);
    let group_requests = groups()?.since(&groups_before).mean();
    server.kill()?;
    bench.workload.crashed();
    bench.judge_after_restart(&FLAGS)?;
    let requests_per_second = seen.acks.count as f64 / took.as_secs_f64();
    Ok(AtDelay { delay_ms, requests_per_second, group_requests, seen, warm_up, peak })
}

/// What 99 of 100 acknowledgements stay below, in milliseconds: the group under way, the write's
/// own, one more sync, and the work beside them.
fn acks_limit(delay_ms: u64) -> f64 {
    3.0 * delay_ms as f64 + ACK_WORK_MS
}

impl AtDelay {
    /// What does not hold. How long things took is judged if that is `strict`.
    fn faults(&self, strict: bool) -> Vec<String> {
        let Seen { acks, refused, unknown } = self.seen;
        let is_answered = self.delay_ms <= ANSWERED_MAX_MS;
        let (accounted, budget) = (self.peak.accounted_bytes, self.peak.budget_bytes);
        let mut faults = Vec::new();
        if acks.count == 0 {
            faults.push("nothing was kept".to_owned());
        }
        let unknown_at_all = unknown + self.warm_up.unknown;
        if is_answered && unknown_at_all > 0 {
            faults.push(format!("{unknown_at_all} of unknown outcome"));
        }
        let all = acks.count as u64 + refused + unknown;
        if unknown > 0 && unknown * 100 >= all {
            faults.push(format!("{unknown} of {all} of unknown outcome"));
        }
        if accounted > budget + budget / 10 {
            faults.push(format!("{accounted} bytes accounted, budget {budget}"));
        }
        let limit = acks_limit(self.delay_ms);
        // Without a delay it is the machine that is measured.
        if strict && is_answered && self.delay_ms > 0 && acks.p99_ms > limit {
            let p99 = acks.p99_ms;
            faults.push(format!("p99 of acknowledgements is {p99} ms, more than {limit}"));
        }
        // At the end of a group about half of the writers wait for the next.
        if strict && self.delay_ms >= 50 && self.group_requests * 4.0 < CREW.writers as f64 {
            faults.push(format!("groups of {:.1} requests only", self.group_requests));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(delay_ms: u64, p99_ms: f64, unknown: u64) -> AtDelay {
        let acks = Spread { count: 1_000, p99_ms, ..Spread::default() };
        let seen = Seen { acks, refused: 0, unknown };
        AtDelay { delay_ms, group_requests: 30.0, seen, ..AtDelay::default() }
    }

    #[test]
    fn an_unknown_outcome_is_honest_only_where_there_is_no_time_for_an_answer() {
        assert_eq!(at(200, 600.0, 1).faults(false).len(), 1);
        assert_eq!(at(1_000, 600.0, 10).faults(false), Vec::<String>::new());
        assert_eq!(at(1_000, 600.0, 11).faults(false).len(), 1);
        let mut early = at(50, 100.0, 0);
        early.warm_up.unknown = 1;
        assert_eq!(early.faults(false).len(), 1);
    }

    #[test]
    fn times_are_judged_only_where_that_is_asked_for() {
        assert!(at(200, 700.0, 0).faults(true).is_empty());
        assert_eq!(at(200, 701.0, 0).faults(true).len(), 1);
        assert!(at(200, 701.0, 0).faults(false).is_empty());
        let mut alone = at(50, 100.0, 0);
        alone.group_requests = 1.5;
        assert_eq!((alone.faults(true).len(), alone.faults(false).len()), (1, 0));
    }

    #[test]
    fn a_delay_at_which_nothing_is_kept_is_not_clean() {
        assert_eq!(AtDelay::default().faults(false), ["nothing was kept"]);
    }
}
