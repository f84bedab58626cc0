//! Drives a log through operations and crashes, and knows what must be there afterwards.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use types::effect::{Randomness, SeededRandomness};
use types::{Epoch, LogId, Lsn, LsnRange};

use crate::disk::Cut;
use crate::harness::{Machine, Stepped, frames_of, segments_of};
use crate::vouched::Vouched;

/// What can be done to a log.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    /// Queue a frame of so many bytes.
    Queue {
        len: usize,
        batches: u32,
    },
    /// Let the log's thread work.
    Settle,
    Rotate,
    /// Drop the oldest sealed segment.
    DropOldest,
    /// Let time pass.
    Wait(Duration),
    /// Let a sync from now on fail.
    FailSync(u64),
    /// Let a sync from now on find no room.
    FillAtSync(u64),
    /// Leave room for so many bytes more on the disk, or for all there may be.
    Limit(Option<u64>),
    /// Kill the process at a disk call from now on.
    DieAt(u64),
    /// Crash and open again.
    Cut(Cut),
}

/// What was seen, counted for the report.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) acked: u64,
    pub(super) crashes: u64,
    /// Processes that ended by themselves.
    pub(super) deaths: u64,
    /// Frames that nobody was told of and that were there all the same.
    pub(super) unknown_kept: u64,
    pub(super) unknown_lost: u64,
    /// Frames that were refused for want of room.
    pub(super) refused: u64,
}

/// A log under test and the model of it: two lists.
#[derive(Debug)]
pub(super) struct Oracle {
    machine: Machine,
    log: Option<Stepped>,
    chance: SeededRandomness,
    /// Durable frames that are not dropped, in LSN order.
    acked: Vec<(LsnRange, u64)>,
    /// Ids that were queued and are not acked.
    unknown: Vec<u64>,
    /// Frames already taken over from the observer.
    heard: usize,
    heard_refused: usize,
    next_id: u64,
    registered: Epoch,
    log_id: Option<LogId>,
    vouched_lsn: Lsn,
    pub(super) counts: Counts,
}

impl Oracle {
    pub(super) fn new(seed: u64) -> Self {
        let machine = Machine::new(seed);
        machine.disk.set_partial_calls(seed.is_multiple_of(2));
        Self::on(machine)
    }

    pub(super) fn on(machine: Machine) -> Self {
        let mut oracle = Self {
            chance: SeededRandomness::new(machine.seed ^ 0x5eed),
            machine,
            log: None,
            acked: Vec::new(),
            unknown: Vec::new(),
            heard: 0,
            heard_refused: 0,
            next_id: 1,
            registered: Epoch::ZERO,
            log_id: None,
            vouched_lsn: Lsn::ZERO,
            counts: Counts::default(),
        };
        oracle.open();
        oracle
    }

    pub(super) fn apply(&mut self, op: Op) {
        match op {
            Op::FailSync(sync) => self.machine.disk.fail_sync(sync),
            Op::FillAtSync(sync) => self.machine.disk.fill_at_sync(sync, 1),
            Op::Limit(bytes) => {
                let disk = &self.machine.disk;
                disk.set_capacity(bytes.map(|bytes| disk.used() + bytes));
            }
            Op::DieAt(call) => self.machine.disk.die_at_call(call),
            Op::Wait(time) => self.machine.clock.advance(time),
            Op::Cut(cut) => self.cut(cut),
            _ => self.work(op),
        }
        self.hear();
    }

