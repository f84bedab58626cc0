//! An object store that is away for minutes under load: memory stays within its budget, nothing is
//! lost, and persisting goes on by itself when the store is back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use reqwest::blocking::Client;
use serde::Serialize;

use crate::error::Error;
use crate::forebay::{Launch, PATIENCE};
use crate::http;
use crate::load::Load;
use crate::loop_mount::LoopMount;
use crate::metrics::Metrics;
use crate::report::{MemoryPeak, Report, Spread, Totals, millis, tell};
use crate::settings::Settings;
use crate::work_dir::WorkDir;

const IMAGE_BYTES: u64 = 4 << 30;
/// Rows of a request.
const ROWS: u64 = 1_000;
const CLIENTS: usize = 8;
const PACE: Duration = Duration::from_millis(50);
/// Persisting goes on within this time.
const RETURN_MAX_MS: f64 = 10_000.0;
const ACK_MAX_MS: f64 = 5_000.0;

/// How long.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Minutes without the store
    #[arg(long, default_value_t = 5.0)]
    pub minutes: f64,

    /// The server's budget
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub memory_budget: String,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outage {
    /// For how long the store was away, in seconds.
    pub seconds: f64,
    /// Files committed before, which shows that the store was in use.
    pub files_before: u64,
    /// What `/ready` said at the end of the outage.
    pub ready: String,
    /// From the return of the store until a file was committed.
    pub until_persisting_ms: f64,
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
    let mount = LoopMount::new(&settings.image_dir, IMAGE_BYTES, "ext4")?;
    let store = format!("file://{}/objects", mount.path().display());
    let flags = ["--memory-budget", &options.memory_budget, "--persist-max-age", "1s"];
    let launch = Launch::new(&settings.binary()?, &dir.data(), &flags);
    let (mut server, url) = launch.with("--object-store", &store).start_ready()?;
    let (load, client) = (Load::new(ROWS), http::client()?);
    let (stop, process) = (AtomicBool::new(false), server.process());
    let mut outage = Outage::default();
    let place = Place { mount: &mount, client: &client, url: &url };
    let (done, peak) = thread::scope(|scope| {
        let sampling = scope.spawn(|| MemoryPeak::sample(&client, &url, process, &stop));
        let done = load.closed(&url, CLIENTS, || outage.suffer(&place, options.minutes));
        stop.store(true, Ordering::Relaxed);
        (done, sampling.join().unwrap_or_default())
    });
    done??;
    outage.peak = peak;
    outage.acks = load.take_ack_times();
    outage.totals = load.judge(&client, &url)?;
    outage.check();
    server.kill()?;
    if !outage.totals.is_clean() {
        dir.keep();
    }
    Ok(outage)
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

    /// Waits until more files are committed than there were.
    fn wait_for_file(&self, before: u64) -> Result<Duration, Error> {
        let begun = Instant::now();
        while self.files()? <= before {
            if begun.elapsed() > PATIENCE {
                let what = "a committed file".to_owned();
                return Err(Error::Late { what, patience: PATIENCE });
            }
            thread::sleep(PACE);
        }
        Ok(begun.elapsed())
    }
}

impl Outage {
    fn suffer(&mut self, place: &Place<'_>, minutes: f64) -> Result<(), Error> {
        place.wait_for_file(0)?;
        self.files_before = place.files()?;
        place.mount.set_read_only(true)?;
        let gone = Instant::now();
        tell("outage: the object store is away");
        thread::sleep(Duration::from_secs_f64(minutes * 60.0));
        let (status, text) = http::ready(place.client, place.url)?;
        self.ready = format!("{status} {text}");
        // What was under way when it went may have been committed since.
        let before = place.files()?;
        place.mount.set_read_only(false)?;
        self.seconds = gone.elapsed().as_secs_f64();
        self.until_persisting_ms = millis(place.wait_for_file(before)?);
        tell(&format!("outage: persisting again after {} ms", self.until_persisting_ms));
        Ok(())
    }

    fn check(&mut self) {
        let MemoryPeak { accounted_bytes, budget_bytes, .. } = self.peak;
        if accounted_bytes > budget_bytes + budget_bytes / 10 {
            let promise = format!("{accounted_bytes} bytes accounted, budget {budget_bytes}");
            self.totals.broke(promise);
        }
        if self.acks.p99_ms > ACK_MAX_MS {
            self.totals.broke(format!("p99 of acknowledgements is {} ms", self.acks.p99_ms));
        }
        if self.until_persisting_ms > RETURN_MAX_MS {
            let took = self.until_persisting_ms;
            self.totals.broke(format!("persisting took {took} ms to go on"));
        }
    }
}
