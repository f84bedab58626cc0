//! An object store that is away for minutes under load, or a catalog that hangs or refuses: memory
//! stays within its budget, nothing is lost, and all goes on by itself when it is back.

use std::fs;
use std::mem;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use reqwest::blocking::Client;
use serde::Serialize;
use serde_json::Value;

use crate::afterlife::judge_after_kill;
use crate::away::Away;
use crate::error::{During, Error};
use crate::forebay::{Launch, PATIENCE, Server};
use crate::http::{self, Answer};
use crate::load::{DATABASE, Load};
use crate::loop_mount::LoopMount;
use crate::metrics::Metrics;
use crate::newcomer::Newcomer;
use crate::report::{MemoryPeak, Report, Spread, Totals, millis, tell};
use crate::settings::Settings;
use crate::work_dir::WorkDir;

/// Objects of minutes find room there.
const STORE_BYTES: u64 = 4 << 30;
/// A catalog with its spare segments, its ballast and its snapshots.
const CATALOG_BYTES: u64 = 128 << 20;
/// Rows of a request.
const ROWS: u64 = 1_000;
const CLIENTS: usize = 8;
const PACE: Duration = Duration::from_millis(50);
/// From one write that needs the catalog to the next.
const KNOCK_PACE: Duration = Duration::from_millis(500);
/// Columns of a new table, where the room that a catalog has made ready is to be used up.
const WIDE: u64 = 900;
/// More than that cannot find room on a full disk.
const WIDE_TABLES_MAX: u64 = 500;
/// All goes on within this time.
const RETURN_MAX_MS: f64 = 10_000.0;
const ACK_MAX_MS: f64 = 5_000.0;

/// What is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// The object store: its file system cannot be written
    #[default]
    Store,
    /// The catalog: its file system is frozen
    CatalogHangs,
    /// The catalog: its file system is full
    CatalogRefuses,
}

/// What is away, and for how long.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What is away
    #[arg(long, value_enum, default_value_t = Of::Store)]
    pub of: Of,

    /// Minutes without it
    #[arg(long, default_value_t = 5.0)]
    pub minutes: f64,

    /// The server's budget
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub memory_budget: String,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outage {
    /// What was away.
    pub of: Of,
    /// For how long, in seconds.
    pub seconds: f64,
    /// Files committed before, which shows that it was in use.
    pub files_before: u64,
    /// Files committed meanwhile: of jobs that were nearly done.
    pub files_meanwhile: u64,
    /// Writes that needed the catalog meanwhile.
    pub newcomer: Newcomer,
    /// What `/ready` said at the end of the outage.
    pub ready: String,
    /// From its return until a file was committed.
    pub until_persisting_ms: f64,
    /// From its return until the first write of a table was acknowledged, which the catalog has to
    /// know, and the store, too, where memory was full for want of it.
    pub until_written_ms: f64,
    /// From its return until `/ready` was 200 with nothing degraded.
    pub until_ready_ms: f64,
    /// How long acknowledgements took.
    pub acks: Spread,
    /// The most memory that was in use.
    pub peak: MemoryPeak,
    /// What clients did and saw.
    #[serde(flatten)]
    pub totals: Totals,
}

impl Report for Outage {
    const SCENARIO: &'static str = "outage";

    fn totals(&self) -> &Totals {
        &self.totals
    }
}

/// Runs the outage.
///
/// # Errors
///
/// [`Error`] if it could not be run; what was found is in the report.
pub fn run(settings: &Settings, options: &Options) -> Result<Outage, Error> {
    let mut dir = WorkDir::within(&settings.work_dir)?;
    let size = if options.of == Of::Store { STORE_BYTES } else { CATALOG_BYTES };
    let mount = LoopMount::new(&settings.image_dir, size, "ext4")?;
    let launch = launch(settings, options, (&dir, &mount))?;
    let (mut server, url) = launch.start_ready()?;
    let (load, client) = (Load::new(ROWS), http::client()?);
    let mut outage = Outage { of: options.of, ..Outage::default() };
    let place = Place { mount: &mount, client: &client, url: &url };
    let (done, peak) = MemoryPeak::during(&client, &url, server.process(), || {
        load.closed(&url, CLIENTS, || outage.suffer(&place, options.minutes))
    });
    done??;
    outage.peak = peak;
    outage.acks = load.take_ack_times();
    let judged = outage.judge((&mut server, &launch), (&client, url.as_str()), &load);
    outage.check(settings.strict);
    if judged.is_err() || !outage.totals.is_clean() {
        dir.keep();
    }
    judged.map(|()| outage)
}

