//! Each row of what clients are promised over HTTP, asked through the routes.

use std::io::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use types::effect::SeededRandomness;
use types::schema::{ColumnKind, FieldType};
use types::seam::{DmlError, Rejection};
use types::{MemoryOwner, Position};

use super::*;
use crate::config::Limits;
use crate::testing::{World, database};

const I64: ColumnKind = ColumnKind::Field(FieldType::I64);
const F64: ColumnKind = ColumnKind::Field(FieldType::F64);

/// An answer, read whole.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    async fn read(response: Response) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("answers are in memory");
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(body.to_bytes().to_vec()).expect("answers are text"),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("the body is JSON")
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("is text"))
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().expect("errors have a text").to_owned()
    }

    /// The position, which queries can read.
    fn position(&self) -> Option<Position> {
        let text = self.header(POSITION_HEADER)?;
        Some(text.parse().expect("the position can be read back"))
    }
}

async fn ask(world: &World, request: Request<Body>) -> Answer {
    let randomness = Arc::new(SeededRandomness::new(3));
    let routes = with_request_ids(http_routes(&world.edge), randomness);
    let response = routes.oneshot(request).await.expect("routes never fail");
    let answer = Answer::read(response).await;
    assert!(answer.header(REQUEST_ID_HEADER).is_some(), "every answer has an id");
    if answer.status == 503 {
        let seconds = answer.header("retry-after").expect("who waits is told how long");
        assert!(seconds.parse::<u64>().is_ok_and(|seconds| seconds > 0));
    }
    answer
}

fn request(method: Method, uri: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri(uri);
    request.body(body.into()).expect("a good request")
}

async fn post(world: &World, uri: &str, body: impl Into<Body>) -> Answer {
    ask(world, request(Method::POST, uri, body)).await
}

async fn write(world: &World, body: impl Into<Body>) -> Answer {
    post(world, "/api/v3/write_lp?db=db&precision=ns", body).await
}

#[tokio::test]
async fn all_lines_kept_is_204_with_a_position_on_all_three_endpoints() {
    for uri in [
        "/api/v3/write_lp?db=db&precision=ns&no_sync=true",
        "/api/v2/write?org=ignored&bucket=db",
        "/write?db=db&u=user&p=ignored&consistency=all",
    ] {
        let world = World::new();
        let answer = post(&world, uri, "cpu,host=a usage=1.5 5\n").await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{uri}");
        assert!(answer.position().is_some(), "{uri}");
        assert_eq!(world.sink.rows(), ["cpu 1970-01-01 | host=a | 5 | usage=1.5"]);
        assert_eq!(world.tables(), ["cpu(host tag, usage field of type float)"]);
        world.assert_no_memory_held();
    }
}

#[tokio::test]
async fn each_endpoint_has_its_default_precision() {
    for (uri, time) in [
        ("/api/v3/write_lp?db=db", 1_700_000_000_000_000_000_i64),
        ("/api/v3/write_lp?db=db&precision=millisecond", 1_700_000_000_000_000),
        ("/api/v2/write?bucket=db", 1_700_000_000),
        ("/api/v2/write?bucket=db&precision=us", 1_700_000_000_000),
        ("/write?db=db", 1_700_000_000),
        ("/write?db=db&precision=u", 1_700_000_000_000),
    ] {
        let world = World::new();
        assert_eq!(post(&world, uri, "a x=1i 1700000000").await.status, 204, "{uri}");
        let row = &world.sink.rows()[0];
        assert!(row.contains(&format!("| {time} |")), "{uri}: {row}");
    }
    let world = World::new();
    let answer = post(&world, "/api/v2/write?bucket=db&precision=h", "a x=1i 1").await;
    assert_eq!(answer.status, 400);
    world.assert_nothing_kept();
}

