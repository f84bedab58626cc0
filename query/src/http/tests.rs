//! SQL over HTTP, with an engine whose rows are in memory.

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use axum::body::Body;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;
use http::header::RETRY_AFTER;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use types::DatabaseName;
use types::effect::{InPlace, SeededRandomness};

use super::format::Format;
use super::*;
use crate::front::POSITION;
use crate::front::fixture::{Fixture, far_position};

const ALL: &str = r#"[{"host":"a","n":1,"time":"2013-01-01T05:17:00"},{"host":"b","n":-2,"time":"2013-01-01T05:17:00.000000001"},{"host":"a","region":"eu","time":"2013-01-02T05:17:00","up":true}]"#;

async fn ask(fixture: &Fixture, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let response = routes(fixture.engine.clone()).oneshot(request).await.expect("an answer");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    let text = String::from_utf8(body.to_vec()).expect("text");
    (head.status, head.headers, text)
}

fn get(query: &str) -> Request<Body> {
    let request = Request::get(format!("{QUERY_SQL}?{query}"));
    request.body(Body::empty()).expect("a request")
}

fn post(body: impl Into<Body>) -> Request<Body> {
    Request::post(QUERY_SQL).body(body.into()).expect("a request")
}

async fn check(request: Request<Body>, expect: &str) {
    let (status, _, text) = ask(&Fixture::new().await, request).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, expect));
}

