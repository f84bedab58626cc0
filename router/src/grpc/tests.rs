//! Direct writes and demands to persist, through the generated clients.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float32Array, Float64Array, Int8Array,
    Int16Array, Int64Array, LargeStringArray, RecordBatch, StringArray, StringViewArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt8Array,
    UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{Field, Int8Type, Schema};
use arrow::ipc::writer::StreamWriter;
use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, stream};
use proptest::prelude::*;
use tonic::codegen::Service;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use types::schema::{ColumnKind, FieldType, KIND_METADATA_KEY};
use types::seam::{DmlError, PersistNowError};
use types::{MemoryOwner, Position};

use super::*;
use crate::config::Limits;
use crate::proto::persist_service_client::PersistServiceClient;
use crate::proto::write_service_client::WriteServiceClient;
use crate::proto::{PersistRequest, TableBatch, WriteRequest};
use crate::testing::World;

const I64: ColumnKind = ColumnKind::Field(FieldType::I64);
const F64: ColumnKind = ColumnKind::Field(FieldType::F64);

/// Columns by name; those called `tag:name` are plain text that says of itself that it is a tag.
fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let (fields, columns): (Vec<_>, Vec<_>) = columns
        .into_iter()
        .map(|(name, values)| {
            let field = |name| Field::new(name, values.data_type().clone(), true);
            let field = match name.strip_prefix("tag:") {
                None => field(name),
                Some(name) => field(name).with_metadata(HashMap::from([(
                    KIND_METADATA_KEY.to_owned(),
                    "tag".to_owned(),
                )])),
            };
            (field, values)
        })
        .unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("columns of one length")
}

fn ipc_bytes(batch: &RecordBatch) -> Bytes {
    let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref()).expect("in memory");
    writer.write(batch).expect("in memory");
    Bytes::from(writer.into_inner().expect("in memory"))
}

fn table(name: &str, version: Option<u64>, batch: &RecordBatch) -> TableBatch {
    TableBatch { table: name.to_owned(), schema_version: version, arrow_ipc: ipc_bytes(batch) }
}

async fn write(world: &World, tables: Vec<TableBatch>) -> Result<Position, Status> {
    let request = WriteRequest { database: "db".to_owned(), tables, batch_id: vec![7; 16] };
    let mut client = WriteServiceClient::new(write_service(&world.edge));
    let reply = client.write(request).await?.into_inner();
    Ok(reply.position.parse().expect("the position can be read back"))
}

async fn check(columns: Vec<(&str, ArrayRef)>, rows: &[&str], tables: &[&str]) {
    let world = World::new();
    write(&world, vec![table("m", None, &batch(columns))]).await.expect("fits");
    assert_eq!(world.sink.rows(), rows);
    assert_eq!(world.tables(), tables);
    world.assert_no_memory_held();
}

/// The request is refused whole, and the message says why.
async fn check_refused(columns: Vec<(&str, ArrayRef)>, why: &[&str]) {
    let world = World::new();
    let good = batch(vec![time(&[1]), ("x", Arc::new(Int64Array::from(vec![1])))]);
    let tables = vec![table("a", None, &good), table("m", None, &batch(columns))];
    let refused = write(&world, tables).await.expect_err("does not fit");
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    for word in why {
        assert!(refused.message().contains(word), "{word} in {}", refused.message());
    }
    world.assert_nothing_kept();
}

fn time(times: &[i64]) -> (&'static str, ArrayRef) {
    ("time", Arc::new(TimestampNanosecondArray::from(times.to_vec())))
}

fn dictionary(values: &[Option<&str>]) -> ArrayRef {
    let values: DictionaryArray<Int8Type> = values.iter().copied().collect();
    Arc::new(values)
}