#[tokio::test]
async fn a_retention_policy_other_than_the_default_names_a_database() {
    let world = World::new();
    for uri in ["/write?db=db&rp=autogen", "/write?db=db", "/write?db=db&rp="] {
        assert_eq!(post(&world, uri, "a x=1i 1").await.status, 204);
    }
    assert_eq!(post(&world, "/write?db=db&rp=short", "a x=1i 1").await.status, 204);
    assert_eq!(world.edge.databases(), [database("db"), database("db/short")]);
}

#[tokio::test]
async fn some_bad_lines_are_400_after_the_good_ones_are_kept() {
    let world = World::new();
    for uri in ["/api/v3/write_lp?db=db&precision=ns", "/api/v2/write?bucket=db", "/write?db=db"] {
        let answer = post(&world, uri, "a x=1i 1\n\na x=2.5 2\n").await;
        assert_eq!(answer.status, 400, "{uri}");
        assert!(answer.position().is_some(), "{uri}");
        let body = answer.json();
        assert!(answer.error().contains("partial write"), "{body}");
        assert_eq!(body["message"], body["error"]);
        assert_eq!(body["code"], "invalid");
        let message =
            "column \"x\" is a field of type integer; it cannot take a field of type float";
        assert_eq!(
            body["data"],
            json!([{ "line_number": 3, "original_line": "a x=2.5 2", "error_message": message }])
        );
    }
    assert_eq!(world.sink.rows(), ["a 1970-01-01 |  | 1 | x=1i"; 3]);
    world.assert_no_memory_held();
}

