//! The columns of encoded batches.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Float64Array, Int64Array,
    PrimitiveArray, StringBuilder, UInt64Array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{Float64Type, Int64Type, UInt64Type};

use super::{DecodeError, Reader, Writer};
use crate::batch::FieldColumn;
use crate::schema::FieldType;

/// Whether a null bitmap follows.
const ALL_PRESENT: u8 = 0;
const SOME_NULL: u8 = 1;

const fn type_code(field_type: FieldType) -> u8 {
    match field_type {
        FieldType::I64 => 1,
        FieldType::U64 => 2,
        FieldType::F64 => 3,
        FieldType::Bool => 4,
        FieldType::Utf8 => 5,
    }
}

/// Writes integers as their distance from the lowest, in the least width that fits all.
pub(super) fn encode_integers(values: impl Iterator<Item = i64> + Clone, out: &mut Writer) {
    let lowest = values.clone().min().unwrap_or(0);
    let highest = values.clone().max().unwrap_or(0);
    let width = width_of(highest.wrapping_sub(lowest) as u64);
    out.fixed(lowest as u64);
    out.byte(width);
    if width == 0 {
        return;
    }
    for value in values {
        let distance = value.wrapping_sub(lowest) as u64;
        out.raw(&distance.to_le_bytes()[..usize::from(width)]);
    }
}

const fn width_of(distance: u64) -> u8 {
    match distance {
        0 => 0,
        1..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

pub(super) fn decode_integers(
    input: &mut Reader<'_>,
    rows: usize,
) -> Result<Vec<i64>, DecodeError> {
    let lowest = input.fixed()? as i64;
    let width = input.byte()?;
    if !matches!(width, 0 | 1 | 2 | 4 | 8) {
        return Err(input.malformed("a width"));
    }
    if width == 0 {
        return Ok(vec![lowest; rows]);
    }
    let len = rows.checked_mul(usize::from(width)).ok_or_else(|| input.malformed("a column"))?;
    let distances = input.raw(len)?.chunks_exact(usize::from(width));
    Ok(distances.map(|bytes| lowest.wrapping_add(little_endian(bytes) as i64)).collect())
}

/// Up to eight bytes as a number.
fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

pub(super) fn encode_field(field: &FieldColumn, out: &mut Writer) {
    let field_type = field.field_type();
    let values = &field.values;
    out.byte(type_code(field_type));
    encode_nulls(values, out);
    match field_type {
        FieldType::I64 => encode_i64(values.as_primitive(), out),
        FieldType::U64 => encode_u64(values.as_primitive(), out),
        FieldType::F64 => {
            for value in values.as_primitive::<Float64Type>() {
                out.fixed(value.unwrap_or_default().to_bits());
            }
        }
        FieldType::Bool => out.bitmap(values.as_boolean().iter().map(Option::unwrap_or_default)),
        FieldType::Utf8 => {
            let texts = values.as_string::<i32>();
            for text in texts {
                out.varint(text.map_or(0, str::len) as u64);
            }
            for text in texts.iter().flatten() {
                out.raw(text.as_bytes());
            }
        }
    }
}

fn encode_i64(values: &Int64Array, out: &mut Writer) {
    let lowest = values.iter().flatten().min().unwrap_or(0);
    encode_integers(values.iter().map(|value| value.unwrap_or(lowest)), out);
}

/// Unsigned integers are shifted so that their order is that of signed ones.
fn encode_u64(values: &UInt64Array, out: &mut Writer) {
    let signed = |value: u64| (value ^ (1 << 63)) as i64;
    let lowest = values.iter().flatten().map(signed).min().unwrap_or(0);
    encode_integers(values.iter().map(|value| value.map_or(lowest, signed)), out);
}

fn encode_nulls(values: &ArrayRef, out: &mut Writer) {
    match values.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => out.byte(ALL_PRESENT),
        Some(nulls) => {
            out.byte(SOME_NULL);
            out.bitmap(nulls.iter());
        }
    }
}

fn decode_nulls(input: &mut Reader<'_>, rows: usize) -> Result<Option<NullBuffer>, DecodeError> {
    match input.byte()? {
        ALL_PRESENT => Ok(None),
        SOME_NULL => Ok(Some(NullBuffer::new(BooleanBuffer::from(input.bitmap(rows)?)))),
        _ => Err(input.malformed("a null marker")),
    }
}

pub(super) fn decode_field(input: &mut Reader<'_>, rows: usize) -> Result<ArrayRef, DecodeError> {
    let code = input.byte()?;
    let nulls = decode_nulls(input, rows)?;
    match code {
        1 => Ok(primitive::<Int64Type>(decode_integers(input, rows)?, nulls)),
        2 => {
            let signed = decode_integers(input, rows)?;
            let values = signed.into_iter().map(|value| value as u64 ^ (1 << 63));
            Ok(primitive::<UInt64Type>(values.collect(), nulls))
        }
        3 => decode_f64(input, rows, nulls),
        4 => {
            let bits = BooleanBuffer::from(input.bitmap(rows)?);
            Ok(Arc::new(BooleanArray::new(bits, nulls)))
        }
        5 => decode_utf8(input, rows, nulls.as_ref()),
        _ => Err(input.malformed("a field type")),
    }
}

fn primitive<T: ArrowPrimitiveType>(values: Vec<T::Native>, nulls: Option<NullBuffer>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls))
}

fn decode_f64(
    input: &mut Reader<'_>,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef, DecodeError> {
    let len = rows.checked_mul(size_of::<f64>()).ok_or_else(|| input.malformed("a column"))?;
    let bytes = input.raw(len)?.chunks_exact(size_of::<f64>());
    let values: Vec<f64> = bytes.map(|bytes| f64::from_bits(little_endian(bytes))).collect();
    Ok(Arc::new(Float64Array::new(ScalarBuffer::from(values), nulls)))
}

fn decode_utf8(
    input: &mut Reader<'_>,
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> Result<ArrayRef, DecodeError> {
    let mut lengths = Vec::new();
    for _ in 0..rows {
        lengths.push(input.count("a length", i32::MAX as u64)?);
    }
    let mut texts = StringBuilder::new();
    for (row, len) in lengths.into_iter().enumerate() {
        let bytes = input.raw(len)?;
        let text = std::str::from_utf8(bytes).map_err(|_| input.malformed("a text"))?;
        texts.append_option(nulls.is_none_or(|nulls| nulls.is_valid(row)).then_some(text));
    }
    Ok(Arc::new(texts.finish()))
}
