//! The one table that says with which codes a query is refused, over HTTP and gRPC.

use std::time::Duration;

use http::StatusCode;
use tonic::Code;
use types::ErrorKind;
use types::seam::QueryError;

use crate::error::Error;

/// When to try again where nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How a request that has no answer is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// The status of an HTTP answer.
    pub(crate) http: StatusCode,
    /// The code of a gRPC answer.
    pub(crate) grpc: Code,
    /// The `code` in the body of an HTTP error.
    pub(crate) word: &'static str,
}

const fn status(http: StatusCode, grpc: Code, word: &'static str) -> Status {
    Status { http, grpc, word }
}

const INVALID: Status = status(StatusCode::BAD_REQUEST, Code::InvalidArgument, "invalid");
const NOT_FOUND: Status = status(StatusCode::NOT_FOUND, Code::NotFound, "not found");
const TOO_LARGE: Status =
    status(StatusCode::PAYLOAD_TOO_LARGE, Code::OutOfRange, "request too large");
/// There is no room now.
const EXHAUSTED: Status =
    status(StatusCode::SERVICE_UNAVAILABLE, Code::ResourceExhausted, "unavailable");
/// This node, or what it needs, is not ready.
const UNAVAILABLE: Status =
    status(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, "unavailable");
/// The query has to begin anew, at a newer catalog version.
const STALE: Status = status(StatusCode::SERVICE_UNAVAILABLE, Code::Aborted, "unavailable");
const TIMED_OUT: Status = status(StatusCode::GATEWAY_TIMEOUT, Code::DeadlineExceeded, "timed out");
/// Stored bytes are not what was written.
const CORRUPT: Status = status(StatusCode::INTERNAL_SERVER_ERROR, Code::DataLoss, "internal error");
/// A fault of this program.
const INTERNAL: Status =
    status(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "internal error");

impl Status {
    /// The answer to `error`.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::DatabaseNotFound { .. } | Error::TableNotFound { .. } => NOT_FOUND,
            Error::TooLarge { .. } => TOO_LARGE,
            Error::TooManyQueries { .. } | Error::OutOfMemory(_) => EXHAUSTED,
            Error::TimedOut { .. } => TIMED_OUT,
            Error::Buffer(QueryError::SnapshotTooOld { .. }) => STALE,
            other => Self::of_kind(other.kind()),
        }
    }

    /// The answer to an error of which no more is known than what the caller has to do.
    const fn of_kind(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Rejected => INVALID,
            ErrorKind::Busy | ErrorKind::Fenced => UNAVAILABLE,
            ErrorKind::Corrupt => CORRUPT,
            // A query changes nothing, so an unknown outcome is just a fault.
            _ => INTERNAL,
        }
    }

    /// When to send a request again as it is that failed with `error`, if that can help.
    pub(crate) fn retry_after(self, error: &Error) -> Option<Duration> {
        let passes = self.http == StatusCode::SERVICE_UNAVAILABLE;
        passes.then(|| error.retry_after().unwrap_or(RETRY_AFTER))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::error::DataFusionError;
    use types::{CatalogVersion, DatabaseName, Epoch, LogId, Lsn, Position};

    use super::*;

    fn check(error: &Error, http: u16, grpc: Code) {
        let status = Status::of(error);
        assert_eq!((status.http.as_u16(), status.grpc), (http, grpc), "{error}");
        let retries = status.retry_after(error).is_some();
        assert_eq!(retries, http == 503, "who may try again is told when: {error}");
    }

    #[test]
    fn every_refusal_has_its_codes() {
        let reason = || "x".to_owned();
        let seven = Duration::from_secs(7);
        let exhausted = DataFusionError::ResourcesExhausted(reason());
        let invalid = DataFusionError::Plan(reason());
        let failed = DataFusionError::Internal(reason());
        let not_ready = QueryError::NotReady { reason: reason(), retry_after: seven };
        let too_old = QueryError::SnapshotTooOld {
            version: CatalogVersion::new(1),
            oldest: CatalogVersion::new(2),
        };
        let lagging = QueryError::PositionNotReached {
            wanted: Position {
                log: LogId::from_random(1, 2),
                epoch: Epoch::new(1),
                lsn: Lsn::new(9),
            },
            published: Lsn::new(3),
        };
        let database = DatabaseName::new("d").expect("a good name");
        let rows = [
            (Error::DatabaseNotFound { database }, 404, Code::NotFound),
            (Error::Parameter { reason: reason() }, 400, Code::InvalidArgument),
            (Error::TooLarge { what: "the body", limit: 1 }, 413, Code::OutOfRange),
            (Error::from(invalid), 400, Code::InvalidArgument),
            (Error::BodyTooSlow { timeout: seven }, 503, Code::Unavailable),
            (Error::TooManyQueries { limit: 1, retry_after: seven }, 503, Code::ResourceExhausted),
            (Error::from(exhausted), 503, Code::ResourceExhausted),
            (Error::TimedOut { timeout: seven }, 504, Code::DeadlineExceeded),
            (Error::from(not_ready), 503, Code::Unavailable),
            (Error::from(too_old), 503, Code::Aborted),
            (Error::from(lagging), 503, Code::Unavailable),
            (Error::Fault { reason: reason() }, 500, Code::Internal),
            (Error::from(failed), 500, Code::Internal),
        ];
        for (error, http, grpc) in &rows {
            check(error, *http, *grpc);
        }
    }

    #[test]
    fn a_known_time_to_retry_is_told() {
        let error = Error::TooManyQueries { limit: 1, retry_after: Duration::from_secs(7) };
        let retry_after = Status::of(&error).retry_after(&error);
        assert_eq!(retry_after, Some(Duration::from_secs(7)));
    }
}
