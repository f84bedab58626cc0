//! Each planted bug is found within two hundred seeds: a suite that never fails proves nothing.
//!
//! The switch is read once a process, so each of these needs one of its own, as `cargo nextest` gives
//! it.

use std::io::Write;

use types::fault::{self, Bug, Switch};

/// A bug that needs more seeds than that is not found by anybody.
const SEEDS_MAX: u64 = 200;

fn check(bug: Bug) {
    fault::set(Switch::Plant(bug)).expect("each test has a process of its own: use cargo nextest");
    for seed in 0..SEEDS_MAX {
        if let Some(violation) = sim::run(seed, false).violation {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{} is found at seed {seed}: {violation}", bug.name())
                .expect("it is told");
            return;
        }
    }
    panic!("{} is not found within {SEEDS_MAX} seeds", bug.name());
}

macro_rules! planted {
    ($($name:ident: $bug:ident,)+) => {
        $(#[test]
        fn $name() {
            check(Bug::$bug);
        })+

        /// The bugs that have a test here.
        const TESTED: &[Bug] = &[$(Bug::$bug),+];
    };
}

planted! {
    ack_before_fsync_is_found: AckBeforeFsync,
    publish_before_fsync_is_found: PublishBeforeFsync,
    publish_out_of_order_is_found: PublishOutOfOrder,
    no_directory_fsync_is_found: NoDirectoryFsync,
    drop_before_commit_is_found: DropBeforeCommit,
    drop_during_replay_is_found: DropDuringReplay,
    append_after_partial_write_is_found: AppendAfterPartialWrite,
    ignore_checksum_is_found: IgnoreChecksum,
    reuse_segment_id_is_found: ReuseSegmentId,
    order_by_wall_clock_is_found: OrderByWallClock,
    retry_not_idempotent_is_found: RetryNotIdempotent,
    no_epoch_check_is_found: NoEpochCheck,
    largest_lsn_is_found: LargestLsn,
    release_before_readers_is_found: ReleaseBeforeReaders,
    torn_middle_as_end_is_found: TornMiddleAsEnd,
}

#[test]
fn every_bug_has_a_test() {
    assert_eq!(TESTED, Bug::ALL);
}
