//! `POST /api/v3/write_lp`, `/api/v2/write` and `/write`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::Uri;
use types::DatabaseName;

use super::answer;
use super::params::Params;
use crate::body::read_body;
use crate::edge::{AnswerBy, Edge, LineWrite};
use crate::error::Error;
use crate::metrics::Endpoint;
use crate::precision::Precision;

/// Retention policies of InfluxDB 1 that mean the database itself.
const DEFAULT_RETENTION_POLICIES: [&str; 2] = ["autogen", "default"];

/// What a URL says about a write.
#[derive(Debug)]
struct Target {
    database: DatabaseName,
    precision: Precision,
    accept_partial: bool,
}

pub(super) async fn v3(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    serve(&edge, Endpoint::V3WriteLp, request).await
}

pub(super) async fn v2(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    serve(&edge, Endpoint::V2Write, request).await
}

pub(super) async fn v1(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    serve(&edge, Endpoint::V1Write, request).await
}

async fn serve(edge: &Arc<Edge>, endpoint: Endpoint, request: Request) -> Response {
    let response = match write(edge, endpoint, request).await {
        Ok(response) => response,
        Err(error) => answer::refused(edge, &error),
    };
    edge.metrics().answered(endpoint, response.status());
    response
}

async fn write(edge: &Arc<Edge>, endpoint: Endpoint, request: Request) -> Result<Response, Error> {
    let answer_by = AnswerBy::begin();
    let target = target(endpoint, request.uri())?;
    let (head, body) = request.into_parts();
    let limit = edge.config().body_bytes_max;
    let deps = edge.deps();
    let body = read_body(&*deps.gate, &*deps.pool, &head.headers, body, limit).await?;
    edge.metrics().read(endpoint, body.bytes.len() as u64);
    let write = LineWrite {
        database: target.database,
        precision: target.precision,
        accept_partial: target.accept_partial,
        answer_by: answer_by.later_by(body.sent_in),
        body,
    };
    let written = edge.write_lines(write).await?;
    Ok(answer::written(&written, target.accept_partial))
}

fn target(endpoint: Endpoint, uri: &Uri) -> Result<Target, Error> {
    let params = Params::of_uri(uri);
    let word = params.get("precision");
    let (database, precision) = match endpoint {
        Endpoint::V2Write => (params.database("bucket")?, Precision::of_v2(word)),
        Endpoint::V1Write => (v1_database(&params)?, Precision::of_v1(word)),
        _ => (params.database("db")?, Precision::of_v3(word)),
    };
    let unknown = || {
        let word = word.unwrap_or_default();
        Error::Parameter(format!("the precision {word:?} is not known here"))
    };
    Ok(Target {
        database,
        precision: precision.ok_or_else(unknown)?,
        accept_partial: params.flag("accept_partial", true)?,
    })
}

/// The database, with the retention policy in its name unless that is the default one: so InfluxDB 3
/// does.
fn v1_database(params: &Params) -> Result<DatabaseName, Error> {
    let database = params.database("db")?;
    match params.get("rp") {
        Some(policy) if !DEFAULT_RETENTION_POLICIES.contains(&policy) => {
            Ok(DatabaseName::new(&format!("{database}/{policy}"))?)
        }
        _ => Ok(database),
    }
}
