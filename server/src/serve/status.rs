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
    let body = Json(Readiness { status: told(phase, refusing), degraded });
    match ready {
        true => body.into_response(),
        false => {
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], body).into_response()
        }
    }
}

/// What the node does instead of taking writes, and why. A replay or a drain is told with its
/// progress also where something else would keep writes away: who waits for it needs both.
fn told(phase: Phase, refusing: Option<String>) -> String {
    match (phase, refusing) {
        (Phase::Ready, Some(reason)) => reason,
        (phase, Some(reason)) => format!("{phase}; {reason}"),
        (phase, None) => phase.to_string(),
    }
}

async fn metrics(State(status): State<Status>) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &status.registry.lock()) {
        Ok(()) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use ingester::ReplayProgress;

    use super::*;

    #[test]
    fn the_progress_of_a_replay_is_told_beside_whatever_else_keeps_writes_away() {
        let progress = ReplayProgress { bytes_read: 3, bytes_total: 9, ..Default::default() };
        let replaying = Phase::Replaying(progress);
        let full = || Some("the disk of the log is full".to_owned());
        assert!(told(replaying, None).starts_with("replaying the log, 3 of 9 bytes"));
        let both = told(replaying, full());
        assert!(both.starts_with("replaying the log, 3 of 9 bytes"), "{both}");
        assert!(both.ends_with("; the disk of the log is full"), "{both}");
        assert_eq!(told(Phase::Ready, full()), "the disk of the log is full");
        assert_eq!(told(Phase::Ready, None), "ready");
        let draining = Phase::Draining { complete: true };
        assert_eq!(told(draining, full()), "draining; the disk of the log is full");
    }
}
