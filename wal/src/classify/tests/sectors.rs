//! T3: a power cut takes sectors of the last group: every suffix, every prefix, random subsets.

use types::Lsn;
use types::effect::{Randomness, SeededRandomness};

use super::damage::{Outcomes, Segments, read};
use crate::config::Config;
use crate::harness::{Machine, evidence, small};

const SECTOR: usize = 512;
const SUBSETS: u64 = 3000;

/// The log before and after its last group, which has nine frames in many sectors.
fn before_and_after() -> (Segments, Segments) {
    let config = Config { segment_size: 16 << 10, group_bytes_max: 8 << 10, ..small() };
    let machine = Machine { config, ..Machine::new(3) };
    let mut log = machine.start_alone();
    for id in 0..6 {
        log.append(id, 300);
    }
    let before = machine.segments();
    for id in 6..15 {
        log.queue(id, 8 + id as usize * 50, 2).expect("there is room");
    }
    log.settle();
    assert_eq!(log.recorder.told.lock().groups.last().map(|group| group.1), Some(9));
    (before, machine.segments())
}

/// Reads the log with those sectors as they were before the group that `lost` names.
fn check(
    before: &Segments,
    after: &Segments,
    lost: impl Fn(usize) -> bool,
    outcomes: &mut Outcomes,
) {
    let mut cut = after.clone();
    let (old, new) = (&before[0].1, &mut cut[0].1);
    for sector in (0..new.len() / SECTOR).filter(|sector| lost(*sector)) {
        let range = sector * SECTOR..(sector + 1) * SECTOR;
        new[range.clone()].copy_from_slice(&old[range]);
    }
    let kept = read(before, Lsn::ZERO).expect("whole");
    let all = read(after, Lsn::ZERO).expect("whole");
    let seen = read(&cut, Lsn::ZERO);
    let seen = seen.as_deref();
    assert!(
        seen.is_some_and(|seen| seen.starts_with(&kept)),
        "a torn group cost an older one: {seen:?}"
    );
    outcomes.count(&all, seen);
}

#[test]
fn b1_z3_a_torn_group_ends_the_log_and_costs_nothing_else() {
    let (before, after) = before_and_after();
    let sectors = after[0].1.len() / SECTOR;
    let mut outcomes = Outcomes::default();
    for edge in 0..=sectors {
        check(&before, &after, |sector| sector >= edge, &mut outcomes);
        check(&before, &after, |sector| sector < edge, &mut outcomes);
        check(&before, &after, |sector| sector == edge, &mut outcomes);
    }
    let randomness = SeededRandomness::new(11);
    for _ in 0..SUBSETS {
        let mask = randomness.next_u64();
        check(&before, &after, |sector| mask >> (sector % 64) & 1 == 0, &mut outcomes);
    }
    // Here "undecidable" is what is wanted: a prefix, with nothing refused.
    assert_eq!((outcomes.wrong, outcomes.refused), (0, 0), "{outcomes:?}");
    assert!(outcomes.undecidable > SUBSETS / 2);
    let Outcomes { whole, refused, undecidable: torn, wrong } = outcomes;
    let counts = [("whole", whole), ("refused", refused), ("torn", torn), ("wrong", wrong)];
    evidence::tell("sectors", &counts);
}
