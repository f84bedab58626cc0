//! Power cuts: log, catalog and objects on one file system in a loop device, another writer that
//! forces its journal to commit, and a shutdown of the file system at a random moment.
//!
//! On a quick disk a group is there whole or not at all. So every second disk is slow for a while
//! before the cut, and large requests come beside the others, or new tables with many columns:
//! groups of the log, or of the catalog's, are then cut in the middle.

mod bulk;
mod met;
mod place;
mod wide;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use clap::Args;
use rand::Rng;
use rand::rngs::StdRng;
use serde::Serialize;

use crate::bench::{Bench, SMALL};
use crate::error::{During, Error};
use crate::forebay::{EXIT_IO, Launch, Server};
use crate::power_cut::{Cutter, Journal};
use crate::report::{Report, Totals, tell};
use crate::settings::Settings;
use place::Place;

pub use met::Met;

/// Cuts that one file system suffers.
const CUTS_AN_IMAGE: u64 = 20;
/// How long a server may go on after its disk is gone; then it is killed.
const END_PATIENCE: Duration = Duration::from_millis(300);
/// So many cuts without a torn tail in the log show nothing of how torn tails are survived.
const CUTS_WITH_TORN: u64 = 200;
/// For how long a server is busy before the cut, or before its disk is slow.
const BUSY_MS_MIN: u64 = 20;
const BUSY_MS_MAX: u64 = 350;
const SLOW_BUSY_MS_MAX: u64 = 200;
/// Writes a second of a slow disk, and for how long it is slow.
const WRITES_A_SECOND: RangeInclusive<u32> = 50..=300;
const SLOW_MS: RangeInclusive<u64> = 40..=160;

/// How often, and on what.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Rounds, each with one cut
    #[arg(long, default_value_t = 500)]
    pub rounds: u64,

    /// The file system
    #[arg(long, value_name = "NAME", default_value = "ext4")]
    pub fs: String,

    /// A bug to plant in the server, as `bug:NAME`, which the cuts have to find
    #[arg(long, value_name = "FAULT")]
    pub fault: Option<String>,
}

