//! `GET /ping` and `HEAD /ping`: is anybody there, and who?

use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use super::params::Params;

/// Clients read the generation of the API from it, up to the plus.
const VERSION: &str = concat!("3.0.0+forebay.", env!("CARGO_PKG_VERSION"));

pub(super) async fn ping(request: Request) -> Response {
    let headers = [("x-influxdb-version", VERSION), ("x-influxdb-build", "Forebay")];
    let is_verbose = match Params::of_uri(request.uri()).get("verbose") {
        None | Some("false" | "0") => false,
        Some(_) => true,
    };
    if is_verbose {
        (StatusCode::OK, headers, Json(json!({ "version": VERSION }))).into_response()
    } else {
        (StatusCode::NO_CONTENT, headers).into_response()
    }
}