    /// Does `op` in the log; a process that ends there is followed by a crash.
    fn work(&mut self, op: Op) {
        let Some(mut log) = self.log.take() else { return };
        let next_id = self.next_id;
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            match op {
                Op::Queue { len, batches } => drop(log.queue(next_id, len, batches)),
                Op::Settle => log.settle(),
                Op::Rotate => drop(log.rotate()),
                Op::DropOldest => return drop_oldest(&log),
                _ => {}
            }
            None
        }));
        if matches!(op, Op::Queue { .. }) {
            self.unknown.push(next_id);
            self.next_id += 1;
        }
        self.log = Some(log);
        self.hear();
        match outcome {
            Ok(dropped) => self.forget(dropped),
            Err(_) => {
                self.counts.deaths += 1;
                // A removal that was not finished may or may not have happened.
                self.vouch_for_oldest();
                let cut = [Cut::Kill, Cut::PowerInOrder, Cut::PowerAnyOrder];
                self.cut(cut[(self.chance.next_u64() % 3) as usize]);
            }
        }
    }

    /// Takes over what the observer heard since.
    fn hear(&mut self) {
        let Some(log) = &self.log else { return };
        let told = log.recorder.told.lock();
        for (lsns, id) in &told.committed[self.heard..] {
            let before = self.acked.last().map_or(self.vouched_lsn, |(before, _)| before.last());
            assert_eq!(lsns.first(), before.next(), "LSNs have no gap");
            self.acked.push((*lsns, *id));
            self.unknown.retain(|unknown| unknown != id);
            self.counts.acked += 1;
        }
        self.heard = told.committed.len();
        // What was refused is not there, now or later.
        for id in &told.refused[self.heard_refused..] {
            self.unknown.retain(|unknown| unknown != id);
            self.counts.refused += 1;
        }
        self.heard_refused = told.refused.len();
    }

    /// The catalog holds what is dropped, so it vouches for it.
    fn forget(&mut self, dropped: Option<Lsn>) {
        if let Some(lsn) = dropped {
            self.vouched_lsn = self.vouched_lsn.max(lsn);
            self.acked.retain(|(lsns, _)| lsns.first() > lsn);
        }
    }

    fn vouch_for_oldest(&mut self) {
        let sealed = self.log.as_ref().map(|log| log.running.state().sealed).unwrap_or_default();
        let oldest = sealed.iter().find_map(|segment| segment.lsns);
        self.vouched_lsn =
            oldest.map_or(self.vouched_lsn, |lsns| lsns.last().max(self.vouched_lsn));
    }

    fn cut(&mut self, cut: Cut) {
        self.counts.crashes += 1;
        self.log = None;
        self.machine.disk = self.machine.disk.after(cut, &self.chance);
        self.open();
    }

    /// Opens the log as the next process, and checks what it finds.
    fn open(&mut self) {
        let vouched = Vouched { log: self.log_id, epoch: self.registered, lsn: self.vouched_lsn };
        self.machine.seed = self.chance.next_u64();
        let seen = self.log_id.map(|_| segments_of(&self.machine.disk));
        let seen = seen.into_iter().flatten().map(|(name, _)| name.seq).max();
        let recovery = self.machine.recover(vouched).expect("a crash is never corruption");
        self.check(&frames_of(&recovery));
        self.registered = self.registered.next();
        let log = Stepped::start(recovery, self.registered).expect("the log starts");
        let seq = log.running.state().open.expect("an open segment").seq;
        assert!(Some(seq) > seen, "the number of a segment that is there is not used again");
        self.log_id = Some(log.log);
        self.log = Some(log);
        self.heard = 0;
        self.heard_refused = 0;
    }

    /// All acked, then some of the unknown, each once, whole, in order.
    fn check(&mut self, found: &[(LsnRange, u64)]) {
        // What was being dropped when the process ended may be gone.
        let first = found.first().map_or(Lsn::ZERO, |(lsns, _)| lsns.first());
        let vouched = self.vouched_lsn;
        self.acked.retain(|(lsns, _)| {
            lsns.first() > vouched || lsns.first() >= first && first > Lsn::ZERO
        });
        let (kept, more) = found.split_at(self.acked.len().min(found.len()));
        assert_eq!(kept, self.acked, "acked frames are there");
        let mut next = kept.last().map(|(lsns, _)| lsns.last().next());
        let mut last_id = 0;
        for (lsns, id) in more {
            assert!(self.unknown.contains(id), "append {id} was made");
            assert!(*id > last_id, "appends keep their order");
            assert!(next.is_none_or(|next| next == lsns.first()), "LSNs have no gap");
            (next, last_id) = (Some(lsns.last().next()), *id);
        }
        self.counts.unknown_kept += more.len() as u64;
        self.counts.unknown_lost += (self.unknown.len() - more.len()) as u64;
        // They are durable from now on.
        self.acked = found.to_vec();
        self.unknown.clear();
    }
}

/// Drops the oldest sealed segment; returns the last LSN that went with it.
fn drop_oldest(log: &Stepped) -> Option<Lsn> {
    let oldest = *log.running.state().sealed.first()?;
    match log.running.drop_through(oldest.seq) {
        Ok(()) => oldest.lsns.map(LsnRange::last),
        // The disk is dead; a crash follows.
        Err(error) => std::panic::resume_unwind(Box::new(error.to_string())),
    }
}