#[tokio::test]
async fn some_bad_lines_keep_nothing_where_partial_writes_are_not_accepted() {
    let world = World::new();
    for uri in [
        "/api/v3/write_lp?db=db&accept_partial=false",
        "/api/v2/write?bucket=db&accept_partial=false",
        "/write?db=db&accept_partial=false",
    ] {
        let answer = post(&world, uri, "a x=1i 1\nb\n").await;
        assert_eq!((answer.status, answer.position()), (400, None), "{uri}");
        assert!(!answer.error().contains("partial write"), "{}", answer.text);
        world.assert_nothing_kept();
    }
    let answer = post(&world, "/write?db=db&accept_partial=maybe", "a x=1i 1").await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn only_bad_lines_are_400_with_nothing_kept() {
    let world = World::new();
    let answer = write(&world, "a\nb\n").await;
    assert_eq!((answer.status, answer.position()), (400, None));
    assert!(answer.error().contains("partial write"), "{}", answer.text);
    world.assert_nothing_kept();
}

#[tokio::test]
async fn the_first_hundred_bad_lines_are_told() {
    let world = World::new();
    let answer = write(&world, "bad\n".repeat(250)).await;
    let body = answer.json();
    assert_eq!(body["data"].as_array().map(Vec::len), Some(100));
    assert!(answer.error().contains("250"), "{}", answer.error());
}

#[tokio::test]
async fn an_empty_write_is_400() {
    let world = World::new();
    for body in ["", "\n\n", "# nothing\n"] {
        let answer = write(&world, body).await;
        assert_eq!((answer.status, answer.error().as_str()), (400, "the write is empty"));
    }
    world.assert_nothing_kept();
}

#[tokio::test]
async fn limits_of_names_are_422_and_keep_the_other_lines() {
    let world = World::with_limits(Limits { columns_max: 2, ..Limits::default() });
    let answer = write(&world, "a x=1i 1\na y=1i 2").await;
    assert_eq!(answer.status, 422);
    assert!(answer.position().is_some(), "a line was kept");
    assert!(answer.error().contains("2 columns a table"), "{}", answer.error());
    let answer = write(&world, "a y=1i 2").await;
    assert_eq!((answer.status, answer.position()), (422, None));
    assert_eq!(world.sink.rows().len(), 1);

    let uri = format!("/api/v2/write?bucket={}", "d".repeat(65));
    assert_eq!(post(&world, &uri, "a x=1i 1").await.status, 422);
    assert_eq!(post(&world, "/api/v2/write?bucket=a%0Ab", "a x=1i 1").await.status, 400);
    assert_eq!(post(&world, "/api/v2/write", "a x=1i 1").await.status, 400);
}

#[tokio::test]
async fn what_the_sink_rejects_is_told_by_what_is_wrong_with_it() {
    for (why, status) in
        [(Rejection::NamesExhausted, 422), (Rejection::TooLarge, 413), (Rejection::Invalid, 400)]
    {
        let world = World::new();
        let reason = "the limit of 1000 is reached".to_owned();
        world.sink.fail_next(DmlError::Rejected { why, reason: reason.clone() });
        let answer = write(&world, "a x=1i 1").await;
        assert_eq!((answer.status, answer.error()), (status, reason), "{why:?}");
        assert_eq!(answer.header("retry-after"), None, "{why:?}");
        world.assert_nothing_kept();
    }
}

#[tokio::test]
async fn limits_of_a_request_are_413_with_nothing_kept() {
    let world = World::with_limits(Limits { partitions_max: 1, ..Limits::default() });
    let answer = write(&world, "a x=1i 1\nb x=1i 1").await;
    assert_eq!(answer.status, 413);
    assert!(answer.error().contains("limit of partitions a request"), "{}", answer.error());
    world.assert_nothing_kept();

    let world = World::with_limits(Limits { cells_max: 3, ..Limits::default() });
    let answer = write(&world, "a x=1i 1\na x=1i 2").await;
    assert_eq!(answer.status, 413);
    assert!(answer.error().contains("limit of rows × columns"), "{}", answer.error());
    world.assert_nothing_kept();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

async fn write_gzip(world: &World, body: Vec<u8>) -> Answer {
    let mut request = request(Method::POST, "/write?db=db", body);
    let encoding = http::HeaderValue::from_static("gzip");
    request.headers_mut().insert("content-encoding", encoding);
    ask(world, request).await
}

#[tokio::test]
async fn a_body_too_large_is_413_plain_and_inflated() {
    let world = World::with(Limits::default(), 1_000, 1 << 20);
    let body = format!("a x=\"{}\" 1", "x".repeat(1_000));
    assert_eq!(write(&world, body.clone()).await.status, 413);
    assert_eq!(write_gzip(&world, gzip(body.as_bytes())).await.status, 413);
    world.assert_nothing_kept();
    let two_members = [gzip(b"a x=1i 1\n"), gzip(b"a x=2i 2\n")].concat();
    assert_eq!(write_gzip(&world, two_members).await.status, 204);
    assert_eq!(world.sink.rows().len(), 2);
}

#[tokio::test]
async fn a_full_gate_is_503_and_says_when_to_come_back() {
    let world = World::with(Limits::default(), 1_000, 100_000);
    let held = world.gate.budget.try_reserve(MemoryOwner::Query, 99_999);
    let answer = write(&world, "a x=1i 1").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")));
    assert_eq!(answer.json()["code"], "unavailable");
    drop(held);
    world.assert_nothing_kept();
    assert_eq!(write(&world, "a x=1i 1").await.status, 204);
}

#[tokio::test]
async fn memory_that_cannot_grow_with_the_rows_is_503_with_nothing_kept() {
    // The body of 66 kB fits beside what others hold, its 6,000 rows of three columns do not.
    let world = World::with(Limits::default(), 100_000, 1_000_000);
    let body: String = (0..6_000).map(|n| format!("a x=1i {:03}\n", n % 1_000)).collect();
    let held = world.gate.budget.try_reserve(MemoryOwner::Query, 800_000);
    let answer = write(&world, body.clone()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("7")));
    drop(held);
    world.assert_nothing_kept();
    assert_eq!(write(&world, body).await.status, 204);
}

#[tokio::test]
async fn a_request_whose_body_and_rows_can_never_fit_together_is_413() {
    let world = World::with(Limits::default(), 100_000, 200_000);
    let body: String = (0..6_000).map(|n| format!("a x=1i {:03}\n", n % 1_000)).collect();
    assert_eq!(write(&world, body.clone()).await.status, 413);
    assert_eq!(write_gzip(&world, gzip(body.as_bytes())).await.status, 413);
    world.assert_nothing_kept();
}

#[tokio::test]
async fn many_small_partitions_are_reserved_for_as_what_they_cost() {
    let world = World::with(Limits::default(), 100_000, 1_000_000);
    let day = 86_400_000_000_000_i64;
    let body: String = (0..1_000).map(|n| format!("a x=1i {}\n", n * day)).collect();
    let answer = write(&world, body).await;
    assert_eq!(answer.status, 413, "a thousand partitions are more than a megabyte");
    world.assert_nothing_kept();
}

#[tokio::test]
async fn what_the_sink_says_has_its_status() {
    let reason = || "the log is full".to_owned();
    let retry_after = Duration::from_millis(2_500);
    for (error, status, seconds) in [
        (DmlError::Busy { reason: reason(), retry_after }, 503, Some("3")),
        (DmlError::Fenced { reason: reason() }, 503, Some("1")),
        (DmlError::Unknown { reason: reason() }, 504, None),
        (DmlError::Internal { reason: reason() }, 500, None),
    ] {
        let world = World::new();
        world.sink.fail_next(error);
        let answer = write(&world, "a x=1i 1").await;
        assert_eq!((answer.status, answer.header("retry-after")), (status, seconds));
        assert!(answer.error().contains("the log is full"), "{}", answer.error());
        world.assert_nothing_kept();
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_not_synced_has_an_answer_before_clients_give_up() {
    let world = World::new();
    world.sink.stall();
    let begun = tokio::time::Instant::now();
    assert_eq!(write(&world, "a x=1i 1").await.status, 504);
    assert!(begun.elapsed() < Duration::from_secs(5), "on the clock of the test");
    world.assert_nothing_kept();
}

#[tokio::test]
async fn the_loser_of_a_race_for_a_column_has_bad_lines() {
    let world = World::new();
    world.sink.interfere_next(vec![("a", "x", F64), ("a", "y", I64)]);
    let answer = write(&world, "a x=1i 1\na y=2i 2").await;
    assert_eq!(answer.status, 400);
    assert!(answer.position().is_some());
    assert_eq!(answer.json()["data"][0]["line_number"], 1);
    assert_eq!(world.sink.rows(), ["a 1970-01-01 |  | 2 | y=2i"]);
    world.assert_no_memory_held();
}

#[tokio::test]
async fn the_loser_of_a_race_that_changes_nothing_for_it_is_kept() {
    let world = World::new();
    world.sink.interfere_next(vec![("a", "z", I64)]);
    world.sink.interfere_next(vec![("a", "x", I64)]);
    assert_eq!(write(&world, "a x=1i 1\na y=2i 2").await.status, 204);
    assert_eq!(world.sink.rows().len(), 2);
}

#[tokio::test]
async fn a_table_that_changes_without_end_is_503() {
    let world = World::new();
    for _ in 0..100 {
        world.sink.fail_next(DmlError::SchemaChanged);
    }
    assert_eq!(write(&world, "a x=1i 1").await.status, 503);
    world.assert_nothing_kept();
}

#[tokio::test]
async fn a_sane_request_id_is_taken_and_another_is_drawn() {
    let world = World::new();
    for (sent, is_taken) in [
        ("3f2c-77.a:b/c", true),
        ("with space", false),
        ("quote\"d", false),
        (&*"x".repeat(129), false),
    ] {
        let mut request = request(Method::GET, "/ping", Body::empty());
        let value = http::HeaderValue::from_str(sent).expect("a header's value");
        request.headers_mut().insert(REQUEST_ID_HEADER, value);
        let answer = ask(&world, request).await;
        assert_eq!(answer.header(REQUEST_ID_HEADER) == Some(sent), is_taken, "{sent}");
    }
}

#[tokio::test]
async fn ping_says_who_is_there() {
    let world = World::new();
    for method in [Method::GET, Method::HEAD] {
        let answer = ask(&world, request(method, "/ping", Body::empty())).await;
        assert_eq!(answer.status, 204);
        let version = answer.header("x-influxdb-version").expect("clients ask for it");
        assert!(version.starts_with("3.0.0+forebay."), "{version}");
    }
    let answer = ask(&world, request(Method::GET, "/ping?verbose=true", Body::empty())).await;
    assert_eq!((answer.status, answer.json()["version"].is_string()), (200, true));
}

#[tokio::test]
async fn influxdb_1_clients_can_start() {
    let world = World::new();
    let created = json!({ "results": [{ "statement_id": 0 }] });
    for name in ["telegraf", "telegraf", "b"] {
        let uri = format!("/query?q=CREATE%20DATABASE%20%22{name}%22");
        let answer = post(&world, &uri, Body::empty()).await;
        assert_eq!((answer.status, answer.json()), (200, created.clone()));
    }
    let mut form = request(Method::POST, "/query", "q=show+databases&db=x");
    let content_type = http::HeaderValue::from_static("application/x-www-form-urlencoded");
    form.headers_mut().insert("content-type", content_type);
    let url = request(Method::GET, "/query?q=SHOW+DATABASES&db=x", Body::empty());
    for request in [form, url] {
        let answer = ask(&world, request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.json(),
            json!({ "results": [{ "statement_id": 0, "series": [{
                "name": "databases", "columns": ["name"], "values": [["b"], ["telegraf"]],
            }] }] })
        );
    }
}

#[tokio::test]
async fn other_statements_are_400_and_name_sql() {
    let world = World::new();
    let answer = post(&world, "/query?db=x&q=SELECT%201", Body::empty()).await;
    assert_eq!(answer.status, 400);
    assert!(answer.error().contains("SQL"), "{}", answer.error());
    assert!(answer.error().contains("/api/v3/query_sql"), "{}", answer.error());
    assert_eq!(post(&world, "/query", Body::empty()).await.status, 400);
}

#[tokio::test]
async fn databases_take_n_and_refuse_n_plus_one_with_422() {
    let world = World::with_limits(Limits { databases_max: 1, ..Limits::default() });
    let create = |name: &str| format!("/query?q=CREATE%20DATABASE%20{name}");
    assert_eq!(post(&world, &create("a"), Body::empty()).await.status, 200);
    assert_eq!(post(&world, &create("a"), Body::empty()).await.status, 200);
    assert_eq!(post(&world, &create("b"), Body::empty()).await.status, 422);
    assert_eq!(post(&world, "/write?db=a", "a x=1i 1").await.status, 204);
    assert_eq!(post(&world, "/write?db=b", "a x=1i 1").await.status, 422);
}

#[tokio::test]
async fn requests_are_counted_by_endpoint_and_class() {
    let world = World::new();
    post(&world, "/write?db=db", "a x=1i 1\nbad").await;
    post(&world, "/write?db=db", "a x=1i 1").await;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &world.registry).expect("can be encoded");
    for line in [
        r#"forebay_write_requests_total{endpoint="V1Write",class="Success"} 1"#,
        r#"forebay_write_requests_total{endpoint="V1Write",class="ClientError"} 1"#,
        r#"forebay_write_body_bytes_total{endpoint="V1Write"} 20"#,
        "forebay_write_lines_total 3",
        "forebay_write_bad_lines_total 1",
        "forebay_write_parse_seconds_count 2",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[tokio::test]
async fn other_methods_are_405() {
    let world = World::new();
    let answer = ask(&world, request(Method::GET, "/write?db=db", Body::empty())).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED.as_u16());
}
