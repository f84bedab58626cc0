//! A sync that fails once, as `strace` injects it: the server must end at once, and nothing is lost.
//!
//! What the failed sync was to make durable stands in the page cache, where the next server would
//! find it, so that an acknowledgement that must not have been given would seem to be kept. So the
//! power is cut as soon as the server has ended: then the ledger misses whatever was acknowledged
//! and not synced, what was acknowledged after the failure too.

use std::path::Path;
use std::time::{Duration, SystemTime};

use clap::Args;
use rand::Rng;
use rand::rngs::StdRng;
use serde::Serialize;

use crate::bench::{Bench, CREW, SMALL};
use crate::error::Error;
use crate::forebay::{EXIT_IO, PATIENCE, Server};
use crate::loop_mount::LoopMount;
use crate::power_cut::{Cutter, Journal};
use crate::report::{Report, Spread, Totals, millis, tell};
use crate::settings::Settings;
use crate::strace::{self, Attached, SyncError};
use crate::work_dir::WorkDir;
use crate::workload::Workload;

const KEYS: u64 = 8_000;
const IMAGE_BYTES: u64 = 320 << 20;
/// One failure in so many is a signal and not the disk's.
const INTERRUPTED_ONCE_IN: u32 = 4;
/// Rounds that share a file system.
const ROUNDS_AN_IMAGE: u64 = 25;
/// From the failed sync until the process has ended, at most.
const END_MAX: Duration = Duration::from_secs(1);

/// How often.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Rounds; every other one fails a sync of a start, the others one under load: the first of a
    /// thread, then the second, and so on
    #[arg(long, default_value_t = 200)]
    pub rounds: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Eio {
    /// Servers whose sync failed.
    pub failures: u64,
    /// Those whose sync was interrupted; the others' disks had failed.
    pub interrupted: u64,
    /// Those that failed before they listened.
    pub failed_at_start: u64,
    /// From the failed sync until the end of the process.
    pub until_end: Spread,
    /// What clients did and saw.
    #[serde(flatten)]
    pub totals: Totals,
}

impl Report for Eio {
    const SCENARIO: &'static str = "eio";

    fn totals(&self) -> &Totals {
        &self.totals
    }
}

/// Runs the rounds.
///
/// # Errors
///
/// [`Error`] if they could not be run; what was found is in the report.
pub fn run(settings: &Settings, options: &Options) -> Result<Eio, Error> {
    let mut random = settings.random();
    let mut eio = Eio::default();
    let mut times = Vec::new();
    let mut when = 1;
    while when <= options.rounds && eio.totals.is_clean() {
        let mut mount = LoopMount::new(&settings.image_dir, IMAGE_BYTES, "ext4")?;
        let mut dir = WorkDir::within(&settings.work_dir)?;
        let trace = dir.path().join("trace");
        let data = mount.path().join("data");
        let bench = Bench::new(settings, data, Workload::new(KEYS).forgiving())?;
        let last = options.rounds.min(when + ROUNDS_AN_IMAGE - 1);
        let done = bench.while_clean(when..=last, |when| {
            times.extend(eio.round(&bench, (&mut mount, trace.as_path()), when, &mut random)?);
            Ok(())
        });
        if done.is_err() || !bench.workload.is_clean() {
            mount.keep();
            dir.keep();
            bench.keep_ledger();
        }
        eio.totals.absorb(bench.workload.totals());
        done?;
        tell(&format!("eio: {last} of {}", options.rounds));
        when = last + 1;
    }
    eio.until_end = Spread::of(times);
    eio.check_end(settings.strict);
    Ok(eio)
}

impl Eio {
    /// One server whose `when`th sync fails, and one without faults after it. Returns how long the
    /// first one went on.
    fn round(
        &mut self,
        bench: &Bench,
        (mount, trace): (&mut LoopMount, &Path),
        when: u64,
        random: &mut StdRng,
    ) -> Result<Option<Duration>, Error> {
        let (launch, number) = (bench.launch(&SMALL), when.div_ceil(2));
        let (seed, error) = (random.random(), self.any_error(random));
        let at_start = when % 2 == 1;
        let cutter = Cutter::ready(&mount.path(), Journal::Lost)?;
        let mut server = match at_start {
            true => launch.under(strace::failing_sync(error, number, trace)).start()?,
            false => launch.start()?,
        };
        let ended = match server.wait_ready() {
            Ok(url) => {
                // A file of the objects may fail first and is written anew; the log's turn comes.
                let ended = bench.workload.during(&url, CREW, seed, || {
                    let process = server.process();
                    let _tracer = match at_start {
                        true => None,
                        false => Some(Attached::failing_sync(process, (error, number), trace)?),
                    };
                    server.wait_end(PATIENCE)?;
                    Ok::<_, Error>(SystemTime::now())
                })?;
                ended?
            }
            Err(Error::Ended { .. }) => {
                self.failed_at_start += 1;
                SystemTime::now()
            }
            Err(error) => return Err(error),
        };
        self.expect_code(bench, &mut server, when)?;
        cutter.cut()?;
        bench.expect_no_panic(&server);
        bench.workload.crashed();
        drop(server);
        mount.unmount()?;
        mount.mount()?;
        bench.judge_after_restart(&SMALL)?;
        let ended = ended.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(strace::failed_at(trace)?.map(|failed| ended.saturating_sub(failed)))
    }

    fn any_error(&mut self, random: &mut StdRng) -> SyncError {
        if !random.random_ratio(1, INTERRUPTED_ONCE_IN) {
            return SyncError::Io;
        }
        self.interrupted += 1;
        SyncError::Interrupted
    }

    fn expect_code(&mut self, bench: &Bench, server: &mut Server, when: u64) -> Result<(), Error> {
        self.failures += 1;
        let code = server.wait_end(PATIENCE)?.and_then(|status| status.code());
        if code != Some(EXIT_IO) {
            let told = server.told();
            bench.workload.broke(format!("sync {when} failed: exit code {code:?}: {told}"));
            server.kill()?;
        }
        Ok(())
    }

    /// The end must come at once, which is judged if that is `strict`.
    fn check_end(&mut self, strict: bool) {
        let longest = self.until_end.max_ms;
        if strict && self.until_end.count == 0 && self.failures > 0 {
            self.totals.broke("no trace tells when a sync has failed".to_owned());
        }
        if strict && longest > millis(END_MAX) {
            self.totals.broke(format!("a server ended {longest} ms after its sync had failed"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_goes_on_after_a_failed_sync_is_not_clean() {
        let of = |longest: u64| Eio {
            until_end: Spread::of(vec![Duration::from_millis(longest)]),
            ..Eio::default()
        };
        for (longest, strict, is_clean) in
            [(1_000, true, true), (1_001, true, false), (1_001, false, true)]
        {
            let mut eio = of(longest);
            eio.check_end(strict);
            assert_eq!(eio.totals.is_clean(), is_clean, "{longest} ms");
        }
        let mut unknown = Eio { failures: 1, ..Eio::default() };
        unknown.check_end(true);
        assert!(!unknown.totals.is_clean());
    }
}
