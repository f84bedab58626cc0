//! T1: every segment cut off at every length.

use types::Lsn;

use super::damage::{Outcomes, log, read};
use crate::classify::classify;
use crate::harness::images;
use crate::vouched::Vouched;

fn check(sealed: bool, vouched: Lsn) -> [Outcomes; 2] {
    let segments = log(sealed);
    let all = read(&segments, Lsn::ZERO).expect("the log is whole");
    let mut outcomes = [Outcomes::default(), Outcomes::default()];
    for at in 0..segments.len() {
        let newest = usize::from(at + 1 == segments.len());
        for len in 0..segments[at].1.len() {
            let mut cut = segments.clone();
            cut[at].1.truncate(len);
            outcomes[newest].count(&all, read(&cut, vouched).as_deref());
        }
    }
    assert_eq!(outcomes[1].wrong, 0, "{outcomes:?}");
    outcomes
}

#[test]
fn a_cut_in_an_older_segment_is_always_refused() {
    for (sealed, name) in [(true, "sealed"), (false, "unsealed")] {
        let [older, newest] = check(sealed, Lsn::ZERO);
        assert_eq!((older.whole, older.undecidable, older.wrong), (0, 0, 0));
        assert!(older.refused > 2000);
        older.tell(&format!("truncations-older-{name}"));
        newest.tell(&format!("truncations-newest-{name}"));
    }
}

#[test]
fn a_cut_that_takes_what_the_catalog_knows_is_refused() {
    let alone = Vouched::by_snapshot(Lsn::ZERO);
    let whole = classify(&images(&log(true)), Some(&alone), 1 << 16).expect("memory");
    let [older, vouched] = check(true, whole.last_lsn().expect("frames"));
    assert_eq!((older.whole, older.undecidable, older.wrong), (0, 0, 0));
    assert_eq!((vouched.undecidable, vouched.whole), (0, 96), "only the seal may go");
    vouched.tell("truncations-newest-vouched");
    let [_older, alone] = check(true, Lsn::ZERO);
    assert!(alone.undecidable > 500);
}
