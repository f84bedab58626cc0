//! What a failed disk call means for the log: one function, one table.

use std::fmt;
use std::io;

/// The system has no descriptor left.
const ENFILE: i32 = 23;
/// The process has no descriptor left.
const EMFILE: i32 = 24;

/// A disk call of the log, as far as failures of it differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Reading bytes or a directory.
    Read,
    /// Opening a file that exists.
    Open,
    /// Creating a file or a directory.
    Create,
    /// Writing bytes.
    Write,
    /// Cutting a file off.
    Truncate,
    /// Making bytes durable.
    Sync,
    /// Making names durable.
    SyncDir,
    /// Giving a file its name.
    Rename,
    /// Removing a file.
    Remove,
    /// Locking the directory.
    Lock,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Open => "open",
            Self::Create => "create",
            Self::Write => "write",
            Self::Truncate => "truncate",
            Self::Sync => "sync",
            Self::SyncDir => "sync directory",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::Lock => "lock",
        })
    }
}

/// What the log does about a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// The same call again.
    Retry,
    /// Undo the group, refuse appends, and go on when there is room again. After a failed sync
    /// this holds only if the group can be truncated away and that truncation synced. A file that
    /// finds no descriptor is met the same way: there may be one later, and nothing was promised.
    DiskFull,
    /// The call is told to whoever asked for it; what the log promised is not touched.
    Report,
    /// The end of the process.
    Fatal,
}

/// What the log does when `operation` fails with `error`.
pub fn respond(operation: Operation, error: &io::Error) -> Response {
    use io::ErrorKind::{Interrupted, QuotaExceeded, StorageFull};
    match (operation, error.kind()) {
        (Operation::Open | Operation::Create, _) if lacks_descriptor(error) => Response::DiskFull,
        // An interrupted sync may have dropped pages like any other that failed.
        (Operation::Read | Operation::Write, Interrupted) => Response::Retry,
        (
            Operation::Write | Operation::Sync | Operation::Create | Operation::Rename,
            StorageFull | QuotaExceeded,
        ) => Response::DiskFull,
        // Nothing that was promised hangs on these: a read can be asked for again, a segment that
        // could not be removed is there for the next attempt, a lock belongs to somebody else.
        (Operation::Read | Operation::Open | Operation::Remove | Operation::Lock, _) => {
            Response::Report
        }
        _ => Response::Fatal,
    }
}

/// True if there was no descriptor. The answer is that to a full disk, but no room made helps.
pub(crate) fn lacks_descriptor(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EINTR: i32 = 4;
    const EIO: i32 = 5;
    const EBADF: i32 = 9;
    const EACCES: i32 = 13;
    const ENOSPC: i32 = 28;
    const EROFS: i32 = 30;
    const EDQUOT: i32 = 122;

    fn check(operation: Operation, errnos: &[i32], expected: Response) {
        for errno in errnos {
            let error = io::Error::from_raw_os_error(*errno);
            assert_eq!(respond(operation, &error), expected, "{operation} errno {errno}");
        }
    }

    #[test]
    fn each_errno_has_its_answer() {
        use Operation::{Create, Open, Read, Remove, Rename, Sync, SyncDir, Truncate, Write};
        for operation in [Write, Rename, Create] {
            check(operation, &[EIO, EROFS, EACCES, EBADF], Response::Fatal);
            check(operation, &[ENOSPC, EDQUOT], Response::DiskFull);
        }
        check(Sync, &[EIO, EROFS, EACCES, EBADF, EINTR], Response::Fatal);
        check(Sync, &[ENOSPC, EDQUOT], Response::DiskFull);
        check(SyncDir, &[EIO, EROFS, ENOSPC, EDQUOT, EINTR], Response::Fatal);
        check(Truncate, &[EIO, EROFS, ENOSPC, EDQUOT], Response::Fatal);
        check(Write, &[EINTR], Response::Retry);
        check(Read, &[EINTR], Response::Retry);
        for operation in [Read, Open, Remove] {
            check(operation, &[EIO, EACCES], Response::Report);
        }
        for operation in [Open, Create] {
            check(operation, &[EMFILE, ENFILE], Response::DiskFull);
        }
        check(Sync, &[EMFILE, ENFILE], Response::Fatal);
        check(SyncDir, &[EMFILE, ENFILE], Response::Fatal);
    }

    #[test]
    fn a_write_that_takes_nothing_is_fatal() {
        let error = io::ErrorKind::WriteZero.into();
        assert_eq!(respond(Operation::Write, &error), Response::Fatal);
    }
}
