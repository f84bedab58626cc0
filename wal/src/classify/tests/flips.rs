//! T2: every single bit of a log, flipped.

use types::Lsn;

use super::damage::{Outcomes, Segments, log, read};

/// Flips each bit; `may_lose` says at which offsets of the newest segment a loss cannot be noticed.
fn check(name: &str, segments: &Segments, may_lose: impl Fn(u64) -> bool) -> Outcomes {
    let all = read(segments, Lsn::ZERO).expect("the log is whole");
    let mut outcomes = Outcomes::default();
    let mut flipped = segments.clone();
    for at in 0..segments.len() {
        for bit in 0..segments[at].1.len() * 8 {
            flipped[at].1[bit / 8] ^= 1 << (bit % 8);
            let before = outcomes.undecidable;
            outcomes.count(&all, read(&flipped, Lsn::ZERO).as_deref());
            let lost = outcomes.undecidable > before;
            let allowed = at + 1 == segments.len() && may_lose(bit as u64 / 8);
            assert!(!lost || allowed, "bit {bit} of segment {at} lost frames unnoticed");
            flipped[at].1[bit / 8] ^= 1 << (bit % 8);
        }
    }
    assert_eq!(outcomes.wrong, 0, "{outcomes:?}");
    outcomes.tell(name);
    outcomes
}

#[test]
fn no_flip_in_a_sealed_log_goes_unnoticed() {
    let outcomes = check("flips-sealed", &log(true), |_| false);
    assert_eq!(outcomes.undecidable, 0);
    // A flip in the last seal takes nothing away.
    assert_eq!(outcomes.whole, 96 * 8);
}

#[test]
fn without_a_seal_only_flips_in_the_last_group_are_taken_for_a_crash() {
    let segments = log(false);
    let last_group = last_group_at(&segments);
    let outcomes = check("flips-unsealed", &segments, |offset| offset >= last_group);
    assert!(outcomes.undecidable > 0);
}

/// Where the last group begins in the newest segment.
fn last_group_at(segments: &Segments) -> u64 {
    use crate::scan::{Start, Step, Window, read_start, read_step};
    let newest = &segments.last().expect("three segments").1;
    let mut window = Window::new(newest).expect("memory");
    let Start::Header(header) = read_start(&mut window).expect("memory") else {
        panic!("the newest segment has a header")
    };
    let (mut at, mut last) = (64, 64);
    while let Step::Frame(found) = read_step(&mut window, at, header.salt, 1 << 16).expect("memory")
    {
        if found.header.first_lsn == found.header.group_first_lsn {
            last = at;
        }
        at = found.end();
    }
    last
}
