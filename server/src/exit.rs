//! Exit codes: what a script or a supervisor can tell from how the process ended.

use std::process::ExitCode;

use types::ErrorKind;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// All of it was done.
    Success,
    /// Something was not done; the message says what.
    Failure,
    /// The command line is wrong.
    Usage,
    /// Stored bytes are not what was written; the message names file and offset.
    Corrupt,
    /// A fault of this program; the log is replayed at the next start.
    Internal,
    /// A disk failed in a way that nothing more can be promised.
    Io,
    /// Somebody else is the owner, or it is too early: try again.
    TryAgain,
}

impl Code {
    /// The number; those from 64 on are the ones of `sysexits.h`.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Corrupt => 65,
            Self::Internal => 70,
            Self::Io => 74,
            Self::TryAgain => 75,
        }
    }
}

impl From<ErrorKind> for Code {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Rejected | ErrorKind::Unknown => Self::Failure,
            ErrorKind::Busy | ErrorKind::Fenced => Self::TryAgain,
            ErrorKind::Corrupt => Self::Corrupt,
            ErrorKind::Fatal => Self::Io,
            _ => Self::Internal,
        }
    }
}

impl From<&wal::Error> for Code {
    fn from(error: &wal::Error) -> Self {
        match error {
            // Nothing can go on from a panic either, but no disk is to blame.
            wal::Error::Panicked { .. } => Self::Internal,
            other => other.kind().into(),
        }
    }
}

impl From<&catalog::Error> for Code {
    fn from(error: &catalog::Error) -> Self {
        match error {
            catalog::Error::Log(error) => error.into(),
            other => other.kind().into(),
        }
    }
}

impl From<&ingester::Error> for Code {
    fn from(error: &ingester::Error) -> Self {
        match error {
            ingester::Error::Task { .. } => Self::Internal,
            ingester::Error::Log(error) => error.into(),
            ingester::Error::Catalog(error) => error.into(),
            other => other.kind().into(),
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_has_its_exit_code() {
        let number = |kind| Code::from(kind).number();
        assert_eq!(number(ErrorKind::Rejected), 1);
        assert_eq!(number(ErrorKind::Unknown), 1);
        assert_eq!(number(ErrorKind::Corrupt), 65);
        assert_eq!(number(ErrorKind::Fatal), 74);
        assert_eq!(number(ErrorKind::Busy), 75);
        assert_eq!(number(ErrorKind::Fenced), 75);
    }

    #[test]
    fn a_panic_is_no_fault_of_a_disk() {
        let panicked = || wal::Error::Panicked { message: "index out of bounds".to_owned() };
        let task = ingester::Error::Task { task: "replay the log", message: "panicked".to_owned() };
        assert_eq!(Code::from(&panicked()), Code::Internal);
        assert_eq!(Code::from(&catalog::Error::Log(panicked())), Code::Internal);
        assert_eq!(Code::from(&ingester::Error::Log(panicked())), Code::Internal);
        assert_eq!(Code::from(&task), Code::Internal);
        let full = ingester::Error::Log(wal::Error::DiskFull);
        assert_eq!(Code::from(&full), Code::TryAgain);
    }
}
