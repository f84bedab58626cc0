//! Syncs that are one system call each.
//!
//! The standard library repeats a sync that was interrupted. It may have dropped pages like any other
//! that failed, and then the next one would succeed over bytes that never reached the disk.

use std::fs::File;
use std::io;

/// Makes the bytes of `file` durable.
#[cfg(target_os = "linux")]
pub(super) fn data(file: &File) -> io::Result<()> {
    rustix::fs::fdatasync(file).map_err(io::Error::from)
}

/// Makes `file`, which may be a directory, durable with all that the system knows of it.
#[cfg(target_os = "linux")]
pub(super) fn all(file: &File) -> io::Result<()> {
    rustix::fs::fsync(file).map_err(io::Error::from)
}

/// Makes the bytes of `file` durable. What that takes is the standard library's to know.
#[cfg(not(target_os = "linux"))]
pub(super) fn data(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// Makes `file`, which may be a directory, durable.
#[cfg(not(target_os = "linux"))]
pub(super) fn all(file: &File) -> io::Result<()> {
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_directories_are_synced_and_what_cannot_be_says_so() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("file");
        let file = File::create(&path).expect("create");
        data(&file).expect("a file");
        all(&File::open(dir.path()).expect("open")).expect("a directory");
        // A pipe has nothing that could be made durable.
        let (_reader, writer) = io::pipe().expect("a pipe");
        let pipe = File::from(std::os::fd::OwnedFd::from(writer));
        assert_eq!(data(&pipe).expect_err("a pipe").kind(), io::ErrorKind::InvalidInput);
        assert!(all(&pipe).is_err());
    }
}
