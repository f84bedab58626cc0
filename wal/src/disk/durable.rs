//! Names that survive a power cut: a name is durable only when its directory is synced.

use std::io;
use std::path::Path;

use types::effect::Disk;

/// Creates `dir` and what is missing above it, and syncs each parent, so that a file which is
/// synced in `dir` cannot lose the way to it.
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
    for dir in missing.iter().rev() {
        match disk.create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    // The parent of a directory that exists is synced too: a crash may have come between its
    // creation and this sync.
    let highest = missing.last().copied().unwrap_or(dir);
    for dir in dir.ancestors().take_while(|dir| dir.starts_with(highest)) {
        if let Some(up) = parent(dir) {
            disk.sync_dir(up)?;
        }
    }
    Ok(())
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
