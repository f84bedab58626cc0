//! A sync that fails once, as `strace` injects it: the server must end, and nothing is lost.

use std::time::{Duration, Instant};

use clap::Args;
use rand::Rng;
use serde::Serialize;

use crate::bench::{Bench, CREW, SMALL};
use crate::error::Error;
use crate::forebay::{PATIENCE, Server};
use crate::report::{Report, Spread, Totals, tell};
use crate::settings::Settings;
use crate::strace::{self, Attached};
use crate::work_dir::WorkDir;
use crate::workload::Workload;

const KEYS: u64 = 8_000;
/// The exit code of a server whose disk has failed.
const EXIT_IO: i32 = 74;
/// Rounds that share a data directory.
const ROUNDS_A_DIRECTORY: u64 = 25;

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
    /// Those that failed before they listened.
    pub failed_at_start: u64,
    /// From the start of a server until its end.
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
        let mut dir = WorkDir::within(&settings.work_dir)?;
        let bench = Bench::new(settings, dir.data(), Workload::new(KEYS).forgiving())?;
        let last = options.rounds.min(when + ROUNDS_A_DIRECTORY - 1);
        let done = bench.while_clean(when..=last, |when| {
            times.push(eio.round(&bench, &dir, when, random.random())?);
            Ok(())
        });
        if done.is_err() || !bench.workload.is_clean() {
            dir.keep();
        }
        eio.totals.absorb(bench.workload.totals());
        done?;
        tell(&format!("eio: {last} of {}", options.rounds));
        when = last + 1;
    }
    eio.until_end = Spread::of(times);
    Ok(eio)
}

impl Eio {
    /// One server whose `when`th sync fails, and one without faults after it.
    fn round(
        &mut self,
        bench: &Bench,
        dir: &WorkDir,
        when: u64,
        seed: u64,
    ) -> Result<Duration, Error> {
        let (trace, number) = (dir.path().join("trace"), when.div_ceil(2));
        let launch = bench.launch(&SMALL);
        let at_start = when % 2 == 1;
        let mut server = match at_start {
            true => launch.under(strace::failing_sync(number, &trace)).start()?,
            false => launch.start()?,
        };
        let mut begun = Instant::now();
        match server.wait_ready() {
            Ok(url) => {
                // A file of the objects may fail first and is written anew; the log's turn comes.
                let ended = bench.workload.during(&url, CREW, seed, || {
                    let process = server.process();
                    let _tracer = match at_start {
                        true => None,
                        false => Some(Attached::failing_sync(process, number, &trace)?),
                    };
                    begun = Instant::now();
                    server.wait_end(PATIENCE)
                })?;
                ended?;
            }
            Err(Error::Ended { .. }) => self.failed_at_start += 1,
            Err(error) => return Err(error),
        }
        let took = begun.elapsed();
        self.expect_code(bench, &mut server, when)?;
        bench.expect_no_panic(&server);
        bench.workload.crashed();
        bench.judge_after_restart(&SMALL)?;
        Ok(took)
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
}