#[tokio::test]
async fn columns_become_tags_and_fields() {
    check(
        vec![
            ("host", dictionary(&[Some("a"), None, Some("b")])),
            ("tag:az", Arc::new(LargeStringArray::from(vec![Some("1"), Some(""), None]))),
            ("note", Arc::new(StringArray::from(vec![Some("x"), None, Some("y")]))),
            ("small", Arc::new(Int16Array::from(vec![Some(-1), Some(2), None]))),
            ("tiny", Arc::new(UInt8Array::from(vec![255, 0, 1]))),
            ("half", Arc::new(Float32Array::from(vec![1.5, 2.0, 3.0]))),
            ("on", Arc::new(BooleanArray::from(vec![true, false, true]))),
            time(&[1, 2, 86_400_000_000_000]),
        ],
        &[
            "m 1970-01-01 | az=1,host=a | 1 | half=1.5,note=\"x\",on=true,small=-1i,tiny=255u",
            "m 1970-01-01 |  | 2 | half=2.0,on=false,small=2i,tiny=0u",
            "m 1970-01-02 | host=b | 86400000000000 | half=3.0,note=\"y\",on=true,tiny=1u",
        ],
        &["m(az tag, half field of type float, host tag, note field of type string, on field of type \
          boolean, small field of type integer, tiny field of type unsigned integer)"],
    )
    .await;
}

#[tokio::test]
async fn texts_are_taken_as_views_too() {
    let words: ArrayRef = Arc::new(StringViewArray::from_iter_values(["a", "thirteen bytes"]));
    let keys = Int8Array::from(vec![Some(1), None]);
    let dictionary = DictionaryArray::new(keys, Arc::clone(&words));
    check(
        vec![
            ("s", Arc::clone(&words)),
            ("tag:t", words),
            ("d", Arc::new(dictionary)),
            time(&[1, 2]),
        ],
        &[
            "m 1970-01-01 | d=thirteen bytes,t=a | 1 | s=\"a\"",
            "m 1970-01-01 | t=thirteen bytes | 2 | s=\"thirteen bytes\"",
        ],
        &["m(d tag, s field of type string, t tag)"],
    )
    .await;
}

/// So many views of one value of `len` bytes: little to send, and much if each were unfolded.
fn views_of_one_value(rows: usize, len: usize) -> ArrayRef {
    let value = StringViewArray::from_iter_values(["x".repeat(len)]);
    take(&value, &UInt32Array::from(vec![0; rows]), None).expect("there is a first value")
}

#[tokio::test]
async fn views_of_one_value_are_not_unfolded() {
    const ROWS: usize = 16_384;
    let keys = Int16Array::from(vec![0; ROWS]);
    let dictionary = DictionaryArray::new(keys, views_of_one_value(ROWS, 1 << 20));
    for (texts, code, word) in [
        (views_of_one_value(ROWS, 1 << 20), Code::InvalidArgument, "\"s\""),
        (Arc::new(dictionary) as ArrayRef, Code::InvalidArgument, "\"s\""),
        (views_of_one_value(ROWS, 64 << 10), Code::OutOfRange, "memory"),
        (views_of_one_value(2, 65_537), Code::InvalidArgument, "65536"),
    ] {
        let world = World::with(Limits::default(), 4 << 20, 64 << 20);
        let columns = vec![time(&vec![1; texts.len()]), ("s", texts)];
        let refused = write(&world, vec![table("m", None, &batch(columns))]).await;
        let refused = refused.expect_err("is many GiB");
        assert_eq!(refused.code(), code, "{refused}");
        assert!(refused.message().contains(word), "{}", refused.message());
        world.assert_nothing_kept();
    }
}

