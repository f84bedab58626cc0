//! `/health`, `/ready` and `/metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use ingester::{Ingester, Phase};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde::Serialize;

/// What these pages read.
#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) ingester: Arc<dyn Ingester>,
    pub(super) registry: Arc<Mutex<Registry>>,
}

/// The body of `/ready`.
#[derive(Debug, Serialize)]
struct Readiness {
    /// `ready`, or what the node does instead.
    status: String,
    /// What works less well than it should.
    degraded: Vec<String>,
}

/// The content type of Prometheus' text format as `prometheus_client` writes it.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The routes.
pub(super) fn routes(status: Status) -> Router {
    Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(status)
}

async fn ready(State(status): State<Status>) -> Response {
    let phase = status.ingester.phase();
    let degraded = status.ingester.degraded();
    let refusing = status.ingester.refusing();
    let ready = phase == Phase::Ready && refusing.is_none();
    let body = Json(Readiness { status: refusing.unwrap_or_else(|| phase.to_string()), degraded });
    match ready {
        true => body.into_response(),
        false => {
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], body).into_response()
        }
    }
}

async fn metrics(State(status): State<Status>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &status.registry.lock()) {
        Ok(()) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