/// Asks for what is refused, and returns the error's text.
async fn check_refused(
    fixture: &Fixture,
    request: Request<Body>,
    expect: StatusCode,
) -> (HeaderMap, String) {
    let (status, headers, text) = ask(fixture, request).await;
    assert_eq!(status, expect, "{text}");
    let body: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(body["error"], body["message"]);
    assert!(body["code"].is_string());
    assert_eq!(body["data"], json!([]));
    assert!(headers.contains_key(REQUEST_ID));
    (headers, body["error"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn rows_come_as_json_with_columns_in_order() {
    check(get("db=db&q=SELECT+*+FROM+cpu+ORDER+BY+time"), ALL).await;
}

#[tokio::test]
async fn a_post_says_the_same_as_a_get() {
    let body = json!({ "db": "db", "q": "SELECT * FROM cpu ORDER BY time", "format": "json" });
    check(post(body.to_string()), ALL).await;
}

#[tokio::test]
async fn parameters_are_bound_by_name() {
    let sql = "SELECT host FROM cpu WHERE n = $n";
    let body = json!({ "db": "db", "q": sql, "params": { "n": -2 } });
    check(post(body.to_string()), r#"[{"host":"b"}]"#).await;
    let query = "db=db&q=SELECT+host+FROM+cpu+WHERE+n=$n&params=%7B%22n%22:-2%7D";
    check(get(query), r#"[{"host":"b"}]"#).await;
}

#[tokio::test]
async fn the_other_forms_have_their_content_types() {
    let fixture = Fixture::new().await;
    for (format, media_type, expect) in [
        ("jsonl", "application/jsonl", "{\"n\":1}\n"),
        ("csv", "text/csv", "n\n1\n"),
        ("pretty", "text/plain; charset=utf-8", "+---+\n| n |\n+---+\n| 1 |\n+---+\n"),
    ] {
        let request =
            get(&format!("db=db&format={format}&q=SELECT+n+FROM+cpu+WHERE+host='a'+AND+n=1"));
        let (status, headers, text) = ask(&fixture, request).await;
        assert_eq!((status, text.as_str()), (StatusCode::OK, expect), "{format}");
        assert_eq!(headers[CONTENT_TYPE], media_type);
    }
}

#[tokio::test]
async fn a_request_keeps_its_name() {
    let fixture = Fixture::new().await;
    let mut request = get("db=db&q=SELECT+1");
    request.headers_mut().insert(REQUEST_ID, HeaderValue::from_static("mine"));
    let (_, headers, _) = ask(&fixture, request).await;
    assert_eq!(headers[REQUEST_ID], "mine");
    let (_, headers, _) = ask(&fixture, get("db=db&q=SELECT+1")).await;
    assert!(!headers[REQUEST_ID].is_empty());
}

#[tokio::test]
async fn an_unknown_database_is_not_found() {
    let fixture = Fixture::new().await;
    let request = get("db=nowhere&q=SELECT+1");
    let (_, text) = check_refused(&fixture, request, StatusCode::NOT_FOUND).await;
    assert!(text.contains("nowhere"), "{text}");
}

#[tokio::test]
async fn what_is_not_understood_is_a_bad_request_that_says_why() {
    let fixture = Fixture::new().await;
    for (request, reason) in [
        (get("db=db&q=SELEC+1"), "SELEC"),
        (get("db=db&q=SELECT+*+FROM+mem"), "mem"),
        (get("db=db"), "q"),
        (get("db=&q=SELECT+1"), "empty"),
        (get("db=db&q=SELECT+1&format=xml"), "xml"),
        (get("db=db&q=SELECT+1&params=7"), "params"),
        (post("db=db&q=SELECT+1"), "JSON"),
        (get("db=db&format=csv&q=SELECT+struct(1)"), "CSV"),
    ] {
        let (_, text) = check_refused(&fixture, request, StatusCode::BAD_REQUEST).await;
        assert!(text.contains(reason), "{text}");
    }
}

#[tokio::test]
async fn an_error_before_the_first_row_has_a_status() {
    let fixture = Fixture::new().await;
    let request = get("db=db&q=SELECT+1/(n-1)+FROM+cpu+WHERE+n=1");
    check_refused(&fixture, request, StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused() {
    let request = post("x".repeat(QUERY_BYTES_MAX + 1));
    check_refused(&Fixture::new().await, request, StatusCode::PAYLOAD_TOO_LARGE).await;
}

#[tokio::test]
async fn one_query_too_many_is_told_when_to_try_again() {
    let fixture = Fixture::new().await;
    let database = DatabaseName::new("db").expect("a good name");
    let running = fixture.engine.admit(&database, "SELECT 1").expect("the first");
    let busy = StatusCode::SERVICE_UNAVAILABLE;
    let (headers, _) = check_refused(&fixture, get("db=db&q=SELECT+1"), busy).await;
    assert_eq!(headers[RETRY_AFTER], "1");
    drop(running);
    let (status, ..) = ask(&fixture, get("db=db&q=SELECT+1")).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_position_that_is_not_reached_is_refused_with_the_lag() {
    let fixture = Fixture::new().await;
    let mut request = get("db=db&q=SELECT+1");
    let position = far_position().to_string().parse().expect("a header");
    request.headers_mut().insert(POSITION, position);
    let (headers, text) = check_refused(&fixture, request, StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(headers.contains_key(RETRY_AFTER));
    assert!(text.contains("published up to LSN 3"), "{text}");

    let mut request = get("db=db&q=SELECT+1");
    request.headers_mut().insert(POSITION, HeaderValue::from_static("tomorrow"));
    check_refused(&fixture, request, StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn an_error_after_the_first_row_breaks_the_body_off() {
    for format in [Format::Json, Format::Jsonl, Format::Csv] {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let batch = RecordBatch::try_from_iter([("n", column)]).expect("a column");
        let schema = batch.schema();
        let error = Error::Fault { reason: "in the middle".to_owned() };
        let rows = stream::iter([Ok(batch), Err(error.into())]);
        let rows = Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), rows));
        let memory: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(0));
        let renderer = format.renderer(&schema, &memory).expect("a renderer");
        let engine = Fixture::new().await.engine;
        let watch = Watch::start(&engine, &RequestId::new(None, &SeededRandomness::new(1)));
        let body = body::start(rows, renderer, watch, Arc::new(InPlace)).await;
        let mut body = body.expect("the first row is there");
        let first = body.frame().await.expect("a frame").expect("the first row");
        assert!(first.data_ref().is_some_and(|data| data.contains(&b'1')), "{format:?}");
        let broken = body.frame().await.expect("no proper end").expect_err("an error");
        assert!(broken.to_string().contains("in the middle"), "{broken}");
    }
}
