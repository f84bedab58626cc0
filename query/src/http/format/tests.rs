//! The bytes of each form.

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, StringArray,
    StructArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use arrow::ipc::reader::StreamReader;
use datafusion::execution::memory_pool::GreedyMemoryPool;

use super::*;

const TIME: i64 = 1_357_017_420_000_000_000;

fn rows() -> RecordBatch {
    let host: DictionaryArray<Int32Type> = [Some("a"), None].into_iter().collect();
    let columns: [(&str, ArrayRef); 6] = [
        ("zulu", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("host", Arc::new(host)),
        ("n", Arc::new(Int64Array::from(vec![Some(-1), None]))),
        ("u", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
        ("usage", Arc::new(Float64Array::from(vec![Some(1.0), None]))),
        ("time", Arc::new(TimestampNanosecondArray::from(vec![TIME, TIME + 1_000_000]))),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn memory() -> Arc<dyn MemoryPool> {
    Arc::new(GreedyMemoryPool::new(1024 * 1024))
}

fn render(format: Format, batches: &[RecordBatch]) -> Result<Vec<u8>, Error> {
    let mut renderer = format.renderer(&batches[0].schema(), &memory())?;
    let mut bytes = Vec::new();
    for batch in batches {
        renderer.add(batch)?;
        bytes.append(&mut renderer.take());
    }
    renderer.finish()?;
    bytes.append(&mut renderer.take());
    Ok(bytes)
}

fn check(format: Format, batches: &[RecordBatch], expect: &str) {
    let bytes = render(format, batches).expect("rendered");
    assert_eq!(String::from_utf8(bytes).expect("text"), expect, "{format:?}");
}

#[test]
fn json_leaves_nulls_out_and_keeps_the_order_of_columns() {
    let first = r#"{"zulu":true,"host":"a","n":-1,"u":18446744073709551615,"usage":1.0,"time":"2013-01-01T05:17:00"}"#;
    let second = r#"{"u":0,"time":"2013-01-01T05:17:00.001"}"#;
    check(Format::Json, &[rows()], &format!("[{first},{second}]"));
    let halves = [rows().slice(0, 1), rows().slice(1, 1)];
    check(Format::Json, &halves, &format!("[{first},{second}]"));
    check(Format::Jsonl, &halves, &format!("{first}\n{second}\n"));
}

#[test]
fn json_of_no_rows_is_an_empty_array() {
    check(Format::Json, &[rows().slice(0, 0)], "[]");
    check(Format::Jsonl, &[rows().slice(0, 0)], "");
}

#[test]
fn json_has_structs_as_objects_and_no_null_from_a_dictionary() {
    let inner: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    let field = Arc::new(Field::new("x", DataType::Int64, true));
    let values = Arc::new(StringArray::from(vec![None, Some("b")]));
    let dictionary = DictionaryArray::new(Int32Array::from(vec![0]), values);
    let columns: [(&str, ArrayRef); 2] = [
        ("point", Arc::new(StructArray::from(vec![(field, inner)]))),
        ("host", Arc::new(dictionary)),
    ];
    let rows = RecordBatch::try_from_iter(columns).expect("columns of one length");
    check(Format::Json, &[rows], r#"[{"point":{"x":7}}]"#);
}

#[test]
fn csv_has_one_line_of_names() {
    let names = "zulu,host,n,u,usage,time\n";
    let halves = [rows().slice(0, 1), rows().slice(1, 1)];
    let expect = "true,a,-1,18446744073709551615,1.0,2013-01-01T05:17:00\n\
                  ,,,0,,2013-01-01T05:17:00.001\n";
    check(Format::Csv, &halves, &format!("{names}{expect}"));
    check(Format::Csv, &[rows().slice(0, 0)], names);
}

#[test]
fn csv_refuses_what_has_no_place_before_the_first_row() {
    let inner: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    let field = Arc::new(Field::new("x", DataType::Int64, true));
    let point: ArrayRef = Arc::new(StructArray::from(vec![(field, inner)]));
    let rows = RecordBatch::try_from_iter([("point", point)]).expect("a column");
    let refused = Format::Csv.renderer(&rows.schema(), &memory());
    assert!(matches!(refused, Err(Error::NotRendered { format: "CSV", .. })));
}

#[test]
fn pretty_is_arrows_table() {
    let columns = rows().project(&[1, 3]).expect("two columns");
    let expect = "\
+------+----------------------+
| host | u                    |
+------+----------------------+
| a    | 18446744073709551615 |
|      | 0                    |
+------+----------------------+
";
    check(Format::Pretty, &[columns], expect);
}

#[test]
fn pretty_is_bounded_in_rows_and_bytes() {
    let numbers = |count: usize| {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1; count]));
        RecordBatch::try_from_iter([("n", column)]).expect("a column")
    };
    let too_many = render(Format::Pretty, &[numbers(100_001)]).expect_err("too many rows");
    assert!(too_many.to_string().contains("100000 rows"), "{too_many}");
    let too_large = render(Format::Pretty, &[numbers(10_000)]).expect_err("too large");
    assert!(matches!(too_large, Error::OutOfMemory(_)), "{too_large}");
}

#[test]
fn parquet_is_read_back_whatever_is_taken_in_between() {
    let bytes = render(Format::Parquet, &[rows(), rows()]).expect("rendered");
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes))
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .expect("a Parquet file");
    let read: Vec<_> = reader.collect::<Result<_, _>>().expect("rows");
    let rows = arrow::compute::concat_batches(&rows().schema(), &[rows(), rows()]);
    assert_eq!(read, [rows.expect("one schema")]);
}

#[test]
fn arrow_is_read_back_whatever_is_taken_in_between() {
    let bytes = render(Format::Arrow, &[rows(), rows()]).expect("rendered");
    let reader = StreamReader::try_new(bytes.as_slice(), None).expect("a stream");
    let read: Vec<_> = reader.collect::<Result<_, _>>().expect("rows");
    assert_eq!(read, [rows(), rows()]);
}

#[test]
fn the_accept_header_chooses_where_no_format_is_named() {
    let rows = [
        ("", Format::Json),
        ("*/*", Format::Json),
        ("text/html, text/csv;q=0.9", Format::Csv),
        ("application/vnd.apache.parquet", Format::Parquet),
        ("application/vnd.apache.arrow.stream", Format::Arrow),
        ("application/jsonl", Format::Jsonl),
        ("text/plain", Format::Pretty),
    ];
    for (header, format) in rows {
        assert_eq!(Format::accepted(header), format, "{header}");
    }
    assert!("xml".parse::<Format>().is_err());
}
