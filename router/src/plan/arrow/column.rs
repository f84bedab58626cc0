//! What an Arrow column becomes: a tag, or a field of one of five types.

use arrow::array::{
    Array, AsArray, BooleanArray, Float64Array, Int64Array, LargeStringArray, StringArray,
    StringViewArray, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, UInt64Type};
use types::batch::FieldValue;
use types::schema::{ColumnKind, FieldType, KIND_METADATA_KEY};

use crate::error::ColumnFault;

/// The kind that a column asks for.
pub(super) fn kind_of(field: &Field) -> Result<ColumnKind, ColumnFault> {
    let asked = field.metadata().get(KIND_METADATA_KEY).map(String::as_str);
    let kind = match field.data_type() {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            ColumnKind::Field(FieldType::I64)
        }
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            ColumnKind::Field(FieldType::U64)
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            ColumnKind::Field(FieldType::F64)
        }
        DataType::Boolean => ColumnKind::Field(FieldType::Bool),
        text if is_text(text) && asked == Some(ColumnKind::Tag.word()) => ColumnKind::Tag,
        text if is_text(text) => ColumnKind::Field(FieldType::Utf8),
        DataType::Dictionary(_, values) if is_text(values) => ColumnKind::Tag,
        other => return Err(ColumnFault::Type(other.to_string())),
    };
    Ok(kind)
}

const fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The kind that a column gets. Where there is such a column already, it decides what is a tag;
/// nothing else can be bent.
pub(super) fn resolve(
    known: Option<ColumnKind>,
    given: ColumnKind,
    data_type: &DataType,
) -> Result<ColumnKind, ColumnFault> {
    let is_text = match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => is_text(other),
    };
    match known {
        None => Ok(given),
        Some(known) if known == given => Ok(known),
        Some(known @ (ColumnKind::Tag | ColumnKind::Field(FieldType::Utf8))) if is_text => {
            Ok(known)
        }
        Some(known) => Err(ColumnFault::Kind { known, given }),
    }
}

/// The texts of a column, one a row, dictionary or not. Neither dictionaries nor views are
/// unfolded: a few bytes of keys could name a long value a million times.
#[derive(Debug)]
pub(super) struct TextValues {
    values: Texts,
    /// Which value each row has, where that is not the one at its own place.
    keys: Option<Vec<Option<usize>>>,
}

impl TextValues {
    pub(super) fn new(column: &dyn Array, bytes_max: usize) -> Result<Self, ColumnFault> {
        let texts = match column.as_any_dictionary_opt() {
            None => Self { values: Texts::of(column)?, keys: None },
            Some(dictionary) => {
                let values = Texts::of(dictionary.values())?;
                let places = if values.len() == 0 {
                    // No key can be valid; asking for them would be a fault.
                    vec![0; dictionary.len()]
                } else {
                    dictionary.normalized_keys()
                };
                let rows = places.into_iter().enumerate();
                let keys = rows.map(|(row, place)| dictionary.is_valid(row).then_some(place));
                Self { values, keys: Some(keys.collect()) }
            }
        };
        texts.check_length(bytes_max)?;
        Ok(texts)
    }

    /// The text of a row, if it has one.
    pub(super) fn value(&self, row: usize) -> Option<&str> {
        let place = match &self.keys {
            None => row,
            Some(keys) => keys[row]?,
        };
        self.values.value(place)
    }

    fn check_length(&self, bytes_max: usize) -> Result<(), ColumnFault> {
        let is_too_long =
            |place| self.values.value(place).is_some_and(|text| text.len() > bytes_max);
        match (0..self.values.len()).find(|place| is_too_long(*place)) {
            Some(row) => Err(ColumnFault::TooLong { row, limit: bytes_max }),
            None => Ok(()),
        }
    }
}

/// Texts as they came. Nothing is copied, as a cast would: many views may share the same bytes.
#[derive(Debug)]
enum Texts {
    Utf8(StringArray),
    LargeUtf8(LargeStringArray),
    Utf8View(StringViewArray),
}

impl Texts {
    fn of(column: &dyn Array) -> Result<Self, ColumnFault> {
        match column.data_type() {
            DataType::Utf8 => Ok(Self::Utf8(column.as_string::<i32>().clone())),
            DataType::LargeUtf8 => Ok(Self::LargeUtf8(column.as_string::<i64>().clone())),
            DataType::Utf8View => Ok(Self::Utf8View(column.as_string_view().clone())),
            other => Err(ColumnFault::Type(other.to_string())),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Utf8(texts) => texts.len(),
            Self::LargeUtf8(texts) => texts.len(),
            Self::Utf8View(texts) => texts.len(),
        }
    }

    /// The text at a place, if there is one.
    fn value(&self, place: usize) -> Option<&str> {
        match self {
            Self::Utf8(texts) => texts.is_valid(place).then(|| texts.value(place)),
            Self::LargeUtf8(texts) => texts.is_valid(place).then(|| texts.value(place)),
            Self::Utf8View(texts) => texts.is_valid(place).then(|| texts.value(place)),
        }
    }
}

/// The values of a field column, one a row, as wide as they are stored.
#[derive(Debug)]
pub(super) enum FieldValues {
    I64(Int64Array),
    U64(UInt64Array),
    F64(Float64Array),
    Bool(BooleanArray),
    Utf8(TextValues),
}

impl FieldValues {
    pub(super) fn new(
        column: &dyn Array,
        field_type: FieldType,
        bytes_max: usize,
    ) -> Result<Self, ColumnFault> {
        if field_type == FieldType::Utf8 {
            return Ok(Self::Utf8(TextValues::new(column, bytes_max)?));
        }
        let column = cast(column, &field_type.arrow())
            .map_err(|error| ColumnFault::Type(error.to_string()))?;
        let values = match field_type {
            FieldType::I64 => Self::I64(column.as_primitive::<Int64Type>().clone()),
            FieldType::U64 => Self::U64(column.as_primitive::<UInt64Type>().clone()),
            FieldType::F64 => Self::F64(finite(column.as_primitive::<Float64Type>())?),
            _ => Self::Bool(column.as_boolean().clone()),
        };
        Ok(values)
    }

    /// The value of a row, if it has one.
    pub(super) fn value(&self, row: usize) -> Option<FieldValue<'_>> {
        match self {
            Self::I64(values) => values.is_valid(row).then(|| FieldValue::I64(values.value(row))),
            Self::U64(values) => values.is_valid(row).then(|| FieldValue::U64(values.value(row))),
            Self::F64(values) => values.is_valid(row).then(|| FieldValue::F64(values.value(row))),
            Self::Bool(values) => values.is_valid(row).then(|| FieldValue::Bool(values.value(row))),
            Self::Utf8(values) => values.value(row).map(FieldValue::Utf8),
        }
    }
}

fn finite(values: &Float64Array) -> Result<Float64Array, ColumnFault> {
    let is_odd = |value: Option<f64>| value.is_some_and(|value| !value.is_finite());
    match values.iter().position(is_odd) {
        Some(row) => Err(ColumnFault::NotFinite { row }),
        None => Ok(values.clone()),
    }
}
