//! The answer to a path where nothing is: a write that was sent to a wrong one must not look kept.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::answer;
use crate::status::NOT_FOUND;

const TOLD: &str = "there is nothing at this path; lines are written to /api/v3/write_lp, \
                    /api/v2/write or /write";

pub(super) async fn nothing_here(request: Request) -> Response {
    if is_grpc(request.headers()) {
        let status = tonic::Status::unimplemented("there is no such service");
        return status.into_http::<Body>();
    }
    answer::error_response(NOT_FOUND, TOLD, &[])
}

/// Also `application/grpc+proto` and its like.
fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    content_type.is_some_and(|value| value.starts_with(b"application/grpc"))
}
