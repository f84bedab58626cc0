//! Names that survive a power cut: a name is durable only when its directory is synced.

use std::io;
use std::path::Path;

use types::effect::Disk;

/// Creates `dir` and what is missing above it, so that a file which is synced in `dir` cannot lose
/// the way to it. Each directory's name is durable before the next one is created in it: so a crash
/// can leave only the lowest one that exists with a name that is not.
///
/// # Errors
///
/// What the system says.
pub fn create_dir_all(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    let mut at = dir;
    while let Err(error) = disk.list(at) {
        if error.kind() != io::ErrorKind::NotFound {
            return Err(error);
        }
        missing.push(at);
        match parent(at) {
            Some(up) => at = up,
            None => break,
        }
    }
    // A crash may have come between its creation and this sync. Where it is not ours to sync, it is
    // not ours to create either.
    match sync_name(disk, at) {
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput
            ) =>
        {
            return Err(error);
        }
        _ => {}
    }
    for dir in missing.iter().rev() {
        match disk.create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => sync_name(disk, dir)?,
        }
    }
    Ok(())
}

/// Makes the name of `dir` durable, which is its parent's.
fn sync_name(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    parent(dir).map_or(Ok(()), |up| disk.sync_dir(up))
}

/// Renames within one directory and syncs it.
///
/// # Errors
///
/// What the system says.
pub fn rename(disk: &dyn Disk, from: &Path, to: &Path) -> io::Result<()> {
    disk.rename(from, to)?;
    match parent(to) {
        Some(dir) => disk.sync_dir(dir),
        None => Ok(()),
    }
}

/// The directory above; `.` for a relative path of one part.
fn parent(path: &Path) -> Option<&Path> {
    match path.parent() {
        Some(up) if up.as_os_str().is_empty() && path != Path::new(".") => Some(Path::new(".")),
        other => other.filter(|up| !up.as_os_str().is_empty()),
    }
}
