//! Makes what was found durable, so that a second crash finds whole segments only.

use std::io;
use std::path::Path;

use types::effect::{Access, Disk};

use super::rewrite::{keep_torn, rewrite};
use crate::classify::Classified;
use crate::deps::Deps;
use crate::disk::Operation;
use crate::error::Error;
use crate::format::SEGMENT_HEADER_LEN;
use crate::segment::{SegmentName, SegmentSummary};

/// Syncs the older segments, rewrites the newest, keeps what was torn, syncs the directory. What is
/// left in `classified` are the segments with frames; returned are the names of those without.
///
/// Files without frames are removed only when the next segment has its name: their numbers keep it
/// from using one twice.
pub(super) fn make_durable(
    deps: &Deps,
    dir: &Path,
    classified: &mut Classified,
) -> Result<Vec<SegmentName>, Error> {
    let disk = deps.disk.as_ref();
    let (mut used, unused): (Vec<_>, Vec<_>) = classified
        .segments
        .drain(..)
        .partition(|segment| segment.bytes > SEGMENT_HEADER_LEN as u64);
    if let Some((newest, older)) = used.split_last_mut() {
        // The seal in the rewritten segment vouches for these, so they are synced first.
        for segment in older {
            sync(disk, &dir.join(segment.name().to_string()))?;
        }
        if let Some(link) = classified.link {
            classified.link = Some(rewrite(disk, dir, newest, link, classified.sealed)?);
            classified.sealed = true;
        }
    }
    for segment in &unused {
        keep_unused(disk, dir, segment)?;
    }
    disk.sync_dir(dir).map_err(Error::io(Operation::SyncDir, dir))?;
    classified.segments = used;
    Ok(unused.iter().map(SegmentSummary::name).collect())
}

/// What a kill left in the page cache is not durable yet.
fn sync(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    let file = disk.open(path, Access::ReadWrite).map_err(Error::io(Operation::Open, path))?;
    file.sync_data().map_err(Error::io(Operation::Sync, path))
}

/// Keeps what there is of a segment that never came to hold a frame.
fn keep_unused(disk: &dyn Disk, dir: &Path, segment: &SegmentSummary) -> Result<(), Error> {
    let Some(torn) = segment.torn else {
        return Ok(());
    };
    let path = dir.join(segment.name().to_string());
    let file = disk.open(&path, Access::Read).map_err(Error::io(Operation::Open, &path))?;
    keep_torn(disk, dir, segment.name(), &file, torn)
}

/// Removes a file; that it is gone already is as good.
pub(super) fn remove_if_there(disk: &dyn Disk, path: &Path) -> Result<(), Error> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(Operation::Remove, path)(error))
        }
        _ => Ok(()),
    }
}