#[tokio::test]
async fn any_unit_of_time_is_taken_under_any_name_if_it_is_the_only_one() {
    for times in [
        Arc::new(TimestampSecondArray::from(vec![2])) as ArrayRef,
        Arc::new(TimestampMillisecondArray::from(vec![2_000]).with_timezone("+02:00")),
    ] {
        check(
            vec![("ts", times), ("x", Arc::new(Int64Array::from(vec![1])))],
            &["m 1970-01-01 |  | 2000000000 | x=1i"],
            &["m(x field of type integer)"],
        )
        .await;
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_whole_and_names_the_column() {
    let x = || ("x", Arc::new(Int64Array::from(vec![1])) as ArrayRef);
    let timestamps =
        |times: Vec<Option<i64>>| Arc::new(TimestampNanosecondArray::from(times)) as ArrayRef;
    check_refused(vec![x()], &["time", "timestamp"]).await;
    check_refused(vec![("time", Arc::new(Int64Array::from(vec![1]))), x()], &["time"]).await;
    check_refused(vec![("a", time(&[1]).1), ("b", time(&[1]).1), x()], &["time"]).await;
    check_refused(vec![time(&[1]), ("b", time(&[1]).1)], &["\"b\"", "Timestamp"]).await;
    check_refused(vec![("time", timestamps(vec![None])), x()], &["time", "row 0"]).await;
    let seconds = Arc::new(TimestampSecondArray::from(vec![i64::MAX]));
    check_refused(vec![("when", seconds), x()], &["when", "range of time"]).await;
    let nan = Arc::new(Float64Array::from(vec![f64::NAN]));
    check_refused(vec![time(&[1]), ("f", nan)], &["\"f\"", "not finite"]).await;
    let null = arrow::array::new_null_array(&arrow::datatypes::DataType::Date32, 1);
    check_refused(vec![time(&[1]), ("d", null)], &["\"d\"", "Date32"]).await;
    let long = Arc::new(StringArray::from(vec!["x".repeat(65_537)]));
    check_refused(vec![time(&[1]), ("s", long)], &["\"s\"", "65536"]).await;
    check_refused(vec![time(&[1]), x(), x()], &["\"x\"", "two"]).await;
    let longest = "c".repeat(256);
    check_refused(vec![time(&[1]), (&longest, x().1)], &["255"]).await;
}

#[tokio::test]
async fn the_catalog_decides_what_is_a_tag() {
    let world = World::new();
    let text = ColumnKind::Field(FieldType::Utf8);
    world.add_table("m", &[("t", ColumnKind::Tag), ("s", text), ("f", F64)]).await;
    let columns = vec![
        ("t", Arc::new(StringArray::from(vec!["a"])) as ArrayRef),
        ("s", dictionary(&[Some("b")])),
        time(&[1]),
    ];
    write(&world, vec![table("m", Some(1), &batch(columns))]).await.expect("fits");
    assert_eq!(world.sink.rows(), ["m 1970-01-01 | t=a | 1 | s=\"b\""]);
    let wrong = vec![("f", Arc::new(Int64Array::from(vec![1])) as ArrayRef), time(&[1])];
    let refused = write(&world, vec![table("m", Some(1), &batch(wrong))]).await;
    let refused = refused.expect_err("an integer is no float");
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("\"f\""), "{}", refused.message());
}

#[tokio::test]
async fn an_older_picture_of_the_schema_is_told_the_version() {
    let world = World::new();
    world.add_table("m", &[("x", I64)]).await;
    world.add_table("m", &[("y", I64)]).await;
    let rows = batch(vec![time(&[1]), ("x", Arc::new(Int64Array::from(vec![1])))]);
    for sent in [0, 1, 3] {
        let refused = write(&world, vec![table("m", Some(sent), &rows)]).await;
        let refused = refused.expect_err("another version");
        assert_eq!(refused.code(), Code::FailedPrecondition);
        let details = refused.get_error_details();
        let told = details.error_info().expect("the version is told");
        assert_eq!(told.metadata["schema_version"], "2");
        assert_eq!(told.metadata["table"], "m");
    }
    assert_eq!(world.sink.rows(), Vec::<String>::new());
    write(&world, vec![table("m", Some(2), &rows)]).await.expect("the right version");
    write(&world, vec![table("new", Some(0), &rows)]).await.expect("a new table");
}

#[tokio::test]
async fn a_race_is_checked_again_and_the_loser_is_refused_whole() {
    let world = World::new();
    let rows = batch(vec![time(&[1]), ("x", Arc::new(Int64Array::from(vec![1])))]);
    world.sink.interfere_next(vec![("m", "y", I64)]);
    write(&world, vec![table("m", None, &rows)]).await.expect("the other column does not matter");

    let world = World::new();
    world.sink.interfere_next(vec![("m", "x", F64)]);
    let refused = write(&world, vec![table("m", None, &rows)]).await.expect_err("x is a float now");
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("\"x\""), "{}", refused.message());

    let world = World::new();
    world.sink.interfere_next(vec![("m", "y", I64)]);
    let refused = write(&world, vec![table("m", Some(0), &rows)]).await;
    let refused = refused.expect_err("the sender has checked against another version");
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn busy_says_when_to_come_back() {
    let world = World::with(Limits::default(), 100_000, 100_000);
    let rows = batch(vec![time(&[1]), ("x", Arc::new(Int64Array::from(vec![1])))]);
    let held = world.gate.budget.try_reserve(MemoryOwner::Query, 99_999);
    let refused = write(&world, vec![table("m", None, &rows)]).await.expect_err("no memory");
    assert_eq!(refused.code(), Code::Unavailable);
    let retry = refused.get_details_retry_info().and_then(|info| info.retry_delay);
    assert_eq!(retry, Some(Duration::from_millis(1_500)));
    drop(held);
    world.sink.fail_next(DmlError::Unknown { reason: "no sync".to_owned() });
    let unknown = write(&world, vec![table("m", None, &rows)]).await.expect_err("no sync");
    assert_eq!(unknown.code(), Code::DeadlineExceeded);
    world.assert_nothing_kept();
}

#[tokio::test]
async fn limits_refuse_the_request_whole() {
    let rows = batch(vec![time(&[1, 2]), ("x", Arc::new(Int64Array::from(vec![1, 2])))]);
    let limited = World::with_limits(Limits { cells_max: 3, ..Limits::default() });
    let refused = write(&limited, vec![table("m", None, &rows)]).await.expect_err("four values");
    assert_eq!(refused.code(), Code::OutOfRange);
    let limited = World::with_limits(Limits { tables_max: 1, ..Limits::default() });
    let tables = vec![table("m", None, &rows), table("n", None, &rows)];
    let refused = write(&limited, tables).await.expect_err("two tables");
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("1 tables a database"), "{}", refused.message());
    limited.assert_nothing_kept();
    let small = World::with(Limits::default(), 100, 1 << 20);
    let refused = write(&small, vec![table("m", None, &rows)]).await.expect_err("over 100 bytes");
    assert_eq!(refused.code(), Code::OutOfRange);
    small.assert_nothing_kept();
}

