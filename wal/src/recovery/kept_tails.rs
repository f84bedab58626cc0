//! Bounds the files with torn bytes that recoveries keep: who crashes again and again must not fill
//! the disk with what nobody was promised.

use std::collections::BTreeSet;
use std::path::Path;

use types::effect::Disk;

use super::repair::is_removed;
use crate::segment::{KeptTail, SegmentName, SegmentSummary};

/// So many are kept, the newest. Each is what one crash left, a group at most as a rule; whoever
/// wants to know why a machine crashes has the last of them.
pub(super) const KEPT_TAILS_MAX: usize = 8;

/// Removes the oldest of the `kept` files, so that with those that `segments` will leave there are
/// no more than may be. It comes before these are written: a full disk may need the room for them.
///
/// A file that cannot be removed keeps no log from starting. Whether the removal is durable does not
/// matter: the next recovery makes it again.
pub(super) fn remove_oldest(
    disk: &dyn Disk,
    dir: &Path,
    kept: &[KeptTail],
    segments: &[SegmentSummary],
) {
    let torn = segments.iter().filter(|segment| segment.torn.is_some()).map(SegmentSummary::name);
    let names: BTreeSet<SegmentName> = kept.iter().map(|kept| kept.segment).chain(torn).collect();
    let surplus = names.len().saturating_sub(KEPT_TAILS_MAX);
    for name in names.into_iter().take(surplus) {
        let file = name.torn();
        if is_removed(disk, &dir.join(&file)) {
            tracing::info!(%file, "removed an old torn tail, newer ones are kept");
        }
    }
}