/// A server that has what will be away on a file system of its own.
fn launch(
    settings: &Settings,
    options: &Options,
    (dir, mount): (&WorkDir, &LoopMount),
) -> Result<Launch, Error> {
    let data = dir.data();
    let flags = ["--memory-budget", &options.memory_budget, "--persist-max-age", "1s"];
    let launch = Launch::new(&settings.binary()?, &data, &flags);
    if options.of == Of::Store {
        let store = format!("file://{}/objects", mount.path().display());
        return Ok(launch.with("--object-store", &store));
    }
    let catalog = mount.path().join("catalog");
    let linked = fs::create_dir(&data)
        .and_then(|()| fs::create_dir(&catalog))
        .and_then(|()| symlink(&catalog, data.join("catalog")));
    linked.during("put the catalog on a file system of its own")?;
    Ok(launch)
}

/// What the outage is made with.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    mount: &'a LoopMount,
    client: &'a Client,
    url: &'a str,
}

impl Place<'_> {
    fn files(&self) -> Result<u64, Error> {
        let metrics = Metrics::of(self.client, self.url)?;
        Ok(metrics.sum("forebay_persist_files_total") as u64)
    }

    /// True if the server takes writes and answers queries, and all works as well as it should.
    fn is_well(&self) -> Result<bool, Error> {
        let (status, text) = http::ready(self.client, self.url)?;
        Ok(status == 200 && is_undegraded(&text))
    }

    /// Waits until more files are committed than there were.
    fn wait_for_file(&self, before: u64) -> Result<(), Error> {
        let begun = Instant::now();
        while self.files()? <= before {
            if begun.elapsed() > PATIENCE {
                let what = "a committed file".to_owned();
                return Err(Error::Late { what, patience: PATIENCE });
            }
            thread::sleep(PACE);
        }
        Ok(())
    }
}

impl Outage {
    fn suffer(&mut self, place: &Place<'_>, minutes: f64) -> Result<(), Error> {
        place.wait_for_file(0)?;
        let away = Away::take(self.of, place.mount)?;
        if self.of == Of::CatalogRefuses {
            self.use_up(place, &away)?;
        }
        self.files_before = place.files()?;
        let gone = Instant::now();
        tell(&format!("outage: {:?} is away", self.of));
        self.wait(place, &away, Duration::from_secs_f64(minutes * 60.0))?;
        let (status, text) = http::ready(place.client, place.url)?;
        self.ready = format!("{status} {text}");
        // What was under way when it went may have been committed since.
        let before = place.files()?;
        self.files_meanwhile = before - self.files_before;
        away.give_back()?;
        self.seconds = gone.elapsed().as_secs_f64();
        self.wait_for_return(place, before)
    }

    /// Waits until everything works again that did not, each for itself.
    fn wait_for_return(&mut self, place: &Place<'_>, files: u64) -> Result<(), Error> {
        let (back, mut seen) = (Instant::now(), [None::<Duration>; 3]);
        while seen.contains(&None) {
            if back.elapsed() > PATIENCE {
                let what = format!("a file, a write and an untroubled server ({seen:?})");
                return Err(Error::Late { what, patience: PATIENCE });
            }
            let [persisting, written, ready] = &mut seen;
            if persisting.is_none() && place.files()? > files {
                *persisting = Some(back.elapsed());
            }
            if written.is_none() && self.knock(place, 1).0.is_acked() {
                *written = Some(back.elapsed());
            }
            if ready.is_none() && place.is_well()? {
                *ready = Some(back.elapsed());
            }
            thread::sleep(PACE);
        }
        let [persisting, written, ready] = seen.map(|seen| seen.map_or(0.0, millis));
        self.until_persisting_ms = persisting;
        self.until_written_ms = written;
        self.until_ready_ms = ready;
        tell(&format!("outage: back after {persisting}, {written} and {ready} ms"));
        Ok(())
    }