#[tokio::test]
async fn a_message_names_no_more_tables_than_a_request_may_have_partitions() {
    let limited = World::with_limits(Limits { partitions_max: 2, ..Limits::default() });
    let rows = batch(vec![time(&[1]), ("x", Arc::new(Int64Array::from(vec![1])))]);
    let tables = |count| vec![table("m", None, &rows); count];
    let refused = write(&limited, tables(3)).await.expect_err("three tables");
    assert_eq!(refused.code(), Code::OutOfRange);
    assert!(refused.message().contains("limit of partitions"), "{}", refused.message());
    limited.assert_nothing_kept();
    write(&limited, tables(2)).await.expect("two tables");
}

#[tokio::test]
async fn empty_and_malformed_requests_are_refused() {
    let world = World::new();
    let none = batch(vec![time(&[]), ("x", Arc::new(Int64Array::from(Vec::<i64>::new())))]);
    for tables in [vec![], vec![table("m", None, &none)]] {
        let refused = write(&world, tables).await.expect_err("no rows");
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::InvalidArgument, "the write is empty")
        );
    }
    let garbage = TableBatch {
        table: "m".to_owned(),
        schema_version: None,
        arrow_ipc: Bytes::from_static(b"not an Arrow stream"),
    };
    let refused = write(&world, vec![garbage]).await.expect_err("no stream");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let mut client = WriteServiceClient::new(write_service(&world.edge));
    let odd_id = WriteRequest { database: "db".to_owned(), tables: vec![], batch_id: vec![1; 15] };
    let refused = client.write(odd_id).await.expect_err("15 bytes");
    assert_eq!(refused.code(), Code::InvalidArgument);
    world.assert_nothing_kept();
}

/// A message of `len` bytes in pieces of a kilobyte, the first with the head, and how many of them
/// were asked for.
fn pieces(len: u32) -> (Body, Arc<AtomicUsize>) {
    let mut framed = vec![0];
    framed.extend_from_slice(&len.to_be_bytes());
    framed.resize(framed.len() + len as usize, 7);
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let pieces: Vec<Bytes> = framed.chunks(1 << 10).map(Bytes::copy_from_slice).collect();
    let stream = stream::iter(pieces).map(move |piece| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok::<_, io::Error>(piece)
    });
    (Body::from_stream(stream), asked)
}