impl Options {
    fn launch(&self, bench: &Bench) -> Launch {
        let launch = bench.launch(&SMALL);
        match &self.fault {
            Some(fault) => launch.with_fault(fault.clone()),
            None => launch,
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Power {
    /// Cuts.
    pub cuts: u64,
    /// Those before which the journal was written.
    pub journal_flushed: u64,
    /// Those while the disk was slow.
    pub slow_cuts: u64,
    /// Servers that ended by themselves when their disk was gone.
    pub ended_by_themselves: u64,
    /// Torn tails that recovery met, in the log and the catalog.
    #[serde(flatten)]
    pub met: Met,
    /// Empty files that cuts left.
    pub empty_files: u64,
    /// What clients did and saw.
    #[serde(flatten)]
    pub totals: Totals,
}

impl Report for Power {
    const SCENARIO: &'static str = "power";

    fn totals(&self) -> &Totals {
        &self.totals
    }
}

/// Runs the rounds.
///
/// # Errors
///
/// [`Error`] if they could not be run; what was found is in the report.
pub fn run(settings: &Settings, options: &Options) -> Result<Power, Error> {
    let mut random = settings.random();
    let mut power = Power::default();
    let (mut left, mut is_slow) = (options.rounds, false);
    // Both kinds of disks in short runs too.
    let rounds_max = options.rounds.div_ceil(2).clamp(1, CUTS_AN_IMAGE);
    while left > 0 && power.totals.is_clean() {
        let rounds = left.min(rounds_max);
        let mut place = Place::new(settings, &options.fs, is_slow)?;
        let done = power.one_image(&mut place, (options, rounds), &mut random);
        // What a planted bug leaves is nothing to look into.
        if options.fault.is_none() && (done.is_err() || !place.bench.workload.is_clean()) {
            place.drive.keep();
            place.bench.keep_ledger();
        }
        power.totals.absorb(place.totals());
        done?;
        left -= rounds;
        is_slow = !is_slow;
        tell(&format!("power: {} of {}", options.rounds - left, options.rounds));
    }
    power.expect_torn_tails(options);
    Ok(power)
}

impl Power {
    fn one_image(
        &mut self,
        place: &mut Place,
        (options, rounds): (&Options, u64),
        random: &mut StdRng,
    ) -> Result<(), Error> {
        for _ in 0..rounds {
            let (mut server, url) = options.launch(&place.bench).start_ready()?;
            self.judge(place, &server, &url)?;
            if !place.bench.workload.is_clean() {
                return Ok(());
            }
            self.cut(place, &mut server, &url, random)?;
            drop(server);
            place.drive.reboot()?;
            self.empty_files += empty_files(place.bench.data_dir())?;
        }
        let (mut server, url) = options.launch(&place.bench).start_ready()?;
        self.judge(place, &server, &url)?;
        place.bench.judge_all_through_files(&url)?;
        server.kill()?;
        Ok(())
    }

    fn judge(&mut self, place: &mut Place, server: &Server, url: &str) -> Result<(), Error> {
        self.met.recovered(server);
        place.judge(url)
    }

    /// Cuts the power of a busy server.
    fn cut(
        &mut self,
        place: &Place,
        server: &mut Server,
        url: &str,
        random: &mut StdRng,
    ) -> Result<(), Error> {
        let Place { bench, drive, .. } = place;
        let journal = match random.random_bool(0.2) && !drive.is_slow() {
            true => Journal::Flushed,
            false => Journal::Lost,
        };
        let cutter = Cutter::ready(&drive.switch(), journal)?;
        let slow = drive.is_slow().then(|| Slow::any(random));
        let busy_max = if slow.is_some() { SLOW_BUSY_MS_MAX } else { BUSY_MS_MAX };
        let busy = Duration::from_millis(random.random_range(BUSY_MS_MIN..busy_max));
        let stop = AtomicBool::new(false);
        let sibling = drive.path().join("sibling");
        let ended = thread::scope(|scope| {
            scope.spawn(|| commit_journal(&sibling, &stop));
            let with_bulk = slow.is_some_and(|slow| slow.target == Target::Log);
            let ended = place.during(url, (random.random(), with_bulk), || {
                thread::sleep(busy);
                cut_and_wait(server, url, cutter, (place, slow))
            });
            stop.store(true, Ordering::Relaxed);
            ended
        });
        bench.expect_no_panic(server);
        bench.workload.crashed();
        self.cuts += 1;
        self.slow_cuts += u64::from(slow.is_some());
        self.journal_flushed += u64::from(journal == Journal::Flushed);
        let ended = ended??;
        self.ended_by_themselves += u64::from(ended.is_some());
        if let Some(status) = ended.filter(|status| status.code() != Some(EXIT_IO)) {
            let told = server.told();
            bench.workload.broke(format!("after a power cut a server ended as {status}: {told}"));
        }
        Ok(())
    }

    /// A torn tail that never was shows nothing; few cuts may have none by chance.
    fn expect_torn_tails(&mut self, options: &Options) {
        if options.fault.is_some() || self.met.torn_tails_log > 0 || !self.totals.is_clean() {
            return;
        }
        let told = format!("none of {} cuts left a torn tail in the log", self.cuts);
        if self.cuts < CUTS_WITH_TORN {
            tell(&format!("power: {told}"));
        } else {
            self.totals.broke(told);
        }
    }
}

/// How a disk is slow.
#[derive(Clone, Copy, Debug)]
struct Slow {
    writes_a_second: u32,
    time: Duration,
    target: Target,
}

/// Whose groups are to be large. The disk has no time for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Log,
    Catalog,
}

impl Slow {
    fn any(random: &mut StdRng) -> Self {
        Self {
            writes_a_second: random.random_range(WRITES_A_SECOND),
            time: Duration::from_millis(random.random_range(SLOW_MS)),
            target: if random.random_bool(0.4) { Target::Catalog } else { Target::Log },
        }
    }
}

/// Has the disk be slow for a while if it is to be, cuts its power, and sees the server end; returns
/// how, if it did so by itself.
fn cut_and_wait(
    server: &mut Server,
    url: &str,
    cutter: Cutter,
    (place, slow): (&Place, Option<Slow>),
) -> Result<Option<ExitStatus>, Error> {
    let slowed = slow.map(|slow| place.drive.slow_down(slow.writes_a_second)).transpose()?;
    thread::scope(|scope| {
        if slow.is_some_and(|slow| slow.target == Target::Catalog) {
            scope.spawn(|| place.widen(url));
        }
        thread::sleep(slow.map_or(Duration::ZERO, |slow| slow.time));
        cutter.cut()?;
        // What waits for the disk fails at once.
        drop(slowed);
        let ended = server.wait_end(END_PATIENCE)?;
        server.kill()?;
        Ok(ended)
    })
}

/// Writes and syncs a file of its own, so that the journal is committed all the time; until the
/// disk is gone.
fn commit_journal(path: &Path, stop: &AtomicBool) {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let Ok(mut file) = file else { return };
    let mut synced = || file.write_all(b"sibling\n").and_then(|()| file.sync_all()).is_ok();
    while !stop.load(Ordering::Relaxed) && synced() {}
}

/// Files without a byte in them, besides those that are locks only.
fn empty_files(dir: &Path) -> Result<u64, Error> {
    let mut empty = 0;
    for entry in fs::read_dir(dir).during(format!("list {}", dir.display()))? {
        let entry = entry.during("list a directory")?;
        let path = entry.path();
        let metadata = File::open(&path).and_then(|file| file.metadata());
        let metadata = metadata.during(format!("look at {}", path.display()))?;
        if metadata.is_dir() {
            empty += empty_files(&path)?;
        } else if metadata.len() == 0 && path.file_name().is_none_or(|name| name != "lock") {
            empty += 1;
        }
    }
    Ok(empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_cuts_without_a_torn_tail_show_too_little() {
        let is_clean = |cuts, torn_tails_log, fault: Option<&str>| {
            let fault = fault.map(str::to_owned);
            let options = Options { rounds: cuts, fs: "ext4".to_owned(), fault };
            let met = Met { torn_tails_log, ..Met::default() };
            let mut power = Power { cuts, met, ..Power::default() };
            power.expect_torn_tails(&options);
            power.is_clean()
        };
        assert!(!is_clean(CUTS_WITH_TORN, 0, None));
        assert!(is_clean(CUTS_WITH_TORN, 1, None));
        assert!(is_clean(CUTS_WITH_TORN - 1, 0, None));
        assert!(is_clean(CUTS_WITH_TORN, 0, Some("bug:ack-before-fsync")));
    }
}