    /// Judges all that was written: by the server that took it, by one that was started after a
    /// kill, and by that one when everything is in files.
    fn judge(
        &mut self,
        (server, launch): (&mut Server, &Launch),
        (client, url): (&Client, &str),
        load: &Load,
    ) -> Result<(), Error> {
        let found = mem::take(&mut self.totals);
        self.totals = load.judge(client, url)?;
        self.totals.absorb(found);
        self.newcomer.judge(client, url, &mut self.totals)?;
        judge_after_kill((server, launch), &[DATABASE.to_owned()], |url| {
            self.totals.saw(&load.judge(client, url)?);
            self.newcomer.judge(client, url, &mut self.totals)
        })
    }

    /// Creates tables until the catalog has used up the room that it made ready while it had some.
    fn use_up(&mut self, place: &Place<'_>, away: &Away<'_>) -> Result<(), Error> {
        for _ in 0..WIDE_TABLES_MAX {
            away.keep()?;
            let (answer, text) = self.knock(place, WIDE);
            // A refusal for another reason, such as memory, passes.
            let by_catalog = text.contains("catalog") || text.contains("disk");
            if answer.is_refused() && by_catalog {
                return Ok(());
            }
            if !answer.is_acked() {
                thread::sleep(KNOCK_PACE);
            }
        }
        let reason = format!("took {WIDE_TABLES_MAX} wide tables, and room for more");
        Err(Error::answer("a catalog on a full disk", &reason))
    }

    /// Lets the time pass; where it is the catalog that is away, with writes that need it.
    fn wait(&mut self, place: &Place<'_>, away: &Away<'_>, time: Duration) -> Result<(), Error> {
        let begun = Instant::now();
        while begun.elapsed() < time {
            away.keep()?;
            if self.of != Of::Store {
                self.knock(place, 1);
            }
            thread::sleep(KNOCK_PACE.min(time.saturating_sub(begun.elapsed())));
        }
        Ok(())
    }

    fn knock(&mut self, place: &Place<'_>, columns: u64) -> (Answer, String) {
        self.newcomer.knock((place.client, place.url), columns, &mut self.totals)
    }

    /// Looks whether the promises were kept; how long things took is judged if that is `strict`.
    fn check(&mut self, strict: bool) {
        let MemoryPeak { accounted_bytes, budget_bytes, .. } = self.peak;
        if accounted_bytes > budget_bytes + budget_bytes / 10 {
            let promise = format!("{accounted_bytes} bytes accounted, budget {budget_bytes}");
            self.totals.broke(promise);
        }
        if !strict {
            return;
        }
        // Else nothing was away.
        if self.of != Of::Store && self.newcomer.is_always_kept() {
            self.totals.broke("each write that needed the catalog was acknowledged".to_owned());
        }
        if self.acks.p99_ms > ACK_MAX_MS {
            self.totals.broke(format!("p99 of acknowledgements is {} ms", self.acks.p99_ms));
        }
        for (took, what) in [
            (self.until_persisting_ms, "a file was committed"),
            (self.until_written_ms, "the first write of a table was acknowledged"),
            (self.until_ready_ms, "the server was ready with nothing degraded"),
        ] {
            if took > RETURN_MAX_MS {
                self.totals.broke(format!("{took} ms passed until {what}"));
            }
        }
    }
}

/// True if the text of `/ready` names nothing that works less well than it should.
fn is_undegraded(text: &str) -> bool {
    let told: Value = serde_json::from_str(text).unwrap_or_default();
    told["degraded"].as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_says_what_is_degraded_is_not_well() {
        assert!(is_undegraded(r#"{"status":"ready","degraded":[]}"#));
        let troubled = r#"{"status":"ready","degraded":["the catalog fails"]}"#;
        assert!(!is_undegraded(troubled) && !is_undegraded("ready"));
    }

    #[test]
    fn each_return_that_takes_too_long_is_told_where_that_is_asked_for() {
        let of = |until_written_ms, until_ready_ms| Outage {
            until_written_ms,
            until_ready_ms,
            ..Outage::default()
        };
        for (written, ready, broken) in
            [(10_000.0, 10_000.0, 0), (10_001.0, 1.0, 1), (10_001.0, 10_001.0, 2)]
        {
            for (strict, broken) in [(true, broken), (false, 0)] {
                let mut outage = of(written, ready);
                outage.check(strict);
                assert_eq!(outage.totals.broken.len(), broken, "{written} ms, {ready} ms");
            }
        }
    }
}
