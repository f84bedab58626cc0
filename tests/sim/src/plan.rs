//! What a seed decides: sizes, clients, faults, and how each life of the node ends.

use std::num::NonZeroUsize;
use std::time::Duration;

use wal::disk::Cut;

use crate::chance::Chance;

/// 2024-01-01T00:00:00Z, near which all rows lie.
pub(crate) const FIRST_DAY_NS: i64 = 1_704_067_200_000_000_000;
/// A day.
pub(crate) const DAY_NS: i64 = 86_400_000_000_000;

/// All that does not change between the lives of one seed.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) lives: u64,
    pub(crate) writers: u64,
    pub(crate) readers: u64,
    pub(crate) tables: u64,
    /// Days that rows lie on, and so partitions a table.
    pub(crate) days: u64,
    /// Points of time that a day has; few, so that points are overwritten.
    pub(crate) slots: u64,
    /// Rows of a request, at most.
    pub(crate) rows_max: u64,
    /// Requests of a writer in one life, at most.
    pub(crate) requests_max: u64,
    /// Milliseconds between two requests of a writer, at most.
    pub(crate) pause_max: u64,
    /// True if disk calls do less than asked now and then.
    pub(crate) partial_calls: bool,
    pub(crate) sizes: Sizes,
}

/// The configuration of a node.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    pub(crate) segment: u64,
    pub(crate) log_segments: u64,
    pub(crate) group: u64,
    pub(crate) compress_from: usize,
    pub(crate) ballast: u64,
    pub(crate) catalog_segment: u64,
    pub(crate) snapshot_after: u64,
    pub(crate) hot_partition: u64,
    pub(crate) partitions_max: usize,
    pub(crate) queue_depth: NonZeroUsize,
    pub(crate) workers: NonZeroUsize,
    pub(crate) row_group_rows: NonZeroUsize,
    pub(crate) attempts_before_quarantine: NonZeroUsize,
    pub(crate) max_age: Duration,
    pub(crate) rotation: Duration,
    pub(crate) idle_seal: Duration,
    pub(crate) admission_wait: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) memory: u64,
}

/// One life of the node.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) length: Duration,
    pub(crate) ending: Ending,
    /// The request beside which it crashes, counted from 1, if it lives so long.
    pub(crate) crash_beside: Option<u64>,
    /// What is left on the disk afterwards.
    pub(crate) cut: Cut,
    pub(crate) faults: Faults,
}

/// How a life ends, unless a fault ends it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Without a warning.
    Crash,
    /// Drained and closed.
    Shutdown,
}

/// What goes wrong meanwhile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// The call of the disk at which the process dies.
    pub(crate) dies_at_call: Option<u64>,
    /// One step of a thread in so many is followed by a pause.
    pub(crate) stalls_once_in: Option<u64>,
    pub(crate) store_once_in: Option<u64>,
    pub(crate) catalog_once_in: Option<u64>,
    /// One persist job in so many panics where it is sorted and encoded.
    pub(crate) job_panics_once_in: Option<u64>,
    /// True if the life ends while chunks are set aside, if any are.
    pub(crate) crash_at_set_aside: bool,
    /// True if a sync may fail with EIO, after which the process has to end itself.
    pub(crate) eio: bool,
    /// True if the disk may be full for a while.
    pub(crate) full_disk: bool,
    pub(crate) clock_jumps: bool,
    pub(crate) store_outages: bool,
}

impl Plan {
    /// `jobs` draws what has to do with persist jobs.
    pub(crate) fn draw(chance: &Chance, jobs: &Chance) -> Self {
        Self {
            lives: chance.within(2, 5),
            writers: chance.within(2, 5),
            readers: chance.within(1, 3),
            tables: chance.within(1, 3),
            days: chance.within(1, 6),
            slots: chance.pick(&[3, 12, 60]),
            rows_max: chance.pick(&[3, 10, 30]),
            requests_max: chance.pick(&[8, 25, 60]),
            pause_max: chance.pick(&[20, 100, 300]),
            partial_calls: chance.one_in(3),
            sizes: Sizes::draw(chance, jobs),
        }
    }
}

