//! What befalls a node from outside while it lives: its clock, its disk, its store.

use std::sync::Arc;
use std::time::Duration;

use types::effect::Clock;
use wal::disk::ModelDisk;

use crate::chance::Chance;
use crate::clock::SimClock;
use crate::plan::Faults;
use crate::store::SimStore;
use crate::trace::Trace;

/// An hour, and ten years.
const JUMPS_NS: [i64; 4] =
    [3_600_000_000_000, -3_600_000_000_000, 315_576_000_000_000_000, -315_576_000_000_000_000];

/// Jumps at most so far from where it began, so that times stay times.
const FAR_NS: i64 = 631_152_000_000_000_000;

/// The weather of one life. What it has in store for the disk and the store counts as a fault when a
/// call meets it, and not here.
#[derive(Debug)]
pub(crate) struct Weather {
    pub(crate) chance: Chance,
    pub(crate) faults: Faults,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) disk: ModelDisk,
    pub(crate) store: SimStore,
    pub(crate) trace: Trace,
}

impl Weather {
    /// Changes now and then, to the end of the life.
    pub(crate) async fn run(self) {
        loop {
            tokio::time::sleep(self.chance.millis(50, 900)).await;
            match self.chance.below(6) {
                0 if self.faults.clock_jumps => self.jump(),
                1 if self.faults.full_disk => self.full_disk().await,
                2 if self.faults.full_disk && self.chance.one_in(4) => self.full_sync(),
                3 if self.faults.store_outages => self.outage().await,
                4 if self.faults.eio && self.chance.one_in(2) => self.eio(),
                5 => {
                    self.store.deliver_late().await;
                }
                _ => {}
            }
        }
    }

    fn jump(&self) {
        let by = self.chance.pick(&JUMPS_NS);
        let from_begin = self.clock.now_ns() - crate::plan::FIRST_DAY_NS;
        if (from_begin + by).abs() < FAR_NS {
            self.trace.fault("clock: jump", format_args!("by {by} ns"));
            self.clock.jump(by);
        }
    }

    /// Somebody else fills the disk, and makes room again.
    async fn full_disk(&self) {
        let left = self.chance.below(6_000);
        self.trace.event(format_args!("disk: {left} bytes are left"));
        self.disk.set_capacity(Some(self.disk.used() + left));
        tokio::time::sleep(self.chance.millis(20, 2_500)).await;
        self.trace.event(format_args!("disk: there is room again"));
        self.disk.set_capacity(None);
    }

    /// A sync that finds no room.
    fn full_sync(&self) {
        let (sync, count) = (self.chance.within(1, 8), self.chance.within(1, 2));
        self.trace.event(format_args!("disk: full {count} times from sync {sync} on"));
        self.disk.fill_at_sync(sync, count);
    }

    fn eio(&self) {
        let sync = self.chance.within(1, 12);
        self.trace.event(format_args!("disk: EIO at sync {sync}"));
        self.disk.fail_sync(sync);
    }

    async fn outage(&self) {
        self.trace.event(format_args!("store: down for a while"));
        self.store.set_down(true);
        let time = if self.chance.one_in(3) { 4_000 } else { 600 };
        tokio::time::sleep(Duration::from_millis(self.chance.within(50, time))).await;
        self.trace.event(format_args!("store: up"));
        self.store.set_down(false);
    }
}
