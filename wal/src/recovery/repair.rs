//! Makes what was found durable, so that a second crash finds whole segments only.

use std::io;
use std::path::Path;

use types::effect::{Access, Disk};
use types::fault::{self, Bug};

use super::rewrite::{End, keep_torn, rewrite};
use crate::classify::Classified;
use crate::deps::Deps;
use crate::disk::Operation;
use crate::error::Error;
use crate::format::SEGMENT_HEADER_LEN;
use crate::segment::{SegmentName, SegmentSummary};

/// Syncs the older segments, rewrites the newest, keeps what was torn, takes segments without frames
/// out of the way, syncs the directory. What is left in `classified` are the segments with frames;
/// the names of the others are added to `unused`.
///
/// Files without frames are removed only when the next segment has its name: theirs keep it from
/// using a number twice. They come last here: until the newest segment is whole and durable, a
/// begun one behind it is what tells its loss from a torn tail.
pub(super) fn make_durable(
    deps: &Deps,
    dir: &Path,
    classified: &mut Classified,
    unused: &mut Vec<SegmentName>,
) -> Result<(), Error> {
    let disk = deps.disk.as_ref();
    let (mut used, frameless): (Vec<_>, Vec<_>) = classified
        .segments
        .drain(..)
        .partition(|segment| segment.bytes > SEGMENT_HEADER_LEN as u64);
    if let Some((newest, older)) = used.split_last_mut() {
        // The seal in the rewritten segment vouches for these, so they are synced first.
        for segment in older {
            sync(disk, &dir.join(segment.name().to_string()))?;
        }
        if let Some(link) = classified.link {
            let end =
                End { link, sealed: classified.sealed, is_begun_behind: !frameless.is_empty() };
            classified.link = Some(rewrite(disk, dir, newest, end)?);
        }
    }
    for segment in &frameless {
        take_away(disk, dir, segment)?;
    }
    if !fault::is_planted(Bug::NoDirectoryFsync) {
        disk.sync_dir(dir).map_err(Error::io(Operation::SyncDir, dir))?;
    }
    classified.segments = used;
    unused.extend(frameless.iter().map(SegmentSummary::name));
    for name in &*unused {
        empty(disk, &dir.join(name.unused()))?;
    }
    Ok(())
}

/// What a kill left in the page cache is not durable yet.
fn sync(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    let file = disk.open(path, Access::ReadWrite).map_err(Error::io(Operation::Open, path))?;
    file.sync_data().map_err(Error::io(Operation::Sync, path))
}

/// Gives a segment that never came to hold a frame a name that is not read, and keeps what a crash
/// left in it.
fn take_away(disk: &dyn Disk, dir: &Path, segment: &SegmentSummary) -> Result<(), Error> {
    let name = segment.name();
    let path = dir.join(name.to_string());
    if let Some(torn) = segment.torn {
        let file = disk.open(&path, Access::Read).map_err(Error::io(Operation::Open, &path))?;
        keep_torn(disk, dir, name, &file, torn)?;
    }
    disk.rename(&path, &dir.join(name.unused())).map_err(Error::io(Operation::Rename, &path))
}

/// Gives the blocks of a file that was never used back, which a full disk may need for the next
/// segment. Whether that is durable does not matter.
fn empty(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    let file = disk.open(path, Access::ReadWrite).map_err(Error::io(Operation::Open, path))?;
    file.set_len(0).map_err(Error::io(Operation::Truncate, path))
}

/// Removes a file; true if there is none then. Nothing that was promised hangs on a removal, and on
/// a full disk it may fail for want of room: so it keeps no log from starting.
pub(super) fn is_removed(disk: &dyn Disk, path: &Path) -> bool {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "cannot remove what is in the way, doing without");
            false
        }
        _ => true,
    }
}