impl Sizes {
    fn draw(chance: &Chance, jobs: &Chance) -> Self {
        let count_of = |chance: &Chance, first, last| {
            let count = usize::try_from(chance.within(first, last)).unwrap_or(1);
            NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN)
        };
        let count = |first, last| count_of(chance, first, last);
        Self {
            segment: chance.pick(&[2 << 10, 4 << 10, 16 << 10, 64 << 10]),
            log_segments: chance.pick(&[8, 32, 256]),
            group: chance.pick(&[512, 4 << 10, 64 << 10]),
            compress_from: chance.pick(&[64, 1 << 10, 1 << 20]),
            ballast: chance.pick(&[0, 0, 4 << 10]),
            catalog_segment: chance.pick(&[8 << 10, 64 << 10]),
            snapshot_after: chance.pick(&[4 << 10, 32 << 10, 1 << 20]),
            hot_partition: chance.pick(&[1 << 10, 4 << 10, 32 << 10, 1 << 20]),
            partitions_max: chance.pick(&[6, 1_000, 1_000]),
            queue_depth: count(1, 8),
            workers: count(1, 3),
            row_group_rows: count(2, 40),
            attempts_before_quarantine: count_of(jobs, 1, 3),
            max_age: chance.pick(&[50, 300, 1_000, 5_000].map(Duration::from_millis)),
            rotation: chance.pick(&[100, 500, 3_000].map(Duration::from_millis)),
            idle_seal: chance.pick(&[50, 1_000].map(Duration::from_millis)),
            admission_wait: chance.pick(&[100, 2_000].map(Duration::from_millis)),
            attempt_timeout: chance.pick(&[1_000, 3_000, 20_000].map(Duration::from_millis)),
            memory: chance.pick(&[16 << 20, 64 << 20, 256 << 20]),
        }
    }
}

impl Life {
    /// `jobs` draws what befalls persist jobs.
    pub(crate) fn draw(chance: &Chance, jobs: &Chance) -> Self {
        let mut faults = Faults::draw(chance);
        let ending = if chance.one_in(5) { Ending::Shutdown } else { Ending::Crash };
        let cuts = [
            Cut::Kill,
            Cut::Kill,
            Cut::PowerInOrder,
            Cut::PowerAnyOrder,
            Cut::PowerAnyOrder,
            Cut::PowerAnyOrder,
        ];
        let length = chance.millis(300, chance.pick(&[1_500, 5_000]));
        let cut = chance.pick(&cuts);
        // At any other time there is mostly nobody on the way.
        let beside = ending == Ending::Crash && chance.one_in(3);
        let crash_beside = beside.then(|| chance.within(1, 30));
        faults.draw_jobs(jobs, ending);
        Self { length, ending, crash_beside, cut, faults }
    }
}

impl Faults {
    fn draw(chance: &Chance) -> Self {
        let some = |odds: u64, choices: &[u64]| chance.one_in(odds).then(|| chance.pick(choices));
        Self {
            // A start takes some dozens of calls, so that some die in it.
            dies_at_call: chance
                .one_in(3)
                .then(|| chance.within(1, chance.pick(&[60, 400, 3_000]))),
            stalls_once_in: some(2, &[60, 300, 1_500]),
            store_once_in: some(2, &[4, 12, 40]),
            catalog_once_in: some(2, &[3, 8, 25]),
            eio: chance.one_in(6),
            full_disk: chance.one_in(5),
            clock_jumps: chance.one_in(2),
            store_outages: chance.one_in(5),
            ..Self::default()
        }
    }

    fn draw_jobs(&mut self, jobs: &Chance, ending: Ending) {
        self.job_panics_once_in = jobs.one_in(3).then(|| jobs.pick(&[2, 5, 12]));
        self.crash_at_set_aside = jobs.one_in(2) && ending == Ending::Crash;
    }
}
