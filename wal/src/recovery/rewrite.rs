//! Writes the good prefix of a segment anew, sealed, and puts it in the segment's place; where there
//! is no room for a second copy of it, it is made durable where it stands.

use std::io;
use std::path::Path;

use types::effect::{Access, Disk, DiskFile};
use types::fault::{self, Bug, Point};

use super::in_place;
use super::repair::is_removed;
use crate::classify::Why;
use crate::disk::{Operation, ReadAt, Response, respond, write_all_at};
use crate::error::Error;
use crate::format::{FrameHeader, Link};
use crate::log::{BALLAST_NAME, SPARE_NAME};
use crate::scan::{Start, Window, read_start};
use crate::segment::{SegmentName, SegmentSummary, Torn};

/// The new file, until it has the segment's name. Whatever a crash leaves in it is not looked at.
const REWRITE_NAME: &str = "rewrite.tmp";

/// Where the room for the new file comes from, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Disk,
    /// The spare that was written ahead of need has blocks already.
    Spare,
    Ballast,
}

/// How a segment ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// Its last whole frame.
    pub(super) link: Link,
    /// True if that is a seal.
    pub(super) sealed: bool,
    /// True if a later segment was begun, though it has no frames.
    pub(super) is_begun_behind: bool,
}

/// Rewrites `segment` up to its last whole frame, with a seal unless it ends with one. Brings the
/// summary up to date and returns the link of the last frame.
pub(super) fn rewrite(
    disk: &dyn Disk,
    dir: &Path,
    segment: &mut SegmentSummary,
    end: End,
) -> Result<Link, Error> {
    let link = end.link;
    let path = dir.join(segment.name().to_string());
    let old = disk.open(&path, Access::Read).map_err(Error::io(Operation::Open, &path))?;
    let mut window = Window::new(&old).map_err(Error::io(Operation::Read, &path))?;
    let mut tail = Vec::new();
    let sealed_link = if end.sealed { link } else { seal(&mut window, &path, link, &mut tail)? };
    let source = Prefix { len: segment.bytes, tail: &tail };
    let new = write_somewhere(disk, dir, &mut window, &source)?;
    if let Some(torn) = segment.torn {
        keep_torn(disk, dir, segment.name(), &old, torn)?;
    }
    let is_sealed = match new {
        Some(new) => {
            fault::reach(Point::RewriteBefore);
            let renamed = disk.rename(&dir.join(new), &path);
            renamed.map_err(Error::io(Operation::Rename, &path)).map(|()| true)?
        }
        // What a crash left of a seal would be damage in front of a segment that was begun.
        None if end.is_begun_behind => {
            let unsealed = Prefix { len: source.len, tail: &[] };
            in_place::make_durable(disk, &path, &mut window, &unsealed)?;
            false
        }
        None => in_place::make_durable(disk, &path, &mut window, &source)?,
    };
    if !fault::is_planted(Bug::NoDirectoryFsync) {
        disk.sync_dir(dir).map_err(Error::io(Operation::SyncDir, dir))?;
    }
    if !is_sealed {
        return Ok(link);
    }
    segment.bytes += tail.len() as u64;
    Ok(sealed_link)
}

/// Encodes the seal behind the last frame, in the segment's own epoch.
fn seal(
    window: &mut Window<impl ReadAt>,
    path: &Path,
    link: Link,
    out: &mut Vec<u8>,
) -> Result<Link, Error> {
    match read_start(window).map_err(Error::io(Operation::Read, path))? {
        Start::Header(header) => Ok(FrameHeader::seal(header.epoch, link).encode(header.salt, out)),
        // It was a header when the segment was walked.
        Start::Bad(_) | Start::Unused => {
            Err(Error::Corrupt { path: path.to_owned(), offset: 0, why: Why::SegmentHeader })
        }
    }
}

/// What the new file holds: so many bytes of the old one, then the tail.
pub(super) struct Prefix<'a> {
    pub(super) len: u64,
    pub(super) tail: &'a [u8],
}

/// Writes and syncs the new file wherever there is room for it; returns its name, or nothing if there
/// is no room anywhere.
fn write_somewhere(
    disk: &dyn Disk,
    dir: &Path,
    window: &mut Window<impl ReadAt>,
    source: &Prefix<'_>,
) -> Result<Option<&'static str>, Error> {
    for room in [Room::Disk, Room::Spare, Room::Ballast] {
        let name = if room == Room::Spare { SPARE_NAME } else { REWRITE_NAME };
        let path = dir.join(name);
        let Some(file) = make_room(disk, dir, room)? else {
            continue;
        };
        match write(file.as_ref(), window, source) {
            Ok(()) => return Ok(Some(name)),
            Err(failed) if failed.found_no_room() => {
                tracing::warn!(?room, "the disk is too full to make the newest segment whole here");
            }
            Err(failed) => return Err(failed.on(&path)),
        }
        // A spare keeps the blocks that it has, for the next segment.
        if room != Room::Spare {
            // One that stays is in the way of the ways behind, and then these are not open.
            let _ = is_removed(disk, &path);
        }
    }
    Ok(None)
}

