//! The one table that says with which codes a request is answered.
//!
//! Telegraf drops a batch for ever on most codes from 400 to 499, splits it on 413, and sends it
//! again on 429, 503 and 504: so a fault that passes is never a 400.

use http::StatusCode;
use tonic::Code;
use types::seam::{DmlError, PersistNowError, Rejection};
use types::{ErrorKind, NameError};

use crate::error::Error;

/// How a request that is not simply a success is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The status of an HTTP answer.
    pub http: StatusCode,
    /// The code of a gRPC answer.
    pub grpc: Code,
    /// The `code` in the body of an HTTP error.
    pub word: &'static str,
}

const fn status(http: StatusCode, grpc: Code, word: &'static str) -> Status {
    Status { http, grpc, word }
}

/// The request is wrong.
pub const INVALID: Status = status(StatusCode::BAD_REQUEST, Code::InvalidArgument, "invalid");
/// A limit of names, columns, tables or databases.
pub const NAMES_EXHAUSTED: Status =
    status(StatusCode::UNPROCESSABLE_ENTITY, Code::InvalidArgument, "unprocessable entity");
/// More than one request may have.
pub const TOO_LARGE: Status =
    status(StatusCode::PAYLOAD_TOO_LARGE, Code::OutOfRange, "request too large");
/// There is nothing of that name.
pub const NOT_FOUND: Status = status(StatusCode::NOT_FOUND, Code::NotFound, "not found");
/// The sender's picture of a table is not the catalog's.
pub const STALE_SCHEMA: Status =
    status(StatusCode::SERVICE_UNAVAILABLE, Code::FailedPrecondition, "unavailable");
/// No room now, or not ready; nothing was kept.
pub const BUSY: Status = status(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, "unavailable");
/// It may or may not have been kept.
pub const UNKNOWN: Status =
    status(StatusCode::GATEWAY_TIMEOUT, Code::DeadlineExceeded, "outcome unknown");
/// Stored bytes are not what was written.
pub const CORRUPT: Status =
    status(StatusCode::INTERNAL_SERVER_ERROR, Code::DataLoss, "internal error");
/// A fault of this program.
pub const INTERNAL: Status =
    status(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "internal error");

/// The answer to an error of which no more is known than what the caller has to do.
pub const fn of_kind(kind: ErrorKind) -> Status {
    match kind {
        ErrorKind::Rejected => INVALID,
        ErrorKind::Busy | ErrorKind::Fenced => BUSY,
        ErrorKind::Unknown => UNKNOWN,
        ErrorKind::Corrupt => CORRUPT,
        // A kind that this table does not know yet is nobody's fault but ours.
        _ => INTERNAL,
    }
}

/// The answer to a write that a sink did not acknowledge.
pub const fn of_dml(error: &DmlError) -> Status {
    match error {
        DmlError::Rejected { why, .. } => of_rejection(*why),
        DmlError::Internal { .. } => INTERNAL,
        other => of_kind(other.kind()),
    }
}

/// The answer to a write that can never be kept as it is.
pub const fn of_rejection(why: Rejection) -> Status {
    match why {
        Rejection::NamesExhausted => NAMES_EXHAUSTED,
        Rejection::TooLarge => TOO_LARGE,
        Rejection::Invalid => INVALID,
    }
}

/// The answer to a name that is refused.
pub const fn of_name(error: &NameError) -> Status {
    match error {
        NameError::TooLong { .. } => NAMES_EXHAUSTED,
        _ => INVALID,
    }
}

/// The answer to a demand to persist that was not met.
pub const fn of_persist(error: &PersistNowError) -> Status {
    match error {
        PersistNowError::NotFound { .. } => NOT_FOUND,
        PersistNowError::TimedOut { .. } => UNKNOWN,
        other => of_kind(other.kind()),
    }
}

