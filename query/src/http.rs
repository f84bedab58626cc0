//! SQL over HTTP: `GET` and `POST /api/v3/query_sql`.
//!
//! ```text
//!   parameters ─▶ Question ─▶ QueryEngine ─▶ Answer ─▶ Renderer (json, csv, ...) ─▶ body, chunk by chunk
//! ```
//!
//! The answer's head waits for the first rows, so that a query that fails before them has a status
//! and a JSON body that says why. After them an error can only break the body off: HTTP/1.1 clients
//! miss the last chunk, HTTP/2 clients get a reset.

mod body;
mod format;
mod question;
mod refusal;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::time::timeout;
use tracing::Instrument;

use crate::engine::QueryEngine;
use crate::error::Error;
use crate::front::{QUERY_BYTES_MAX, REQUEST_ID, RequestId, Watch};
use question::{Parameters, Question};

/// A statement is small: whoever takes longer to send it is gone, and a connection is needed.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The route of SQL.
pub const QUERY_SQL: &str = "/api/v3/query_sql";

/// The routes by which `engine` is asked over HTTP.
pub fn routes(engine: QueryEngine) -> Router {
    Router::new()
        .route(QUERY_SQL, get(by_get).post(by_post))
        .layer(DefaultBodyLimit::max(QUERY_BYTES_MAX))
        .with_state(engine)
}

async fn by_get(
    State(engine): State<QueryEngine>,
    headers: HeaderMap,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let question = match parameters {
        Ok(Query(parameters)) => Question::of_parameters(parameters, &headers),
        Err(rejection) => Err(Error::Parameter { reason: rejection.body_text() }),
    };
    respond(&engine, &headers, question).await
}

async fn by_post(State(engine): State<QueryEngine>, request: Request) -> Response {
    let headers = request.headers().clone();
    let read = Bytes::from_request(request, &engine);
    let question = match timeout(BODY_TIMEOUT, read).await {
        Ok(Ok(body)) => Question::of_json(&body, &headers),
        Ok(Err(rejection)) => Err(refusal::of_body(&rejection)),
        Err(_) => Err(Error::BodyTooSlow { timeout: BODY_TIMEOUT }),
    };
    respond(&engine, &headers, question).await
}

async fn respond(
    engine: &QueryEngine,
    headers: &HeaderMap,
    question: Result<Question, Error>,
) -> Response {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let request_id = RequestId::new(given, engine.deps().randomness.as_ref());
    let watch = Watch::start(engine, &request_id);
    let answered = match question {
        Ok(question) => answer(engine, question, &watch).await,
        Err(error) => Err(error),
    };
    let mut response = answered.unwrap_or_else(|error| {
        watch.failed(&error);
        refusal::response(&error)
    });
    if let Ok(header) = HeaderValue::from_str(request_id.as_str()) {
        let name = HeaderName::from_static(REQUEST_ID);
        response.headers_mut().insert(name, header);
    }
    response
}

async fn answer(
    engine: &QueryEngine,
    question: Question,
    watch: &Arc<Watch>,
) -> Result<Response, Error> {
    let Question { request, format } = question;
    watch.about(request.database.as_str(), &request.sql);
    let answer = engine.query(request).instrument(watch.span()).await?;
    let renderer = format.renderer(&answer.schema, engine.memory_pool())?;
    let pool = Arc::clone(&engine.deps().pool);
    let body = body::start(answer.stream, renderer, Arc::clone(watch), pool).await?;
    Ok(([(CONTENT_TYPE, format.content_type())], body).into_response())
}

#[cfg(test)]
mod tests;
