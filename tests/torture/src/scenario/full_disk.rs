//! A disk that gets full, with log, catalog and objects on it: writes are refused, reads are
//! answered, and it goes on when there is room again.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use rand::Rng;
use rand::rngs::StdRng;
use reqwest::blocking::Client;
use serde::Serialize;

use crate::bench::Bench;
use crate::error::Error;
use crate::forebay::PATIENCE;
use crate::http;
use crate::loop_mount::LoopMount;
use crate::report::{Report, Spread, Totals, tell};
use crate::settings::Settings;
use crate::sibling::Sibling;
use crate::workload::{Crew, Workload};

const IMAGE_BYTES: u64 = 96 << 20;
const KEYS: u64 = 8_000;
/// What is left to the writes in the rounds in which they fill the disk.
const LEFT_TO_WRITES: u64 = 1 << 20;
/// Rounds that one file system sees.
const ROUNDS_AN_IMAGE: u64 = 5;
/// How long a full disk stays full.
const FULL_FOR: Duration = Duration::from_millis(400);
const PACE: Duration = Duration::from_millis(2);
const CREW: Crew = Crew { writers: 6, readers: 1, rest: Duration::from_millis(6) };

/// Nothing may be large against the disk: a log takes writes again only when there is room for its
/// ballast, which is a hot partition and a body.
const FLAGS: [&str; 10] = [
    "--wal-segment-size",
    "1MiB",
    "--persist-max-age",
    "200ms",
    "--rotation-period",
    "300ms",
    "--persist-hot-partition-size",
    "1MiB",
    "--max-body-size",
    "8MiB",
];

/// How often.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Rounds, each with one full disk
    #[arg(long, default_value_t = 20)]
    pub rounds: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FullDisk {
    /// Times that the disk was full.
    pub episodes: u64,
    /// Those in which writes filled it, not another file.
    pub filled_by_writes: u64,
    /// Starts on a full disk.
    pub restarts_while_full: u64,
    /// Those at which `/ready` said that it is.
    pub restarts_that_said_so: u64,
    /// From the last free byte until a write was refused.
    pub until_refused: Spread,
    /// From the room that was made until a write was acknowledged.
    pub until_resumed: Spread,
    /// What clients did and saw.
    #[serde(flatten)]
    pub totals: Totals,
    #[serde(skip)]
    refused: Vec<Duration>,
    #[serde(skip)]
    resumed: Vec<Duration>,
}

impl Report for FullDisk {
    const SCENARIO: &'static str = "full-disk";

    fn totals(&self) -> &Totals {
        &self.totals
    }
}

/// Runs the rounds.
///
/// # Errors
///
/// [`Error`] if they could not be run; what was found is in the report.
pub fn run(settings: &Settings, options: &Options) -> Result<FullDisk, Error> {
    let mut random = settings.random();
    let mut full = FullDisk::default();
    let mut left = options.rounds;
    while left > 0 && full.totals.is_clean() {
        let rounds = left.min(ROUNDS_AN_IMAGE);
        let mut mount = LoopMount::new(&settings.image_dir, IMAGE_BYTES, "ext4")?;
        let bench = Bench::new(settings, mount.path().join("data"), Workload::new(KEYS))?;
        let sibling = Sibling::new(mount.path().join("sibling"));
        let place = Place { bench: &bench, sibling: &sibling, client: http::client()? };
        let done = bench.while_clean(0..rounds, |_| full.round(&place, &mut random));
        if done.is_err() || !bench.workload.is_clean() {
            mount.keep();
            bench.keep_ledger();
        }
        full.totals.absorb(bench.workload.totals());
        done?;
        left -= rounds;
        tell(&format!("full-disk: {} of {}", options.rounds - left, options.rounds));
    }
    full.until_refused = Spread::of(full.refused.clone());
    full.until_resumed = Spread::of(full.resumed.clone());
    Ok(full)
}

/// What a round needs.
struct Place<'a> {
    bench: &'a Bench,
    sibling: &'a Sibling,
    client: Client,
}

impl FullDisk {
    fn round(&mut self, place: &Place<'_>, random: &mut StdRng) -> Result<(), Error> {
        let bench = place.bench;
        let (mut server, url) = bench.launch(&FLAGS).start_ready()?;
        bench.judge(&url)?;
        let by_writes = random.random_bool(0.3);
        let resumed = bench.workload.during(&url, CREW, random.random(), || {
            self.fill(place, &url, by_writes)?;
            if random.random_bool(0.5) {
                return Ok::<_, Error>(false);
            }
            self.resume(place)?;
            Ok(true)
        })?;
        if !resumed? {
            // Still full: it has to come up so.
            server.kill()?;
            bench.workload.crashed();
            place.sibling.fill(0)?;
            let (again, url) = bench.launch(&FLAGS).start_ready()?;
            server = again;
            self.look_at_full_start(place, &url)?;
            let crew = Crew { readers: 0, ..CREW };
            bench.workload.during(&url, crew, random.random(), || self.resume(place))??;
            bench.judge(&url)?;
        }
        server.kill()?;
        bench.expect_no_panic(&server);
        bench.workload.crashed();
        self.episodes += 1;
        self.filled_by_writes += u64::from(by_writes);
        bench.judge_after_restart(&FLAGS)
    }

    /// Fills the disk and waits until a write is refused; reads are answered all the while.
    fn fill(&mut self, place: &Place<'_>, url: &str, by_writes: bool) -> Result<(), Error> {
        let workload = &place.bench.workload;
        place.sibling.fill(if by_writes { LEFT_TO_WRITES } else { 0 })?;
        let (_, refused) = workload.answered();
        let begun = Instant::now();
        while workload.answered().1 == refused {
            if begun.elapsed() > PATIENCE {
                let what = "a refusal on a full disk".to_owned();
                return Err(Error::Late { what, patience: PATIENCE });
            }
            // A persist may have made room since: full means full.
            if !by_writes {
                place.sibling.fill(0)?;
            }
            thread::sleep(PACE);
        }
        self.refused.push(begun.elapsed());
        thread::sleep(FULL_FOR);
        place.bench.judge(url)
    }

    /// Makes room and waits until a write is acknowledged.
    fn resume(&mut self, place: &Place<'_>) -> Result<(), Error> {
        place.sibling.remove()?;
        self.resumed.push(place.bench.workload.wait_for_ack("there was room again")?);
        Ok(())
    }

    /// A server that was started on a full disk answers queries, and says what it does not do.
    fn look_at_full_start(&mut self, place: &Place<'_>, url: &str) -> Result<(), Error> {
        place.bench.judge(url)?;
        let (status, text) = http::ready(&place.client, url)?;
        self.restarts_while_full += 1;
        // It may have found room for all it needs: what it persisted has freed segments.
        self.restarts_that_said_so += u64::from(status == 503 && text.contains("full"));
        Ok(())
    }
}