/// The answer to a request that is refused.
pub fn of_error(error: &Error) -> Status {
    match error {
        Error::Name(name) => of_name(name),
        Error::NamesExhausted(_) => NAMES_EXHAUSTED,
        Error::BodyTooLarge { .. }
        | Error::TooManyPartitions { .. }
        | Error::TooManyTables { .. }
        | Error::TooManyCells { .. }
        | Error::TooMuchText { .. }
        | Error::MoreThanMemory { .. } => TOO_LARGE,
        Error::StaleSchema { .. } => STALE_SCHEMA,
        Error::Sink(error) => of_dml(error),
        Error::Internal(_) => INTERNAL,
        other => of_kind(other.kind()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use types::{DatabaseName, SchemaVersion, TableName};

    use super::*;

    fn check(error: &Error, http: u16, grpc: Code, retries: bool) {
        let answer = of_error(error);
        assert_eq!((answer.http.as_u16(), answer.grpc), (http, grpc), "{error}");
        assert_eq!(error.retry_after().is_some(), retries, "{error}");
        assert_eq!(
            retries,
            matches!(answer.http.as_u16(), 429 | 503),
            "whoever may try again is told when: {error}"
        );
    }

    fn sink(error: DmlError) -> Error {
        Error::Sink(error)
    }

    #[test]
    fn every_refusal_has_its_codes() {
        let reason = || "x".to_owned();
        let rejected = |why| sink(DmlError::Rejected { why, reason: reason() });
        let too_long = DatabaseName::new(&"d".repeat(65)).expect_err("too long");
        let empty = DatabaseName::new("").expect_err("no name");
        let retry_after = Duration::from_secs(7);
        let stale = Error::StaleSchema {
            table: TableName::new("t").expect("a good name"),
            sent: SchemaVersion::new(1),
            current: SchemaVersion::new(2),
        };
        let too_slow = Error::BodyTooSlow { bytes: 1, waited: retry_after };
        let too_large = Error::BodyTooLarge { state: "", limit: 1 };
        let rows: Vec<(Error, u16, Code, bool)> = vec![
            (Error::Parameter(reason()), 400, Code::InvalidArgument, false),
            (Error::Empty, 400, Code::InvalidArgument, false),
            (Error::Encoding(reason()), 400, Code::InvalidArgument, false),
            (Error::Name(empty), 400, Code::InvalidArgument, false),
            (Error::Name(too_long), 422, Code::InvalidArgument, false),
            (Error::NamesExhausted(reason()), 422, Code::InvalidArgument, false),
            (too_slow, 503, Code::Unavailable, true),
            (too_large, 413, Code::OutOfRange, false),
            (Error::TooManyPartitions { limit: 1 }, 413, Code::OutOfRange, false),
            (Error::TooManyTables { limit: 1 }, 413, Code::OutOfRange, false),
            (Error::TooManyCells { limit: 1 }, 413, Code::OutOfRange, false),
            (Error::TooMuchText { limit: 1 }, 413, Code::OutOfRange, false),
            (Error::MoreThanMemory { bytes: 1 }, 413, Code::OutOfRange, false),
            (Error::NoMemory { bytes: 1 }, 503, Code::Unavailable, true),
            (stale, 503, Code::FailedPrecondition, true),
            (Error::SchemaKeepsChanging(3), 503, Code::Unavailable, true),
            (Error::Internal(reason()), 500, Code::Internal, false),
            (sink(DmlError::Busy { reason: reason(), retry_after }), 503, Code::Unavailable, true),
            (rejected(Rejection::NamesExhausted), 422, Code::InvalidArgument, false),
            (rejected(Rejection::TooLarge), 413, Code::OutOfRange, false),
            (rejected(Rejection::Invalid), 400, Code::InvalidArgument, false),
            (sink(DmlError::SchemaChanged), 503, Code::Unavailable, true),
            (sink(DmlError::Unknown { reason: reason() }), 504, Code::DeadlineExceeded, false),
            (sink(DmlError::Fenced { reason: reason() }), 503, Code::Unavailable, true),
            (sink(DmlError::Internal { reason: reason() }), 500, Code::Internal, false),
        ];
        for (error, http, grpc, retries) in &rows {
            check(error, *http, *grpc, *retries);
        }
    }

    #[test]
    fn every_kind_has_its_codes() {
        let rows = [
            (ErrorKind::Rejected, 400, Code::InvalidArgument),
            (ErrorKind::Busy, 503, Code::Unavailable),
            (ErrorKind::Unknown, 504, Code::DeadlineExceeded),
            (ErrorKind::Fenced, 503, Code::Unavailable),
            (ErrorKind::Corrupt, 500, Code::DataLoss),
            (ErrorKind::Fatal, 500, Code::Internal),
        ];
        for (kind, http, grpc) in rows {
            let answer = of_kind(kind);
            assert_eq!((answer.http.as_u16(), answer.grpc), (http, grpc), "{kind:?}");
        }
    }

    #[test]
    fn a_persist_that_is_not_met_has_its_codes() {
        let rows = [
            (PersistNowError::NotFound { what: "x".to_owned() }, Code::NotFound),
            (
                PersistNowError::TimedOut { timeout: Duration::ZERO, left: "x".to_owned() },
                Code::DeadlineExceeded,
            ),
            (PersistNowError::NotReady { reason: "x".to_owned() }, Code::Unavailable),
        ];
        for (error, grpc) in rows {
            assert_eq!(of_persist(&error).grpc, grpc, "{error}");
        }
    }
}
