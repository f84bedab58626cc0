//! How long a start takes over a large log, beside the rate at which that log was written: once
//! with room for all of it in memory, and once in a small budget, so that persists run beside it.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use reqwest::blocking::Client;
use serde::Serialize;

use crate::error::{During, Error};
use crate::forebay::Launch;
use crate::http;
use crate::load::Load;
use crate::metrics::Metrics;
use crate::report::{MemoryPeak, Report, Totals, tell};
use crate::settings::Settings;
use crate::work_dir::WorkDir;

/// Rows of a request.
const ROWS: u64 = 5_000;
const CLIENTS: usize = 8;
const PACE: Duration = Duration::from_millis(5);
/// A recovery that takes longer hangs.
const READY_MAX: Duration = Duration::from_secs(600);
const MIB: f64 = (1 << 20) as f64;
/// A server that reads its log reads it faster than it came, by so much at least.
const OF_LIVE_RATE_MIN: f64 = 2.0;

/// Nothing is persisted, and nothing is refused for the size of the log.
const NEVER_PERSIST: [&str; 10] = [
    "--persist-max-age",
    "100h",
    "--rotation-period",
    "100h",
    "--persist-hot-partition-size",
    "1GiB",
    "--wal-max-size",
    "64GiB",
    "--memory-budget",
    "16GiB",
];

/// How large.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Mebibytes of log
    #[arg(long, value_name = "MIB", default_value_t = 1_024)]
    pub size_mib: u64,

    /// The small budget
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub memory_budget: String,
}

/// One recovery.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Measured {
    /// From the start until the port was open.
    pub until_listening_seconds: f64,
    /// From the start until `/ready` was 200.
    pub until_ready_seconds: f64,
    /// Rows a second, from the start on.
    pub rows_per_second: f64,
    /// Bytes of log a second, in MiB.
    pub mib_per_second: f64,
    /// Rows a second, as a part of the rate at which they were written.
    pub of_live_rate: f64,
    /// Different texts of `/ready` on the way, which tell the progress.
    pub progress_texts: u64,
    /// Files that were committed meanwhile.
    pub files: u64,
    /// The most memory that was in use.
    pub peak: MemoryPeak,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Recovery {
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Rows in it.
    pub rows: u64,
    /// Rows a second when they were written.
    pub live_rows_per_second: f64,
    /// With room for all of it.
    pub roomy: Measured,
    /// In the small budget.
    pub small: Measured,
    /// What clients did and saw.
    #[serde(flatten)]
    pub totals: Totals,
}

impl Report for Recovery {
    const SCENARIO: &'static str = "recovery";

    fn totals(&self) -> &Totals {
        &self.totals
    }
}

/// Writes the log and recovers it twice.
///
/// # Errors
///
/// [`Error`] if it could not be run; what was found is in the report.
pub fn run(settings: &Settings, options: &Options) -> Result<Recovery, Error> {
    let mut dir = WorkDir::within(&settings.work_dir)?;
    let (binary, data) = (settings.binary()?, dir.data());
    let (load, client) = (Load::new(ROWS), http::client()?);
    let mut recovery = Recovery::default();
    let roomy = Launch::new(&binary, &data, &NEVER_PERSIST);
    recovery.fill(&roomy, &load, options.size_mib << 20)?;
    recovery.log_bytes = log_bytes(&data)?;
    recovery.roomy = recovery.recover(&roomy, &client, None)?;
    let flags = ["--memory-budget", options.memory_budget.as_str()];
    let small = Launch::new(&binary, &data, &flags);
    recovery.small = recovery.recover(&small, &client, Some(&load))?;
    recovery.check(settings.strict);
    if !recovery.totals.is_clean() {
        dir.keep();
    }
    Ok(recovery)
}

impl Recovery {
    /// Writes until the log is as large as it has to be, and kills the server.
    fn fill(&mut self, launch: &Launch, load: &Load, size: u64) -> Result<(), Error> {
        let (mut server, url) = launch.start_ready()?;
        let begun = Instant::now();
        let client = http::client()?;
        let filled = load.closed(&url, CLIENTS, || {
            while Metrics::of(&client, &url)?.sum("forebay_wal_appended_bytes_total") < size as f64
            {
                thread::sleep(PACE * 20);
            }
            Ok::<_, Error>(())
        })?;
        filled?;
        self.rows = load.rows_acked();
        self.live_rows_per_second = self.rows as f64 / begun.elapsed().as_secs_f64();
        tell(&format!("recovery: wrote {} rows", self.rows));
        server.kill()?;
        Ok(())
    }

