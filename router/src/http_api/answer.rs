//! Answers in the words of three generations of clients.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use types::Position;

use super::POSITION_HEADER;
use crate::edge::{Edge, Written};
use crate::error::Error;
use crate::line::BadLine;
use crate::status::{self, Status};

/// The body of an error.
#[derive(Debug, Serialize)]
struct ErrorBody<'a> {
    /// What InfluxDB 1 and 3 clients read.
    error: &'a str,
    /// What InfluxDB 2 clients read.
    message: &'a str,
    code: &'static str,
    data: &'a [BadLine],
}

/// The answer `status` with `text` for people, and lines that are not kept.
pub(super) fn error_response(status: Status, text: &str, data: &[BadLine]) -> Response {
    let body = ErrorBody { error: text, message: text, code: status.word, data };
    (status.http, Json(body)).into_response()
}

/// The answer to a request that is refused. Whoever must look at it is told here, once.
pub(super) fn refused(edge: &Edge, error: &Error) -> Response {
    let status = status::of_error(error);
    let text = error.chain();
    match status.http {
        StatusCode::INTERNAL_SERVER_ERROR => tracing::error!(error = %text, "request failed"),
        StatusCode::GATEWAY_TIMEOUT => tracing::warn!(error = %text, "outcome of a write unknown"),
        _ => tracing::debug!(error = %text, status = %status.http, "request refused"),
    }
    let mut response = error_response(status, &text, &[]);
    if let Some(after) = edge.retry_after(error) {
        let seconds = HeaderValue::from(whole_seconds(after));
        response.headers_mut().insert(RETRY_AFTER, seconds);
    }
    response
}

/// Whole seconds, rounded up and never zero: a client that comes back early is refused again.
fn whole_seconds(time: Duration) -> u64 {
    let started = u64::from(time.subsec_nanos() > 0);
    time.as_secs().saturating_add(started).max(1)
}

/// The answer to a write of lines.
pub(super) fn written(written: &Written, accept_partial: bool) -> Response {
    let bad = &written.bad;
    let mut response = if bad.is_empty() {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let status = if bad.names_exhausted() { status::NAMES_EXHAUSTED } else { status::INVALID };
        error_response(status, &told(written, accept_partial), bad.told())
    };
    if let Some(position) = written.position {
        response.headers_mut().insert(POSITION_HEADER, header_of(position));
    }
    response
}

/// What happened, in a sentence. Telegraf looks for "partial write".
fn told(written: &Written, accept_partial: bool) -> String {
    let bad = &written.bad;
    let lines = written.lines;
    let first = bad.told().first().map_or_else(String::new, |first| {
        format!("line {}: {}", first.line_number, first.error_message)
    });
    let count = bad.count();
    let outcome = match (accept_partial, written.position) {
        (true, Some(_)) => format!("partial write: {count} of {lines} lines were not kept"),
        (true, None) => format!("partial write: none of {lines} lines was kept"),
        (false, _) => format!("nothing was kept: {count} of {lines} lines are bad"),
    };
    format!("{outcome}; the first is {first}")
}

fn header_of(position: Position) -> HeaderValue {
    let text = position.to_string();
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up() {
        let rows = [(0, 1), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (4_500, 5)];
        for (millis, seconds) in rows {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds, "{millis} ms");
        }
    }
}
