//! Errors as gRPC tells them.

use std::collections::HashMap;
use std::time::Duration;

use tonic::Code;
use tonic_types::{ErrorDetails, StatusExt};
use types::seam::PersistNowError;

use crate::edge::Edge;
use crate::error::{Error, RETRY_AFTER, TEXT_BYTES_MAX, cut};
use crate::status;

/// Whose words the reasons in error details are.
const DOMAIN: &str = "forebay";

/// The status of a request that is refused. Whoever must look at it is told here, once.
pub(super) fn of_error(edge: &Edge, error: &Error) -> tonic::Status {
    let code = status::of_error(error).grpc;
    let text = error.chain();
    match code {
        Code::Internal | Code::DataLoss => tracing::error!(error = %text, "request failed"),
        Code::DeadlineExceeded => tracing::warn!(error = %text, "outcome of a write unknown"),
        _ => tracing::debug!(error = %text, ?code, "request refused"),
    }
    if let Error::StaleSchema { table, current, .. } = error {
        let metadata = HashMap::from([
            ("table".to_owned(), table.to_string()),
            ("schema_version".to_owned(), current.to_string()),
        ]);
        let details = ErrorDetails::with_error_info("STALE_SCHEMA", DOMAIN, metadata);
        return tonic::Status::with_error_details(code, text, details);
    }
    with_retry(code, text, edge.retry_after(error))
}

/// The status of a demand to persist that was not met.
pub(super) fn of_persist(error: &PersistNowError) -> tonic::Status {
    let text = cut(error.to_string(), TEXT_BYTES_MAX);
    with_retry(status::of_persist(error).grpc, text, None)
}

/// `RESOURCE_EXHAUSTED` and `UNAVAILABLE` say when to try again.
fn with_retry(code: Code, text: String, after: Option<Duration>) -> tonic::Status {
    if !matches!(code, Code::ResourceExhausted | Code::Unavailable) {
        return tonic::Status::new(code, text);
    }
    let details = ErrorDetails::with_retry_info(Some(after.unwrap_or(RETRY_AFTER)));
    tonic::Status::with_error_details(code, text, details)
}