    /// Starts a server over the log and measures; judges all rows if there is somebody to ask.
    fn recover(
        &mut self,
        launch: &Launch,
        client: &Client,
        judge: Option<&Load>,
    ) -> Result<Measured, Error> {
        let mut server = launch.start()?;
        let begun = server.started();
        let url = server.wait_listening()?;
        let until_listening = begun.elapsed();
        let (ready, peak) =
            MemoryPeak::during(client, &url, server.process(), || wait_ready(client, &url));
        let progress_texts = ready?;
        let seconds = begun.elapsed().as_secs_f64();
        let files = Metrics::of(client, &url)?.sum("forebay_persist_files_total") as u64;
        if let Some(load) = judge {
            self.totals = load.judge(client, &url)?;
        }
        server.kill()?;
        let rows_per_second = self.rows as f64 / seconds;
        tell(&format!("recovery: ready after {seconds:.1} s"));
        Ok(Measured {
            until_listening_seconds: until_listening.as_secs_f64(),
            until_ready_seconds: seconds,
            rows_per_second,
            mib_per_second: self.log_bytes as f64 / MIB / seconds,
            of_live_rate: rows_per_second / self.live_rows_per_second,
            progress_texts,
            files,
            peak,
        })
    }

    /// Looks whether the promises were kept. How fast it was is judged if that is `strict`; how
    /// often the progress was seen to change depends on that, too.
    fn check(&mut self, strict: bool) {
        for (name, measured) in [("roomy", &self.roomy), ("small", &self.small)] {
            let MemoryPeak { accounted_bytes, budget_bytes, .. } = measured.peak;
            if accounted_bytes > budget_bytes {
                let promise = format!("{accounted_bytes} bytes accounted, budget {budget_bytes}");
                self.totals.broke(format!("{name}: {promise}"));
            }
            let (rate, texts) = (measured.of_live_rate, measured.progress_texts);
            if strict && rate < OF_LIVE_RATE_MIN {
                self.totals.broke(format!("{name}: {rate:.1} times as fast as it was written"));
            }
            if strict && texts <= 1 {
                self.totals.broke(format!("{name}: /ready had {texts} texts on the way"));
            }
        }
        // What finds no room has to go to files while the log is still being read.
        let finds_no_room = self.roomy.peak.accounted_bytes > self.small.peak.budget_bytes;
        if finds_no_room && self.small.files == 0 {
            self.totals.broke("nothing was persisted beside the recovery".to_owned());
        }
    }
}

/// Waits until a server is ready; returns how many different texts it had for not being so.
fn wait_ready(client: &Client, url: &str) -> Result<u64, Error> {
    let (begun, mut texts, mut last) = (Instant::now(), 0, String::new());
    loop {
        let (status, text) = http::ready(client, url)?;
        if status == 200 {
            return Ok(texts);
        }
        if begun.elapsed() > READY_MAX {
            return Err(Error::Late { what: "a recovery".to_owned(), patience: READY_MAX });
        }
        texts += u64::from(text != last);
        last = text;
        thread::sleep(PACE);
    }
}

/// Bytes of the segments of a log.
fn log_bytes(data: &Path) -> Result<u64, Error> {
    let mut bytes = 0;
    for entry in fs::read_dir(data.join("wal")).during("list the log")? {
        let entry = entry.during("list the log")?;
        if entry.path().extension().is_some_and(|extension| extension == "wal") {
            bytes += entry.metadata().during("look at a segment")?.len();
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many promises a recovery has broken, both parts of which are alike but for their budget.
    fn broken(measured: &Measured, strict: bool) -> usize {
        let roomy_peak = MemoryPeak { budget_bytes: 1_000, ..measured.peak };
        let roomy = Measured { peak: roomy_peak, ..measured.clone() };
        let mut recovery = Recovery { roomy, small: measured.clone(), ..Recovery::default() };
        recovery.check(strict);
        recovery.totals.broken.len()
    }

    #[test]
    fn what_is_slow_is_told_only_where_that_is_asked_for_and_what_is_too_much_always() {
        let peak = MemoryPeak { accounted_bytes: 100, budget_bytes: 100, ..MemoryPeak::default() };
        let good = Measured { of_live_rate: 2.0, progress_texts: 2, peak, ..Measured::default() };
        assert_eq!(broken(&good, true), 0);
        for bad in [
            Measured { of_live_rate: 1.9, ..good.clone() },
            Measured { progress_texts: 1, ..good.clone() },
        ] {
            assert_eq!((broken(&bad, true), broken(&bad, false)), (2, 0));
        }
        let peak = MemoryPeak { accounted_bytes: 101, ..peak };
        // It is too much in the small budget, and with as much there should have been files.
        assert_eq!(broken(&Measured { peak, ..good.clone() }, false), 2);
        assert_eq!(broken(&Measured { peak, files: 1, ..good }, false), 1);
    }
}
