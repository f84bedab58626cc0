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
}
