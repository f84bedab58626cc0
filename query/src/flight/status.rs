//! Errors as gRPC has them; the codes themselves stand in the table of all front ends.

use std::collections::HashMap;

use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt};
use types::seam::QueryError;

use crate::error::Error;
use crate::front::{self, chain};

/// Who says the reason, in the details of a status.
const DOMAIN: &str = "forebay";

/// The status of `error`, with what its reader needs to go on: when to try again, or from which
/// catalog version.
pub(super) fn of(error: &Error) -> Status {
    let status = front::Status::of(error);
    let mut details = ErrorDetails::new();
    if let Some(wait) = status.retry_after(error) {
        details.set_retry_info(Some(wait));
    }
    if let Error::Buffer(QueryError::SnapshotTooOld { oldest, .. }) = error {
        let metadata = HashMap::from([("oldest_version".to_owned(), oldest.to_string())]);
        details.set_error_info("SNAPSHOT_TOO_OLD", DOMAIN, metadata);
    }
    Status::with_error_details(status.grpc, chain(error), details)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::Code;
    use types::CatalogVersion;

    use super::*;

    #[test]
    fn who_may_try_again_is_told_when() {
        let retry_after = Duration::from_secs(7);
        let status = of(&Error::TooManyQueries { limit: 1, retry_after });
        assert_eq!(status.code(), Code::ResourceExhausted);
        let told = status.get_details_retry_info().expect("retry info");
        assert_eq!(told.retry_delay, Some(retry_after));
    }

    #[test]
    fn a_snapshot_too_old_tells_the_oldest() {
        let (version, oldest) = (CatalogVersion::new(3), CatalogVersion::new(8));
        let status = of(&QueryError::SnapshotTooOld { version, oldest }.into());
        assert_eq!(status.code(), Code::Aborted);
        let told = status.get_details_error_info().expect("error info");
        assert_eq!(told.metadata["oldest_version"], "8");
    }
}