/// What a body is refused with.
async fn refusal_of(world: &World, body: Body) -> Status {
    let request = http::Request::builder()
        .method("POST")
        .uri("/forebay.v1.WriteService/Write")
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::new(body))
        .expect("a good request");
    let Ok(response) = write_service(&world.edge).call(request).await;
    Status::from_header_map(response.headers()).expect("it is refused at once")
}

#[tokio::test]
async fn nothing_is_read_before_there_is_memory_for_it() {
    let world = World::with(Limits::default(), 100_000, 100_000);
    let held = world.gate.budget.try_reserve(MemoryOwner::Query, 99_999);
    let (body, asked) = pieces(1_000);
    let refused = refusal_of(&world, body).await;
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(refused.get_details_retry_info().is_some());
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    drop(held);
    world.assert_nothing_kept();
}

#[tokio::test]
async fn a_message_is_refused_as_soon_as_its_length_is_known() {
    let busy = World::with(Limits::default(), 4 << 20, 8 << 20);
    let held = busy.gate.budget.try_reserve(MemoryOwner::Query, 7 << 20);
    let (body, asked) = pieces(2 << 20);
    let refused = refusal_of(&busy, body).await;
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    let retry = refused.get_details_retry_info().and_then(|info| info.retry_delay);
    assert_eq!(retry, Some(Duration::from_secs(7)), "as the gate says");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    drop(held);
    busy.assert_nothing_kept();

    for (limit, budget) in [(4 << 20, 1 << 20), (1 << 20, 64 << 20)] {
        let world = World::with(Limits::default(), limit, budget);
        let (body, asked) = pieces(2 << 20);
        let refused = refusal_of(&world, body).await;
        assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        world.assert_nothing_kept();
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_come_in_time_gives_its_memory_back() {
    let world = World::new();
    let beginning = stream::iter([Ok::<_, io::Error>(Bytes::from_static(&[0, 0, 0, 1]))]);
    let refused = refusal_of(&world, Body::from_stream(beginning.chain(stream::pending()))).await;
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(refused.message().contains("in time"), "{refused}");
    world.assert_nothing_kept();
}

#[tokio::test]
async fn a_message_that_is_cut_short_is_refused() {
    let world = World::new();
    for cut in [&[][..], &[0_u8, 0], &[0, 0, 0, 1, 0, 7, 7]] {
        let refused = refusal_of(&world, Body::from(cut.to_vec())).await;
        assert_eq!(refused.code(), Code::Internal, "{refused}");
        world.assert_nothing_kept();
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_not_synced_has_an_answer_before_clients_give_up() {
    let world = World::new();
    world.sink.stall();
    let rows = batch(vec![time(&[1]), ("x", Arc::new(Int64Array::from(vec![1])))]);
    let begun = tokio::time::Instant::now();
    let unknown = write(&world, vec![table("m", None, &rows)]).await.expect_err("no sync");
    assert_eq!(unknown.code(), Code::DeadlineExceeded, "{unknown}");
    assert!(begun.elapsed() < Duration::from_secs(5), "on the clock of the test");
    world.assert_nothing_kept();
}

async fn write_packed(
    world: &World,
    packing: CompressionEncoding,
    request: WriteRequest,
) -> Result<(), Status> {
    let client = WriteServiceClient::new(write_service(&world.edge));
    client.send_compressed(packing).write(request).await.map(|_| ())
}

#[tokio::test]
async fn b21_packed_messages_are_taken_up_to_the_limit_and_the_memory() {
    let rows = batch(vec![time(&[1]), ("x", Arc::new(Int64Array::from(vec![1])))]);
    let request = |database: &str| WriteRequest {
        database: database.to_owned(),
        tables: vec![table("m", None, &rows)],
        batch_id: Vec::new(),
    };
    let too_long = "x".repeat(8 << 20);
    for packing in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let world = World::new();
        write_packed(&world, packing, request("db")).await.expect("fits");
        assert_eq!(world.sink.rows(), ["m 1970-01-01 |  | 1 | x=1i"]);
        world.assert_no_memory_held();

        let world = World::new();
        let refused = write_packed(&world, packing, request(&too_long)).await;
        let refused = refused.expect_err("it inflates to eight times the limit");
        let codes = [Code::OutOfRange, Code::ResourceExhausted];
        assert!(codes.contains(&refused.code()), "{refused}");
        world.assert_nothing_kept();

        // Less than the limit, and more than there is memory for.
        let world = World::with(Limits::default(), 64 << 20, 4 << 20);
        let refused = write_packed(&world, packing, request(&too_long)).await;
        assert_eq!(refused.expect_err("no room").code(), Code::OutOfRange);
        world.assert_nothing_kept();
    }
}

fn stream_of_all_kinds() -> Bytes {
    ipc_bytes(&batch(vec![
        ("host", dictionary(&[Some("a"), None, Some("b")])),
        ("s", Arc::new(StringArray::from(vec![Some("x"), None, Some("yz")]))),
        ("v", views_of_one_value(3, 20)),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("f", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]))),
        time(&[1, 2, 3]),
    ]))
}

