//! A disk, a server on it, and who keeps it busy.

use crate::bench::{Bench, CREW};
use crate::error::Error;
use crate::loop_mount::Drive;
use crate::report::Totals;
use crate::settings::Settings;
use crate::workload::Workload;

use super::bulk::Bulk;
use super::wide::Wide;

/// The least that XFS takes is 300 MiB.
const IMAGE_BYTES: u64 = 320 << 20;
const KEYS: u64 = 8_000;

/// The place.
#[derive(Debug)]
pub(super) struct Place {
    // Before the disk, so that nobody uses it when it is unmounted.
    pub(super) bench: Bench,
    bulk: Option<Bulk>,
    wide: Wide,
    pub(super) drive: Drive,
}

impl Place {
    /// One on a new disk.
    pub(super) fn new(
        settings: &Settings,
        file_system: &str,
        is_slow: bool,
    ) -> Result<Self, Error> {
        let workload = Workload::new(KEYS);
        let make = if is_slow { Drive::slow } else { Drive::quick };
        let drive = make(&settings.image_dir, IMAGE_BYTES, file_system)?;
        let bench = Bench::new(settings, drive.path().join("data"), workload)?;
        let bulk = if is_slow { Some(Bulk::new()?) } else { None };
        Ok(Self { bench, bulk, wide: Wide::new()?, drive })
    }

    /// Judges everything that a server shows.
    pub(super) fn judge(&mut self, url: &str) -> Result<(), Error> {
        self.bench.judge(url)?;
        self.wide.judge(&self.bench.workload, url)?;
        match &mut self.bulk {
            Some(bulk) => bulk.judge(&self.bench.workload, url),
            None => Ok(()),
        }
    }

    /// Runs `work` while clients are busy, those with large requests only `with_bulk`.
    pub(super) fn during<T>(
        &self,
        url: &str,
        (seed, with_bulk): (u64, bool),
        work: impl FnOnce() -> T,
    ) -> Result<T, Error> {
        let others = || self.bench.workload.during(url, CREW, seed, work);
        match self.bulk.as_ref().filter(|_| with_bulk) {
            Some(bulk) => bulk.during(url, others)?,
            None => others(),
        }
    }

    /// Makes wide tables until the server is gone.
    pub(super) fn widen(&self, url: &str) {
        self.wide.write(&self.bench.workload, url);
    }

    /// All counts.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = self.bench.workload.totals();
        if let Some(bulk) = &self.bulk {
            totals.absorb(bulk.totals());
        }
        totals
    }
}
