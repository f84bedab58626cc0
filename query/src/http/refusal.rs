//! The answer that says why there is no other.

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use serde_json::json;

use crate::error::Error;
use crate::front::{QUERY_BYTES_MAX, Status, chain};

/// The status of `error` with a body that three generations of InfluxDB's clients understand.
pub(super) fn response(error: &Error) -> Response {
    let status = Status::of(error);
    let text = chain(error);
    let body = json!({ "error": text, "message": text, "code": status.word, "data": [] });
    let mut response = (status.http, Json(body)).into_response();
    if let Some(wait) = status.retry_after(error) {
        // Rounded up, because a client that comes too early is refused again.
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
            response.headers_mut().insert(RETRY_AFTER, value);
        }
    }
    response
}

/// What it means that a body could not be read.
pub(super) fn of_body(rejection: &BytesRejection) -> Error {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Error::TooLarge { what: "the body", limit: QUERY_BYTES_MAX }
        }
        _ => Error::Parameter { reason: rejection.body_text() },
    }
}
