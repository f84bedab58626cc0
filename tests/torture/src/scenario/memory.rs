//! Ten databases loaded at full speed at once in a cgroup that is smaller than what they need:
//! every writer waits as it is told and gets through, and all of it is there after a kill.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use reqwest::blocking::Client;
use serde::Serialize;

use crate::afterlife::judge_after_kill;
use crate::cgroup::MemoryCgroup;
use crate::error::Error;
use crate::flights;
use crate::forebay::{Launch, Server};
use crate::http;
use crate::report::{MemoryPeak, Report, Totals, millis, tell};
use crate::settings::Settings;
use crate::work_dir::WorkDir;

const CGROUP_BYTES: u64 = 512 << 20;
const FLAGS: [&str; 2] = ["--memory-budget", "256MiB"];
/// A writer that waits for longer does not get through.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// How much.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Databases, each with a writer of its own
    #[arg(long, default_value_t = 10)]
    pub databases: usize,

    /// Lines of a request
    #[arg(long, default_value_t = 10_000)]
    pub lines: usize,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Memory {
    /// The most memory that was in use.
    pub peak: MemoryPeak,
    /// The limit of the cgroup, in bytes.
    pub cgroup_bytes: u64,
    /// How often the kernel killed the server.
    pub kernel_kills: u64,
    /// The longest that one request waited, its refusals among it, in milliseconds.
    pub longest_wait_ms: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Rows a second.
    pub rows_per_second: f64,
    /// What clients did and saw.
    #[serde(flatten)]
    pub totals: Totals,
}

impl Report for Memory {
    const SCENARIO: &'static str = "memory";

    fn totals(&self) -> &Totals {
        &self.totals
    }
}

/// Runs the load.
///
/// # Errors
///
/// [`Error`] if it could not be run; what was found is in the report.
pub fn run(settings: &Settings, options: &Options) -> Result<Memory, Error> {
    let bodies = flights::bodies(options.lines)?;
    let cgroup = MemoryCgroup::new(CGROUP_BYTES)?;
    let mut dir = WorkDir::within(&settings.work_dir)?;
    let launch = Launch::new(&settings.binary()?, &dir.data(), &FLAGS).under(cgroup.prefix());
    let (mut server, url) = launch.start_ready()?;
    let begun = Instant::now();
    let client = http::client()?;
    let load_all = || {
        thread::scope(|scope| {
            let (url, bodies) = (&url, &bodies);
            let writing: Vec<_> = (0..options.databases)
                .map(|number| scope.spawn(move || Writer::load(url, number, bodies)))
                .collect();
            writing.into_iter().filter_map(|writer| writer.join().ok()).collect::<Vec<_>>()
        })
    };
    let (writers, peak) = MemoryPeak::during(&client, &url, server.process(), load_all);
    let seconds = begun.elapsed().as_secs_f64();
    let mut memory = Memory { peak, cgroup_bytes: CGROUP_BYTES, seconds, ..Memory::default() };
    let mut longest = Duration::ZERO;
    for writer in writers {
        let writer = writer?;
        longest = longest.max(writer.longest);
        memory.totals.absorb(writer.totals);
    }
    memory.longest_wait_ms = millis(longest);
    memory.rows_per_second = memory.totals.rows_acked as f64 / seconds;
    let judged = match server.ended()? {
        Some(status) => {
            memory.totals.broke(format!("{status}: {}", server.told()));
            Ok(())
        }
        None => memory.count_all((&mut server, &launch), (&client, url.as_str()), options),
    };
    memory.kernel_kills = cgroup.kills();
    memory.check(options);
    if judged.is_err() || !memory.totals.is_clean() {
        dir.keep();
    }
    judged.map(|()| memory)
}

impl Memory {
    /// The promises about memory.
    fn check(&mut self, options: &Options) {
        let MemoryPeak { accounted_bytes, budget_bytes, resident_bytes, .. } = self.peak;
        if accounted_bytes > budget_bytes {
            let promise = format!("{accounted_bytes} bytes accounted, budget {budget_bytes}");
            self.totals.broke(promise);
        }
        if resident_bytes > CGROUP_BYTES || self.kernel_kills > 0 {
            let kills = self.kernel_kills;
            self.totals.broke(format!("{resident_bytes} bytes resident, {kills} kernel kills"));
        }
        if self.totals.requests_unknown > 0 {
            let unknown = self.totals.requests_unknown;
            self.totals
                .broke(format!("{unknown} requests of {} writers failed", options.databases));
        }
    }

    /// Counts all rows: of the server that took them, of one that was started after a kill in the
    /// same cgroup, and of that one when everything is in files.
    fn count_all(
        &mut self,
        (server, launch): (&mut Server, &Launch),
        (client, url): (&Client, &str),
        options: &Options,
    ) -> Result<(), Error> {
        self.count(client, url, options)?;
        let databases: Vec<_> = (0..options.databases).map(database).collect();
        judge_after_kill((server, launch), &databases, |url| self.count(client, url, options))
    }

    /// Counts the rows of each database; a load may have been repeated in part, which adds none.
    fn count(&mut self, client: &Client, url: &str, options: &Options) -> Result<(), Error> {
        for number in 0..options.databases {
            for (table, rows) in flights::TABLES {
                let sql = format!("SELECT count(*) AS n FROM {table}");
                let found = http::number(client, url, &database(number), &sql)?;
                self.totals.reads += 1;
                self.totals.rows_read += found;
                self.totals.lost += rows.saturating_sub(found);
                self.totals.double += found.saturating_sub(rows);
            }
        }
        Ok(())
    }
}

/// Somebody who loads all of the data.
#[derive(Debug, Default)]
struct Writer {
    totals: Totals,
    longest: Duration,
}

impl Writer {
    fn load(url: &str, number: usize, bodies: &[String]) -> Result<Self, Error> {
        let (client, mut writer) = (http::client()?, Self::default());
        let database = database(number);
        for body in bodies {
            if !writer.send(&client, url, &database, body) {
                tell(&format!("memory: {database} did not get through"));
                writer.totals.broke(format!("{database} did not get through"));
                break;
            }
        }
        Ok(writer)
    }

    /// Sends one body until it is kept. False if it waited for too long.
    fn send(&mut self, client: &Client, url: &str, database: &str, body: &str) -> bool {
        let (begun, rows) = (Instant::now(), body.lines().count());
        loop {
            let answer = http::write(client, url, database, body.to_owned());
            self.totals.answered(answer.status, rows);
            if let Some(fault) = answer.fault() {
                self.totals.broke(fault);
                return false;
            }
            self.longest = self.longest.max(begun.elapsed());
            if answer.is_acked() {
                return true;
            }
            if begun.elapsed() > WAIT_MAX || answer.status.is_none() {
                return false;
            }
            // A repetition after an unknown outcome is safe: it makes the same points.
            thread::sleep(Duration::from_secs(answer.retry_after.unwrap_or(1)));
        }
    }
}

fn database(number: usize) -> String {
    format!("nyc{number}")
}
