//! What a write that never reached the disk leaves: zeros, from some place to the end of a segment.

use types::Lsn;

use super::damage::{Outcomes, Segments, begun_behind, log, read};
use crate::scan::{Start, Step, Window, read_start, read_step};

const SECTOR: usize = 512;

/// Where frames begin and end, and where sectors do.
fn places(bytes: &[u8]) -> Vec<usize> {
    let mut window = Window::new(bytes).expect("memory");
    let Start::Header(header) = read_start(&mut window).expect("memory") else {
        panic!("each segment has a header")
    };
    let mut places: Vec<_> = (0..bytes.len()).step_by(SECTOR).collect();
    let mut at = 64;
    while let Step::Frame(found) = read_step(&mut window, at, header.salt, 1 << 16).expect("memory")
    {
        places.push(usize::try_from(at).expect("it is small"));
        at = found.end();
    }
    places
}

/// Zeroes each segment from each place to its end; counts apart what that does to those with a begun
/// segment behind them, and to the last.
fn check(segments: &Segments, all: &[u64]) -> [Outcomes; 2] {
    let mut outcomes = [Outcomes::default(), Outcomes::default()];
    for at in 0..segments.len() {
        let last = usize::from(at + 1 == segments.len());
        for place in places(&segments[at].1) {
            let mut zeroed = segments.clone();
            zeroed[at].1[place..].fill(0);
            if zeroed != *segments {
                outcomes[last].count(all, read(&zeroed, Lsn::ZERO).as_deref());
            }
        }
    }
    outcomes
}

#[test]
fn zeros_in_front_of_a_begun_segment_are_always_refused() {
    for (sealed, name) in [(true, "sealed"), (false, "unsealed")] {
        let segments = log(sealed);
        let all = read(&segments, Lsn::ZERO).expect("the log is whole");
        let [front, last] = check(&segments, &all);
        assert_eq!((front.whole, front.undecidable, front.wrong), (0, 0, 0));
        assert!(front.refused > 10);
        // Here "undecidable" is what is wanted: a prefix, with nothing refused.
        assert_eq!((last.refused, last.wrong), (0, 0));
        assert!(last.undecidable > 5);
        front.tell(&format!("zeros-front-{name}"));
        last.tell(&format!("zeros-last-{name}"));
    }
}

#[test]
fn a_segment_without_frames_shows_that_those_before_it_had_an_end() {
    let mut segments = log(true);
    let all = read(&segments, Lsn::ZERO).expect("the log is whole");
    segments.push(begun_behind(&segments));
    assert_eq!(read(&segments, Lsn::ZERO).as_ref(), Some(&all), "a start leaves this");
    let [front, last] = check(&segments, &all);
    assert_eq!((front.whole, front.undecidable, front.wrong), (0, 0, 0));
    assert!(front.refused > 20);
    // Without its header too: it was promised to nobody.
    assert_eq!((last.refused, last.undecidable, last.wrong), (0, 0, 0));
    front.tell("zeros-front-begun");
    last.tell("zeros-last-begun");
}
