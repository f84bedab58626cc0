//! The log's own fdatasync beside a raw loop of writes of the same size in the same directory.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use crate::error::{During, Error};
use crate::forebay::Launch;
use crate::http;
use crate::load::Load;
use crate::metrics::{Histogram, Metrics};
use crate::report::{Report, Spread, Totals};
use crate::settings::Settings;
use crate::work_dir::WorkDir;

/// Rows of a request.
const ROWS: u64 = 100;
const CLIENTS: usize = 8;
/// As much as a segment, so that the file is written ahead like one.
const RAW_BYTES: u64 = 64 << 20;
const FSYNC: &str = "forebay_wal_fsync_seconds";

/// How long.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Seconds of each
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Fsync {
    /// The log's fdatasync, from its histogram.
    pub log: Spread,
    /// The raw loop.
    pub raw: Spread,
    /// Bytes of each raw write: as many as a group of the log had on average.
    pub raw_write_bytes: u64,
    /// Requests that one fdatasync covered, on average.
    pub group_requests: f64,
    /// Rows that were acknowledged, a second.
    pub rows_per_second: f64,
    /// How long acknowledgements took.
    pub acks: Spread,
    /// What clients did and saw.
    #[serde(flatten)]
    pub totals: Totals,
}

impl Report for Fsync {
    const SCENARIO: &'static str = "fsync";

    fn totals(&self) -> &Totals {
        &self.totals
    }
}

/// Runs both.
///
/// # Errors
///
/// [`Error`] if they could not be run; what was found is in the report.
pub fn run(settings: &Settings, options: &Options) -> Result<Fsync, Error> {
    let mut dir = WorkDir::within(&settings.work_dir)?;
    let time = Duration::from_secs(options.seconds);
    let (mut server, url) = Launch::new(&settings.binary()?, &dir.data(), &[]).start_ready()?;
    let (load, client) = (Load::new(ROWS), http::client()?);
    let before = Metrics::of(&client, &url)?;
    load.closed(&url, CLIENTS, || thread::sleep(time))?;
    let after = Metrics::of(&client, &url)?;
    let syncs = after.histogram(FSYNC).since(&before.histogram(FSYNC));
    let appended = "forebay_wal_appended_bytes_total";
    let bytes = (after.sum(appended) - before.sum(appended)) / syncs.count().max(1.0);
    let mut fsync = Fsync {
        log: spread(&syncs),
        raw_write_bytes: (bytes as u64).max(1),
        group_requests: after.histogram("forebay_wal_group_frames").mean(),
        rows_per_second: load.rows_acked() as f64 / time.as_secs_f64(),
        acks: load.take_ack_times(),
        ..Fsync::default()
    };
    fsync.totals = load.judge(&client, &url)?;
    // The raw loop has the disk for itself.
    server.kill()?;
    fsync.raw = raw(&dir.path().join("raw"), fsync.raw_write_bytes, time)?;
    if !fsync.totals.is_clean() {
        dir.keep();
    }
    Ok(fsync)
}

/// What a histogram tells of the spread of its values, which are seconds.
fn spread(histogram: &Histogram) -> Spread {
    let millis = |part| histogram.quantile(part) * 1e3;
    Spread {
        count: histogram.count() as usize,
        p50_ms: millis(0.5),
        p99_ms: millis(0.99),
        p999_ms: millis(0.999),
        max_ms: millis(1.0),
    }
}

/// Writes and syncs in a loop, in a file that was written ahead like a segment.
fn raw(path: &Path, bytes: u64, time: Duration) -> Result<Spread, Error> {
    let what = || "write the raw file".to_owned();
    let mut file = File::create(path).during(what())?;
    file.write_all(&vec![0; RAW_BYTES as usize]).during(what())?;
    file.sync_all().during(what())?;
    let write = vec![0x5a; bytes as usize];
    let (mut times, begun, mut at) = (Vec::new(), Instant::now(), 0);
    while begun.elapsed() < time {
        if at + bytes > RAW_BYTES {
            at = 0;
        }
        file.seek(SeekFrom::Start(at)).during(what())?;
        file.write_all(&write).during(what())?;
        let written = Instant::now();
        file.sync_data().during(what())?;
        times.push(written.elapsed());
        at += bytes;
    }
    Ok(Spread::of(times))
}
