//! Field columns in Arrow layout, and how they grow.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder,
    UInt64Builder,
};
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};

use crate::name::ColumnName;
use crate::schema::FieldType;

/// One value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldValue<'a> {
    /// Signed integer.
    I64(i64),
    /// Unsigned integer.
    U64(u64),
    /// Float.
    F64(f64),
    /// Boolean.
    Bool(bool),
    /// Text.
    Utf8(&'a str),
}

impl FieldValue<'_> {
    /// The type of the column that can hold it.
    pub const fn field_type(&self) -> FieldType {
        match self {
            Self::I64(_) => FieldType::I64,
            Self::U64(_) => FieldType::U64,
            Self::F64(_) => FieldType::F64,
            Self::Bool(_) => FieldType::Bool,
            Self::Utf8(_) => FieldType::Utf8,
        }
    }
}

/// A field column: one entry a row, null where the row has no value.
#[derive(Clone, Debug)]
pub struct FieldColumn {
    /// The column's name.
    pub name: ColumnName,
    /// The values: `Int64`, `UInt64`, `Float64`, `Boolean` or `Utf8`.
    pub values: ArrayRef,
}

impl PartialEq for FieldColumn {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && *self.values == *other.values
    }
}

impl FieldColumn {
    /// The type of the column.
    ///
    /// # Panics
    ///
    /// If the array has another type than those that fields have: no constructor makes such one.
    pub fn field_type(&self) -> FieldType {
        match self.values.data_type() {
            DataType::Int64 => FieldType::I64,
            DataType::UInt64 => FieldType::U64,
            DataType::Float64 => FieldType::F64,
            DataType::Boolean => FieldType::Bool,
            DataType::Utf8 => FieldType::Utf8,
            other => unreachable!("a field column of type {other}"),
        }
    }

    /// The bytes held in memory.
    pub fn size_bytes(&self) -> usize {
        self.values.get_array_memory_size()
    }
}

/// A field column that grows.
#[derive(Debug)]
pub(crate) enum FieldBuilder {
    I64(Int64Builder),
    U64(UInt64Builder),
    F64(Float64Builder),
    Bool(BooleanBuilder),
    Utf8(StringBuilder),
}

/// Does the same with whichever builder there is.
macro_rules! each {
    ($self:expr, $builder:ident => $body:expr) => {
        match $self {
            FieldBuilder::I64($builder) => $body,
            FieldBuilder::U64($builder) => $body,
            FieldBuilder::F64($builder) => $body,
            FieldBuilder::Bool($builder) => $body,
            FieldBuilder::Utf8($builder) => $body,
        }
    };
}

impl FieldBuilder {
    /// An empty one without room: thousands of partitions may have one open.
    pub(crate) fn new(field_type: FieldType) -> Self {
        match field_type {
            FieldType::I64 => Self::I64(Int64Builder::with_capacity(0)),
            FieldType::U64 => Self::U64(UInt64Builder::with_capacity(0)),
            FieldType::F64 => Self::F64(Float64Builder::with_capacity(0)),
            FieldType::Bool => Self::Bool(BooleanBuilder::with_capacity(0)),
            FieldType::Utf8 => Self::Utf8(StringBuilder::with_capacity(0, 0)),
        }
    }

    pub(crate) const fn field_type(&self) -> FieldType {
        match self {
            Self::I64(_) => FieldType::I64,
            Self::U64(_) => FieldType::U64,
            Self::F64(_) => FieldType::F64,
            Self::Bool(_) => FieldType::Bool,
            Self::Utf8(_) => FieldType::Utf8,
        }
    }

    pub(crate) fn len(&self) -> usize {
        use arrow::array::ArrayBuilder;
        each!(self, builder => builder.len())
    }

    /// Adds a value; says no, and adds nothing, if it has another type.
    #[must_use]
    pub(crate) fn push(&mut self, value: FieldValue<'_>) -> bool {
        match (self, value) {
            (Self::I64(builder), FieldValue::I64(value)) => builder.append_value(value),
            (Self::U64(builder), FieldValue::U64(value)) => builder.append_value(value),
            (Self::F64(builder), FieldValue::F64(value)) => builder.append_value(value),
            (Self::Bool(builder), FieldValue::Bool(value)) => builder.append_value(value),
            (Self::Utf8(builder), FieldValue::Utf8(value)) => builder.append_value(value),
            _ => return false,
        }
        true
    }

    /// Adds nulls up to a length of `rows`.
    pub(crate) fn fill_to(&mut self, rows: usize) {
        let missing = rows.saturating_sub(self.len());
        match self {
            Self::I64(builder) => builder.append_nulls(missing),
            Self::U64(builder) => builder.append_nulls(missing),
            Self::F64(builder) => builder.append_nulls(missing),
            Self::Bool(builder) => builder.append_nulls(missing),
            Self::Utf8(builder) => builder.append_nulls(missing),
        }
    }

    /// True unless the text of both would be longer than offsets of 32 bits can say.
    pub(crate) fn has_room_for(&self, column: &FieldColumn) -> bool {
        match (self, column.values.as_string_opt::<i32>()) {
            (Self::Utf8(builder), Some(text)) => {
                let more = text.value_offsets().last().zip(text.value_offsets().first());
                let more = more.map_or(0, |(last, first)| (last - first) as usize);
                builder.values_slice().len() + more <= i32::MAX as usize
            }
            _ => true,
        }
    }

    /// Adds a whole column; says no, and adds nothing, if it has another type.
    #[must_use]
    pub(crate) fn extend(&mut self, column: &FieldColumn) -> bool {
        if column.field_type() != self.field_type() {
            return false;
        }
        let values = &column.values;
        match self {
            Self::I64(builder) => builder.append_array(values.as_primitive::<Int64Type>()),
            Self::U64(builder) => builder.append_array(values.as_primitive::<UInt64Type>()),
            Self::F64(builder) => builder.append_array(values.as_primitive::<Float64Type>()),
            Self::Bool(builder) => builder.append_array(values.as_boolean()),
            Self::Utf8(builder) => {
                // Fails only where there is no room.
                return builder.append_array(values.as_string::<i32>()).is_ok();
            }
        }
        true
    }

    pub(crate) fn finish(mut self) -> ArrayRef {
        each!(&mut self, builder => Arc::new(builder.finish()))
    }

    pub(crate) fn snapshot(&self) -> ArrayRef {
        each!(self, builder => Arc::new(builder.finish_cloned()))
    }

    /// The bytes held in memory.
    pub(crate) fn size_bytes(&self) -> usize {
        let values = match self {
            Self::I64(builder) => builder.capacity() * size_of::<i64>(),
            Self::U64(builder) => builder.capacity() * size_of::<u64>(),
            Self::F64(builder) => builder.capacity() * size_of::<f64>(),
            Self::Bool(builder) => builder.capacity() / 8,
            Self::Utf8(builder) => {
                builder.values_slice().len() + size_of_val(builder.offsets_slice())
            }
        };
        // One bit a row says which values are null.
        values + self.len() / 8
    }
}
