//! Names each request, so that an answer can be found in the logs.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use tracing::Instrument;
use types::RequestId;
use types::effect::Randomness;

use super::REQUEST_ID_HEADER;

/// Longest id that is taken from a client.
const ID_BYTES_MAX: usize = 128;

/// Takes the request's id or draws one; the id is also put into the request, so that whoever is
/// further inside sees the same.
pub(super) async fn assign(
    State(randomness): State<Arc<dyn Randomness>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = sane_id(request.headers()).unwrap_or_else(|| draw(&*randomness));
    // An error span, so that a warning has the id at any log filter.
    let span = tracing::error_span!("request", id = %String::from_utf8_lossy(id.as_bytes()));
    request.headers_mut().insert(REQUEST_ID_HEADER, id.clone());
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(REQUEST_ID_HEADER, id);
    response
}

/// The client's id, if it is short and cannot confuse a log or a header.
fn sane_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(REQUEST_ID_HEADER)?;
    let is_sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
    let bytes = id.as_bytes();
    let is_taken = (1..=ID_BYTES_MAX).contains(&bytes.len()) && bytes.iter().all(is_sane);
    is_taken.then(|| id.clone())
}

fn draw(randomness: &dyn Randomness) -> HeaderValue {
    let id = RequestId::from_random(randomness.next_u64(), randomness.next_u64());
    HeaderValue::from_str(&id.to_string()).unwrap_or(HeaderValue::from_static("unknown"))
}
