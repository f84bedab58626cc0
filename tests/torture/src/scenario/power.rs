//! Power cuts: log, catalog and objects on one file system in a loop device, another writer that
//! forces its journal to commit, and a shutdown of the file system at a random moment.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use clap::Args;
use rand::Rng;
use rand::rngs::StdRng;
use serde::Serialize;

use crate::bench::{Bench, CREW, SMALL};
use crate::error::{During, Error};
use crate::forebay::{EXIT_IO, Launch, Server};
use crate::loop_mount::LoopMount;
use crate::power_cut::{Cutter, Journal};
use crate::report::{Report, Totals, tell};
use crate::settings::Settings;
use crate::workload::Workload;

/// The least that XFS takes is 300 MiB.
const IMAGE_BYTES: u64 = 320 << 20;
const KEYS: u64 = 8_000;
/// Cuts that one file system suffers.
const CUTS_AN_IMAGE: u64 = 20;
/// How long a server may go on after its disk is gone; then it is killed.
const END_PATIENCE: Duration = Duration::from_millis(300);

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
    /// Servers that ended by themselves when their disk was gone.
    pub ended_by_themselves: u64,
    /// Torn tails that recovery met, in the log and the catalog.
    pub torn_tails: u64,
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
    let mut left = options.rounds;
    while left > 0 && power.totals.is_clean() {
        let rounds = left.min(CUTS_AN_IMAGE);
        let mut mount = LoopMount::new(&settings.image_dir, IMAGE_BYTES, &options.fs)?;
        let bench = Bench::new(settings, mount.path().join("data"), Workload::new(KEYS))?;
        let done = power.one_image(&bench, &mut mount, (options, rounds), &mut random);
        // What a planted bug leaves is nothing to look into.
        if options.fault.is_none() && (done.is_err() || !bench.workload.is_clean()) {
            mount.keep();
            bench.keep_ledger();
        }
        power.totals.absorb(bench.workload.totals());
        done?;
        left -= rounds;
        tell(&format!("power: {} of {}", options.rounds - left, options.rounds));
    }
    Ok(power)
}

impl Power {
    fn one_image(
        &mut self,
        bench: &Bench,
        mount: &mut LoopMount,
        (options, rounds): (&Options, u64),
        random: &mut StdRng,
    ) -> Result<(), Error> {
        for _ in 0..rounds {
            let (mut server, url) = options.launch(bench).start_ready()?;
            self.judge(bench, &server, &url)?;
            if !bench.workload.is_clean() {
                return Ok(());
            }
            self.cut(bench, &mut server, (url.as_str(), &*mount), random)?;
            drop(server);
            mount.unmount()?;
            mount.mount()?;
            self.empty_files += empty_files(bench.data_dir())?;
        }
        let (mut server, url) = options.launch(bench).start_ready()?;
        self.judge(bench, &server, &url)?;
        bench.judge_all_through_files(&url)?;
        server.kill()?;
        Ok(())
    }

    fn judge(&mut self, bench: &Bench, server: &Server, url: &str) -> Result<(), Error> {
        self.torn_tails += server.lines_with("cut a torn tail off").len() as u64;
        bench.judge(url)
    }

    /// Cuts the power of a busy server.
    fn cut(
        &mut self,
        bench: &Bench,
        server: &mut Server,
        (url, mount): (&str, &LoopMount),
        random: &mut StdRng,
    ) -> Result<(), Error> {
        let journal = if random.random_bool(0.2) { Journal::Flushed } else { Journal::Lost };
        let cutter = Cutter::ready(&mount.path(), journal)?;
        let busy = Duration::from_millis(random.random_range(20..350));
        let stop = AtomicBool::new(false);
        let sibling = mount.path().join("sibling");
        let ended = thread::scope(|scope| {
            scope.spawn(|| commit_journal(&sibling, &stop));
            let ended = bench.workload.during(url, CREW, random.random(), || {
                thread::sleep(busy);
                cutter.cut()?;
                let ended = server.wait_end(END_PATIENCE)?;
                server.kill()?;
                Ok::<_, Error>(ended)
            });
            stop.store(true, Ordering::Relaxed);
            ended
        });
        bench.expect_no_panic(server);
        bench.workload.crashed();
        self.cuts += 1;
        self.journal_flushed += u64::from(journal == Journal::Flushed);
        let ended = ended??;
        self.ended_by_themselves += u64::from(ended.is_some());
        if let Some(status) = ended.filter(|status| status.code() != Some(EXIT_IO)) {
            let told = server.told();
            bench.workload.broke(format!("after a power cut a server ended as {status}: {told}"));
        }
        Ok(())
    }
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