proptest! {
    /// Whatever strangers send: no panic leaves the decoder, and it never holds much more than was
    /// sent.
    #[test]
    fn no_stream_makes_the_decoder_panic(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        keep in any::<proptest::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut stream = stream_of_all_kinds().to_vec();
        let len = stream.len();
        for (at, byte) in changes {
            stream[at.index(len)] = byte;
        }
        if cut {
            stream.truncate(keep.index(len));
        }
        let mut text_left = ipc::VIEW_TEXT_BYTES_MAX;
        if let Ok(batches) = ipc::decode(Bytes::from(stream), &mut text_left) {
            let held: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
            prop_assert!(held < 100 * len, "{held} bytes from {len}");
        }
    }
}

async fn persist(world: &World, request: PersistRequest) -> Result<(), Status> {
    let mut client = PersistServiceClient::new(persist_service(&world.edge));
    client.persist(request).await.map(|_| ())
}

#[tokio::test]
async fn a_demand_to_persist_is_handed_on() {
    let world = World::new();
    let demand = |table: Option<&str>, seconds: Option<i64>| PersistRequest {
        database: "db".to_owned(),
        table: table.map(str::to_owned),
        timeout: seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
    };
    persist(&world, demand(None, None)).await.expect("persisted");
    persist(&world, demand(Some("cpu"), Some(5))).await.expect("persisted");
    let demands = world.persist.demands.lock().clone();
    assert_eq!(
        demands,
        [
            ("db".to_owned(), None, Duration::from_secs(300)),
            ("db".to_owned(), Some("cpu".to_owned()), Duration::from_secs(5)),
        ]
    );
    let negative = persist(&world, demand(None, Some(-1))).await.expect_err("in the past");
    assert_eq!(negative.code(), Code::InvalidArgument);
    let unnamed = persist(&world, demand(Some(""), None)).await.expect_err("no name");
    assert_eq!(unnamed.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_persist_that_is_not_met_says_why() {
    let timed_out = PersistNowError::TimedOut {
        timeout: Duration::from_secs(5),
        left: "cpu 2013-01-01".to_owned(),
    };
    let not_ready = PersistNowError::NotReady { reason: "replaying".to_owned() };
    for (error, code, word) in [
        (PersistNowError::NotFound { what: "database db".to_owned() }, Code::NotFound, "db"),
        (timed_out, Code::DeadlineExceeded, "cpu 2013-01-01"),
        (not_ready, Code::Unavailable, "replaying"),
    ] {
        let world = World::new();
        world.persist.failures.lock().insert("db".to_owned(), error);
        let request = PersistRequest { database: "db".to_owned(), table: None, timeout: None };
        let failed = persist(&world, request).await.expect_err("not met");
        assert_eq!(failed.code(), code);
        assert!(failed.message().contains(word), "{}", failed.message());
        let says_when = failed.get_details_retry_info().is_some();
        assert_eq!(says_when, code == Code::Unavailable);
    }
}