/// An empty file, or one with blocks to write over; `None` if this way is not open.
fn make_room(disk: &dyn Disk, dir: &Path, room: Room) -> Result<Option<Box<dyn DiskFile>>, Error> {
    let path = dir.join(if room == Room::Spare { SPARE_NAME } else { REWRITE_NAME });
    let made = match room {
        Room::Spare => disk.open(&path, Access::ReadWrite),
        // Where what an attempt left cannot be removed, there is nothing to make.
        Room::Disk | Room::Ballast if !is_removed(disk, &path) => return Ok(None),
        Room::Ballast if !is_removed(disk, &dir.join(BALLAST_NAME)) => return Ok(None),
        Room::Disk => disk.create(&path),
        Room::Ballast => {
            disk.sync_dir(dir).map_err(Error::io(Operation::SyncDir, dir))?;
            disk.create(&path)
        }
    };
    match made {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // A directory without room for a name: the next way may have one.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(Error::io(Operation::Create, &path)(error)),
    }
}

/// A disk call that failed.
pub(super) struct Failed {
    operation: Operation,
    source: io::Error,
}

impl Failed {
    pub(super) const fn at(operation: Operation) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { operation, source }
    }

    pub(super) fn on(self, path: &Path) -> Error {
        Error::io(self.operation, path)(self.source)
    }

    pub(super) fn found_no_room(&self) -> bool {
        respond(self.operation, &self.source) == Response::DiskFull
    }
}

/// Writes and syncs a file that holds nothing but `source`.
pub(super) fn write(
    file: &dyn DiskFile,
    window: &mut Window<impl ReadAt>,
    source: &Prefix<'_>,
) -> Result<(), Failed> {
    let mut at = 0;
    while at < source.len {
        let left = usize::try_from(source.len - at).unwrap_or(usize::MAX);
        let chunk = window.bytes(at, left).map_err(Failed::at(Operation::Read))?;
        if chunk.is_empty() {
            let source = io::ErrorKind::UnexpectedEof.into();
            return Err(Failed { operation: Operation::Read, source });
        }
        write_all_at(file, chunk, at).map_err(Failed::at(Operation::Write))?;
        at += chunk.len() as u64;
    }
    write_all_at(file, source.tail, at).map_err(Failed::at(Operation::Write))?;
    // The spare is longer, and nothing of it may be taken for a frame.
    file.set_len(at + source.tail.len() as u64).map_err(Failed::at(Operation::Truncate))?;
    file.sync_data().map_err(Failed::at(Operation::Sync))
}

/// Keeps the bytes that are cut off, for whoever wants to know what a crash left. They were
/// promised to nobody, so a full disk may cost them.
pub(super) fn keep_torn(
    disk: &dyn Disk,
    dir: &Path,
    name: SegmentName,
    old: &dyn ReadAt,
    torn: Torn,
) -> Result<(), Error> {
    let path = dir.join(name.torn());
    tracing::warn!(segment = %name, at = torn.at, bytes = torn.bytes, "cut a torn tail off");
    if !is_removed(disk, &path) {
        // A recovery that was killed has left these bytes there, or some of them.
        return Ok(());
    }
    let kept = copy_torn(disk, &path, old, torn);
    match kept {
        Err(failed) if failed.found_no_room() => {
            tracing::warn!(segment = %name, "the disk is too full to keep the torn bytes");
            let _ = is_removed(disk, &path);
            Ok(())
        }
        Err(failed) => Err(failed.on(&path)),
        Ok(()) => Ok(()),
    }
}

fn copy_torn(disk: &dyn Disk, path: &Path, old: &dyn ReadAt, torn: Torn) -> Result<(), Failed> {
    let mut window = Window::new(old).map_err(Failed::at(Operation::Read))?;
    let file = disk.create(path).map_err(Failed::at(Operation::Create))?;
    let mut copied = 0;
    while copied < torn.bytes {
        let left = usize::try_from(torn.bytes - copied).unwrap_or(usize::MAX);
        let chunk = window.bytes(torn.at + copied, left).map_err(Failed::at(Operation::Read))?;
        if chunk.is_empty() {
            break;
        }
        write_all_at(file.as_ref(), chunk, copied).map_err(Failed::at(Operation::Write))?;
        copied += chunk.len() as u64;
    }
    file.sync_data().map_err(Failed::at(Operation::Sync))
}
