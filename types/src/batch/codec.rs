//! Batches as bytes: the columns narrowed to what their values need.
//!
//! ```text
//! batch    rows varint | series varint | series × (text)          text: length varint, UTF-8
//!          series numbers: integers | times: integers
//!          fields varint | fields × (name text, type u8, nulls u8 [, bitmap], values)
//! integers lowest i64 | width u8 (0, 1, 2, 4 or 8) | rows × (value − lowest, width bytes)
//! values   i64: integers | u64: integers (as i64 bits) | f64: rows × 8 bytes
//!          bool: bitmap | UTF-8: rows × length varint, then all bytes
//! bitmap   ⌈rows ÷ 8⌉ bytes, the lowest bit first; in `nulls` a set bit is a value
//! ```
//!
//! All numbers are little endian, varints LEB128. Null entries are written as the lowest value, an
//! empty text or a clear bit. Who wraps a batch writes the version of this form before it.

mod column;
mod reader;
mod writer;

use arrow::buffer::ScalarBuffer;

use super::series::{SeriesSet, TagSet};
use super::{Batch, FieldColumn};
use crate::name::ColumnName;

pub use reader::{DecodeError, Reader};
pub use writer::Writer;

/// Rows that one batch may have: far above the request limit, far below what a hostile count could
/// ask this process to allocate.
const ROWS_MAX: u64 = 1 << 28;

/// Writes `batch` to the end of `out`.
pub fn encode(batch: &Batch, out: &mut Writer) {
    out.varint(batch.rows() as u64);
    out.varint(batch.series().len() as u64);
    for tags in batch.series().iter() {
        out.text(tags.as_str());
    }
    column::encode_integers(batch.series_of_row().iter().map(|series| i64::from(*series)), out);
    column::encode_integers(batch.time().iter().copied(), out);
    out.varint(batch.fields().len() as u64);
    for field in batch.fields() {
        out.text(field.name.as_str());
        column::encode_field(field, out);
    }
}

/// Reads the batch at the start of what is left of `input`.
///
/// # Errors
///
/// [`DecodeError`] for bytes that no batch is written as. Memory is taken only for what `input` can
/// hold.
pub fn decode(input: &mut Reader<'_>) -> Result<Batch, DecodeError> {
    let rows = input.count("rows", ROWS_MAX)?;
    let series = decode_series(input)?;
    let series_of_row = decode_series_of_row(input, rows, series.len())?;
    let time = column::decode_integers(input, rows)?;
    let field_count = input.count("fields", u64::from(u32::MAX))?;
    let mut fields: Vec<FieldColumn> = Vec::new();
    for _ in 0..field_count {
        let name = ColumnName::new(input.text()?).map_err(|_| input.malformed("a field name"))?;
        if fields.last().is_some_and(|last| last.name >= name) {
            return Err(input.malformed("the order of fields"));
        }
        fields.push(FieldColumn { name, values: column::decode_field(input, rows)? });
    }
    Ok(Batch::new(series, series_of_row, ScalarBuffer::from(time), fields))
}

fn decode_series(input: &mut Reader<'_>) -> Result<SeriesSet, DecodeError> {
    let count = input.count("series", ROWS_MAX)?;
    let mut series = SeriesSet::default();
    for _ in 0..count {
        let tags = TagSet::parse(input.text()?).ok_or_else(|| input.malformed("a tag set"))?;
        series.push(tags);
    }
    Ok(series)
}

fn decode_series_of_row(
    input: &mut Reader<'_>,
    rows: usize,
    series: usize,
) -> Result<ScalarBuffer<u32>, DecodeError> {
    let numbers = column::decode_integers(input, rows)?;
    numbers
        .into_iter()
        .map(|number| u32::try_from(number).ok().filter(|number| (*number as usize) < series))
        .collect::<Option<Vec<u32>>>()
        .map(ScalarBuffer::from)
        .ok_or_else(|| input.malformed("a series number"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::batch::{BatchBuilder, FieldValue, TagSetBuilder};

    fn value(seed: u64, kind: u8) -> FieldValue<'static> {
        match kind % 5 {
            0 => FieldValue::I64(seed as i64),
            1 => FieldValue::U64(seed),
            2 => FieldValue::F64(f64::from_bits(seed >> 2)),
            3 => FieldValue::Bool(seed & 1 == 0),
            _ => FieldValue::Utf8(["", "a", "ü\u{1f980}", "a longer text"][(seed % 4) as usize]),
        }
    }

    /// A host, a time, and fields as kinds and seeds.
    type Row = (u8, i64, Vec<(u8, u64)>);

    fn batch(rows: &[Row]) -> Batch {
        let mut tags = TagSetBuilder::default();
        let mut builder = BatchBuilder::new();
        for (host, time, fields) in rows {
            let host = format!("h{host}");
            let named: Vec<_> = fields
                .iter()
                .map(|(kind, seed)| {
                    let name = ColumnName::new(&format!("f{}", kind % 5)).expect("a good name");
                    (name, value(*seed, *kind))
                })
                .collect();
            let fields = named.iter().map(|(name, value)| (name, *value));
            builder.push_row(tags.build(&mut [("host", &host)]), *time, fields).expect("one type");
        }
        builder.finish()
    }

    fn encoded(batch: &Batch) -> Vec<u8> {
        let mut out = Writer::default();
        encode(batch, &mut out);
        out.into_bytes()
    }

    fn check(batch: &Batch) {
        let bytes = encoded(batch);
        let mut input = Reader::new(&bytes);
        assert_eq!(decode(&mut input).expect("was encoded"), *batch);
        assert!(input.is_at_end());
        for cut in 0..bytes.len() {
            assert!(decode(&mut Reader::new(&bytes[..cut])).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn repeated_values_take_no_space() {
        let rows: Vec<_> = (0..1_000).map(|_| (1, 1_357_020_000, vec![(0, 7)])).collect();
        let bytes = encoded(&batch(&rows)).len();
        assert!(bytes < 64, "{bytes} bytes for one point a thousand times");
    }

    #[test]
    fn extremes_survive() {
        check(&batch(&[
            (0, i64::MIN, vec![(0, i64::MIN as u64)]),
            (0, i64::MAX, vec![(0, i64::MAX as u64)]),
        ]));
        check(&batch(&[(0, 0, vec![(1, u64::MAX)]), (1, -1, vec![(1, 0)])]));
        check(&batch(&[]));
    }

    proptest! {
        #[test]
        fn any_batch_is_read_back(
            rows in prop::collection::vec(
                (any::<u8>(), any::<i64>(), prop::collection::vec((0_u8..5, any::<u64>()), 0..6)),
                0..40),
        ) {
            check(&batch(&rows));
        }

        #[test]
        fn changed_bytes_never_panic(
            rows in prop::collection::vec(
                (0_u8..3, -5_i64..5, prop::collection::vec((0_u8..5, any::<u64>()), 0..6)), 0..20),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut bytes = encoded(&batch(&rows));
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = decode(&mut Reader::new(&bytes));
        }
    }
}
