//! The rules of the log, each in one place: asserted in production, and used by the tests.

use types::{Lsn, LsnRange};

/// At most one group is outstanding, so that a crash can tear at most one.
///
/// # Panics
///
/// If a group is begun before the one before is durable or undone.
pub(crate) fn assert_none_outstanding(outstanding: Option<Lsn>) {
    assert!(outstanding.is_none(), "a group was begun while another was outstanding");
}

/// The LSNs on disk have no gap: a group begins right behind what is durable.
///
/// # Panics
///
/// If it does not.
pub(crate) fn assert_follows(durable: Lsn, group_first: Lsn) {
    assert!(group_first == durable.next(), "a group does not begin behind the durable LSN");
}

/// Frames of a group have consecutive LSNs.
///
/// # Panics
///
/// If they do not.
pub(crate) fn assert_consecutive(before: Option<LsnRange>, range: LsnRange) {
    let follows = before.is_none_or(|before| before.last().next() == range.first());
    assert!(follows, "the LSNs of a group are not consecutive");
}

/// Segments are dropped oldest first, and only when they are sealed.
///
/// # Panics
///
/// If one that is dropped is not the oldest.
pub(crate) fn assert_oldest<S: Copy + PartialEq>(oldest: Option<S>, dropped: S) {
    assert!(oldest == Some(dropped), "a segment was dropped before an older one");
}
