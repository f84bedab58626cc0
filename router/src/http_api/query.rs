//! `/query` of InfluxDB 1: enough for its clients to start.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::answer;
use super::params::Params;
use super::statement::Statement;
use crate::body::read_body;
use crate::edge::Edge;
use crate::error::Error;
use crate::metrics::Endpoint;

/// Longest form that is read.
const FORM_BYTES_MAX: u64 = 64 << 10;

pub(super) async fn from_url(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let params = Params::of_uri(request.uri());
    serve(&edge, Ok(params)).await
}

pub(super) async fn from_url_or_form(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let params = params_of(&edge, request).await;
    serve(&edge, params).await
}

async fn params_of(edge: &Edge, request: Request) -> Result<Params, Error> {
    let (head, body) = request.into_parts();
    let params = Params::of_uri(&head.uri);
    if !is_form(&head.headers) {
        return Ok(params);
    }
    let deps = edge.deps();
    let form = read_body(&*deps.gate, &*deps.pool, &head.headers, body, FORM_BYTES_MAX).await?;
    Ok(params.or(Params::of_form(&form.bytes)))
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    content_type.is_some_and(|value| value.starts_with(b"application/x-www-form-urlencoded"))
}

async fn serve(edge: &Edge, params: Result<Params, Error>) -> Response {
    let response = match run(edge, params).await {
        Ok(result) => Json(json!({ "results": [result] })).into_response(),
        Err(error) => answer::refused(edge, &error),
    };
    edge.metrics().answered(Endpoint::V1Query, response.status());
    response
}

async fn run(edge: &Edge, params: Result<Params, Error>) -> Result<Value, Error> {
    let params = params?;
    let missing = || Error::Parameter("the parameter \"q\" is missing".to_owned());
    match Statement::parse(params.get("q").ok_or_else(missing)?)? {
        Statement::CreateDatabase(name) => {
            edge.create_database(&name).await?;
            Ok(json!({ "statement_id": 0 }))
        }
        Statement::ShowDatabases => {
            let names = edge.databases();
            let rows: Vec<[&str; 1]> = names.iter().map(|name| [name.as_str()]).collect();
            Ok(json!({
                "statement_id": 0,
                "series": [{ "name": "databases", "columns": ["name"], "values": rows }],
            }))
        }
    }
}
