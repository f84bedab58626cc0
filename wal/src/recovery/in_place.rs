//! Makes the newest segment whole and durable where it stands: for a disk that is full to the last
//! byte, and has neither a spare nor a ballast.
//!
//! Its bytes are written over themselves, which takes no room and dirties again what a failed fsync
//! left looking clean. What was durable stays as it is at each moment of this. What was not belongs
//! to the last group, which nobody was told of: if a crash takes it now, it is a torn tail, as it
//! was before. So nothing may vouch for it until it is synced: the seal comes last. Where a segment
//! was begun behind it there is none: a part of one would be damage, and no torn tail.

use std::path::Path;

use types::effect::{Access, Disk, DiskFile};

use super::rewrite::{Failed, Prefix, write};
use crate::disk::{Operation, ReadAt, write_all_at};
use crate::error::Error;
use crate::scan::Window;

/// Writes the prefix over itself and cuts off what is behind it, durably; then adds the tail, if
/// there is room for it. False if there is none: a segment may end without a seal.
pub(super) fn make_durable(
    disk: &dyn Disk,
    path: &Path,
    window: &mut Window<impl ReadAt>,
    source: &Prefix<'_>,
) -> Result<bool, Error> {
    let file = disk.open(path, Access::ReadWrite).map_err(Error::io(Operation::Open, path))?;
    let file = file.as_ref();
    let unsealed = Prefix { len: source.len, tail: &[] };
    write(file, window, &unsealed).map_err(|failed| failed.on(path))?;
    match add_tail(file, source) {
        Ok(()) => Ok(true),
        Err(failed) if failed.found_no_room() => {
            cut(file, source.len).map_err(|failed| failed.on(path))?;
            Ok(false)
        }
        Err(failed) => Err(failed.on(path)),
    }
}

fn add_tail(file: &dyn DiskFile, source: &Prefix<'_>) -> Result<(), Failed> {
    if source.tail.is_empty() {
        return Ok(());
    }
    write_all_at(file, source.tail, source.len).map_err(Failed::at(Operation::Write))?;
    file.sync_data().map_err(Failed::at(Operation::Sync))
}

/// Cuts off what there is of a tail that found no room, as a running log does.
fn cut(file: &dyn DiskFile, len: u64) -> Result<(), Failed> {
    file.set_len(len).map_err(Failed::at(Operation::Truncate))?;
    file.sync_data().map_err(Failed::at(Operation::Sync))
}
