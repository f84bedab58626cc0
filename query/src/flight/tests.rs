//! Both tickets, through the service as tonic serves it.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use axum::body::Body;
use http_body_util::BodyExt;
use prost::Message;
use tonic::Code;
use tonic_types::StatusExt;
use tower::ServiceExt;
use types::{CatalogVersion, DatabaseName};

use super::*;
use crate::front::POSITION;
use crate::front::fixture::{EPOCH, Fixture, LOG, TABLE, TIME, far_position};
use crate::proto::ingester_frame::Frame;
use crate::proto::{IngesterFrame, IngesterTicket, StreamStart, TimeRange};

type Client = FlightServiceClient<FlightServiceServer<FlightFrontEnd>>;

/// What comes out of a stream, message by message.
#[derive(Debug)]
enum Got {
    Frame(Frame),
    Schema(SchemaRef),
    Rows(RecordBatch),
}

fn client(fixture: &Fixture) -> Client {
    FlightServiceClient::new(service(fixture.engine.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
}

async fn read(client: &mut Client, ticket: impl Into<bytes::Bytes>) -> Result<Vec<Got>, Status> {
    let frames = client.do_get(Ticket::new(ticket)).await?.into_inner();
    let decoder = FlightDataDecoder::new(frames.map_err(FlightError::from));
    let got = decoder.map_ok(|message| match message.payload {
        DecodedPayload::Schema(schema) => Got::Schema(schema),
        DecodedPayload::RecordBatch(rows) => Got::Rows(rows),
        DecodedPayload::None => {
            let frame = IngesterFrame::decode(message.inner.app_metadata).expect("a frame");
            Got::Frame(frame.frame.expect("one of the frames"))
        }
    });
    got.try_collect().await.map_err(Status::from)
}

fn sql(text: &str) -> String {
    let ticket = serde_json::json!({ "database": "db", "sql_query": text, "query_type": "sql" });
    ticket.to_string()
}

fn buffer_at(version: CatalogVersion) -> IngesterTicket {
    IngesterTicket {
        database: "db".to_owned(),
        table: "cpu".to_owned(),
        catalog_version: version.get(),
        ..IngesterTicket::default()
    }
}

async fn read_buffer(fixture: &Fixture, ticket: &IngesterTicket) -> Result<Vec<Got>, Status> {
    read(&mut client(fixture), ticket.encode_to_vec()).await
}

fn json(got: &[Got]) -> String {
    let mut writer = arrow::json::ArrayWriter::new(Vec::new());
    for message in got {
        if let Got::Rows(rows) = message {
            writer.write(rows).expect("JSON");
        }
    }
    writer.finish().expect("JSON");
    String::from_utf8(writer.into_inner()).expect("text")
}

fn version(fixture: &Fixture) -> CatalogVersion {
    catalog::CatalogRead::snapshot(&*fixture.catalog).version()
}

/// The LSNs of the chunks, in the order in which they came.
fn lsns(got: &[Got]) -> Vec<u64> {
    let lsn = |message: &Got| match message {
        Got::Frame(Frame::Chunk(chunk)) => Some(chunk.first_lsn),
        _ => None,
    };
    got.iter().filter_map(lsn).collect()
}

#[tokio::test]
async fn a_json_ticket_has_the_rows_that_http_has() {
    let fixture = Fixture::new().await;
    let text = "SELECT * FROM cpu ORDER BY time";
    let got = read(&mut client(&fixture), sql(text)).await.expect("rows");
    let uri = format!("{}?db=db&q={}", crate::http::QUERY_SQL, text.replace(' ', "+"));
    let request = http::Request::get(uri).body(Body::empty()).expect("a request");
    let response = crate::http::routes(fixture.engine.clone()).oneshot(request).await;
    let body = response.expect("an answer").into_body().collect().await.expect("a body");
    assert_eq!(json(&got).as_bytes(), body.to_bytes());
    let Some(Got::Schema(schema)) = got.first() else {
        panic!("the schema comes first: {got:?}");
    };
    assert_eq!(schema.field(0).data_type(), &DataType::Utf8, "dictionaries are unfolded");
    assert_eq!(schema.field(0).metadata()["iox::column::type"], "iox::column_type::tag");
}

#[tokio::test]
async fn no_rows_still_have_a_schema() {
    let fixture = Fixture::new().await;
    let got = read(&mut client(&fixture), sql("SELECT n FROM cpu WHERE n > 9")).await;
    assert!(matches!(got.expect("a schema").as_slice(), [Got::Schema(_)]));
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let fixture = Fixture::new().await;
    let mut client = client(&fixture);
    for (ticket, code) in [
        (sql("SELEC 1"), Code::InvalidArgument),
        (sql("SELECT 1").replace("\"db\"", "\"nowhere\""), Code::NotFound),
        ("no ticket".to_owned(), Code::InvalidArgument),
    ] {
        let status = read(&mut client, ticket).await.expect_err("refused");
        assert_eq!(status.code(), code, "{status}");
    }
    let mut late = Request::new(Ticket::new(sql("SELECT 1")));
    let position = far_position().to_string().parse().expect("a metadata value");
    late.metadata_mut().insert(POSITION, position);
    let status = client.do_get(late).await.expect_err("not reached");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.get_details_retry_info().is_some());
}

#[tokio::test]
async fn a_read_of_the_buffer_needs_a_permit_and_gives_it_back() {
    let fixture = Fixture::new().await;
    let ticket = buffer_at(version(&fixture));
    let database = DatabaseName::new("db").expect("a good name");
    let running = fixture.engine.admit(&database, "SELECT 1").expect("the first");
    let status = read_buffer(&fixture, &ticket).await.expect_err("refused");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    drop(running);
    read_buffer(&fixture, &ticket).await.expect("a permit is free");
    read_buffer(&fixture, &ticket).await.expect("the permit was given back");
}

#[tokio::test]
async fn unpersisted_rows_come_partition_by_partition_after_who_sends_them() {
    let fixture = Fixture::new().await;
    let version = version(&fixture);
    let got = read_buffer(&fixture, &buffer_at(version)).await.expect("rows");
    let [
        Got::Frame(Frame::Start(start)),
        Got::Frame(Frame::Partition(first_day)),
        Got::Frame(Frame::Chunk(_)),
        Got::Schema(first_schema),
        Got::Rows(_),
        Got::Frame(Frame::Chunk(_)),
        // The second chunk has the schema of the first, which is not sent again.
        Got::Rows(_),
        Got::Frame(Frame::Partition(second_day)),
        Got::Frame(Frame::Chunk(_)),
        Got::Schema(second_schema),
        Got::Rows(_),
    ] = got.as_slice()
    else {
        panic!("another order: {got:?}");
    };
    let expect = StreamStart {
        log_id: LOG.as_bytes().to_vec().into(),
        epoch: EPOCH.get(),
        published_lsn: 3,
        catalog_version: version.get(),
    };
    assert_eq!(*start, expect);
    assert_eq!(first_day.partition_key, "2013-01-01");
    assert_eq!(second_day.partition_key, "2013-01-02");
    assert_eq!(first_day.partition_id.len(), 16);
    let names = |schema: &SchemaRef| {
        let names = schema.fields().iter().map(|field| field.name().as_str());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(first_schema), "host n time");
    assert_eq!(names(second_schema), "host region time up");
    assert_eq!(lsns(&got), [1, 2, 3]);
    assert_eq!(
        json(&got),
        r#"[{"host":"a","n":1,"time":"2013-01-01T05:17:00"},{"host":"b","n":-2,"time":"2013-01-01T05:17:00.000000001"},{"host":"a","region":"eu","time":"2013-01-02T05:17:00","up":true}]"#
    );
}

#[tokio::test]
async fn unknown_columns_are_ignored_and_times_outside_left_out() {
    let fixture = Fixture::new().await;
    let ticket = IngesterTicket {
        columns: vec!["n".to_owned(), "nothing".to_owned()],
        time_range: Some(TimeRange { first: TIME + 1, last: TIME + 9 }),
        ..buffer_at(version(&fixture))
    };
    let got = read_buffer(&fixture, &ticket).await.expect("rows");
    // The primary key is there unasked.
    let expect = r#"[{"host":"b","n":-2,"time":"2013-01-01T05:17:00.000000001"}]"#;
    assert_eq!(json(&got), expect);
    assert_eq!(lsns(&got), [2]);
}

#[tokio::test]
async fn a_read_holds_its_scan_and_not_all_tables() {
    let fixture = Fixture::new().await;
    let ticket = Ticket::new(buffer_at(version(&fixture)).encode_to_vec());
    let answer = client(&fixture).do_get(ticket).await.expect("is served");
    assert_eq!(fixture.registered(), 0, "the scan is open and nothing of it was read");
    let frames: Vec<_> = answer.into_inner().try_collect().await.expect("is whole");
    assert!(!frames.is_empty());
}

#[tokio::test]
async fn files_added_after_the_version_are_as_if_they_were_not_there() {
    let fixture = Fixture::new().await;
    let before = version(&fixture);
    let after = fixture.persist_first().await;
    let got = read_buffer(&fixture, &buffer_at(before)).await.expect("rows");
    assert_eq!(lsns(&got), [1, 2, 3]);
    let got = read_buffer(&fixture, &buffer_at(after)).await.expect("rows");
    assert_eq!(lsns(&got), [2, 3]);
}

#[tokio::test]
async fn a_version_that_cannot_be_served_is_refused() {
    let fixture = Fixture::new().await;
    let too_old = buffer_at(CatalogVersion::new(1));
    let status = read_buffer(&fixture, &too_old).await.expect_err("too old");
    assert_eq!(status.code(), Code::Aborted, "{status}");
    let told = status.get_details_error_info().expect("error info");
    assert_eq!(told.metadata["oldest_version"], "2");

    let unknown = buffer_at(CatalogVersion::new(99));
    let status = read_buffer(&fixture, &unknown).await.expect_err("not known yet");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

#[tokio::test]
async fn a_table_that_is_not_the_one_meant_is_not_found() {
    let fixture = Fixture::new().await;
    let at = version(&fixture);
    let other_id = IngesterTicket { table_id: Some(TABLE.get() + 1), ..buffer_at(at) };
    let other_name = IngesterTicket { table: "mem".to_owned(), ..buffer_at(at) };
    for ticket in [other_id, other_name] {
        let status = read_buffer(&fixture, &ticket).await.expect_err("no such table");
        assert_eq!(status.code(), Code::NotFound, "{status}");
    }
    let same_id = IngesterTicket { table_id: Some(TABLE.get()), ..buffer_at(at) };
    read_buffer(&fixture, &same_id).await.expect("the very table");
}

#[tokio::test]
async fn a_handshake_is_echoed_and_other_calls_say_what_to_call() {
    let mut client = client(&Fixture::new().await);
    let hello = HandshakeRequest { protocol_version: 3, payload: "hello".into() };
    let answer = client.handshake(stream::iter([hello])).await.expect("a stream");
    let echo = answer.into_inner().message().await.expect("a message").expect("one");
    assert_eq!((echo.protocol_version, &echo.payload[..]), (3, &b"hello"[..]));
    let status = client.get_flight_info(FlightDescriptor::new_cmd("x")).await;
    let status = status.expect_err("not served");
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains("DoGet"), "{status}");
}
