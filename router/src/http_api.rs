//! The HTTP face of the edge: the write endpoints of three generations, and what InfluxDB 1 clients
//! ask before they write.

mod answer;
mod nowhere;
mod params;
mod ping;
mod query;
mod request_id;
mod rest_of_body;
mod statement;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use types::effect::Randomness;

use crate::edge::Edge;

/// The header of a write's answer that says where it is in the log.
pub const POSITION_HEADER: &str = "x-forebay-position";
/// The header of every answer that names the request in the logs.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// The routes `/api/v3/write_lp`, `/api/v2/write`, `/write`, `/query` and `/ping`. Their answers
/// carry a request id only under [`with_request_ids`].
pub fn http_routes(edge: &Arc<Edge>) -> Router {
    Router::new()
        .route("/api/v3/write_lp", post(write::v3))
        .route("/api/v2/write", post(write::v2))
        .route("/write", post(write::v1))
        .route("/query", get(query::from_url).post(query::from_url_or_form))
        .route("/ping", get(ping::ping))
        .with_state(Arc::clone(edge))
}

/// Answers requests that no route of `routes` is for. Whatever else would have answered them, such
/// as gRPC with its status 200, does not any more.
pub fn with_nothing_elsewhere(routes: Router) -> Router {
    routes.reset_fallback().fallback(nowhere::nothing_here)
}

/// Reads what `routes` leave of the body of a request over HTTP/1, so that its answer is heard; twice
/// `body_bytes_max` at most.
pub fn with_bodies_read(routes: Router, body_bytes_max: u64) -> Router {
    let read = rest_of_body::read_beside_answer;
    routes.layer(axum::middleware::from_fn_with_state(body_bytes_max, read))
}

/// Gives every request to `routes` an id: the client's own if it is sane, else one that is drawn.
/// Answers carry it, and so does whatever is logged on the way.
pub fn with_request_ids(routes: Router, randomness: Arc<dyn Randomness>) -> Router {
    routes.layer(axum::middleware::from_fn_with_state(randomness, request_id::assign))
}

#[cfg(test)]
mod tests;
