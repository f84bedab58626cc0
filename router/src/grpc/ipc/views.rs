//! Adds up the text that views stand for, before anybody walks over it: a million views of one long
//! value are little to send, and as much to check as a million values.

use std::collections::BTreeMap;
use std::slice;

use arrow::ipc::{RecordBatch as BatchHeader, Schema, Type};

/// Bytes of one view; the first four are the length of its text.
const VIEW_BYTES: usize = 16;
/// What every column has whose values have one width: which rows are null, and the values.
const PLAIN_BUFFERS: usize = 2;

/// The columns of a stream, as far as it takes to find the views in its messages.
#[derive(Debug, Default)]
pub(super) struct Columns {
    columns: Vec<Column>,
    /// The values of dictionaries, by the ids of the dictionaries.
    dictionaries: BTreeMap<i64, Column>,
}

#[derive(Debug)]
struct Column {
    name: String,
    buffers: Buffers,
}

/// How many buffers of a message belong to a column.
#[derive(Clone, Copy, Debug)]
enum Buffers {
    /// As many as its type says.
    Count(usize),
    /// Nulls and views, and as many as the message says.
    Views,
}

impl Columns {
    /// The columns of a schema.
    ///
    /// # Errors
    ///
    /// For types whose buffers cannot be told apart here; no column can have them anyway.
    pub(super) fn of(schema: Schema<'_>) -> Result<Self, String> {
        let mut known = Self::default();
        for field in schema.fields().unwrap_or_default() {
            let name = field.name().unwrap_or_default().to_owned();
            let buffers = buffers_of(field.type_type()).ok_or_else(|| {
                format!("column {name:?} has the type {:?}, which is not taken", field.type_type())
            })?;
            let Some(dictionary) = field.dictionary() else {
                known.columns.push(Column { name, buffers });
                continue;
            };
            let keys = Column { name: name.clone(), buffers: Buffers::Count(PLAIN_BUFFERS) };
            known.columns.push(keys);
            known.dictionaries.insert(dictionary.id(), Column { name, buffers });
        }
        Ok(known)
    }

    /// Takes the text of a batch of rows from what is `left`.
    pub(super) fn take_rows(
        &self,
        batch: BatchHeader<'_>,
        body: &[u8],
        left: &mut u64,
    ) -> Result<(), String> {
        take_text(&self.columns, batch, body, left)
    }

    /// Takes the text of the dictionary `id` from what is `left`.
    pub(super) fn take_dictionary(
        &self,
        id: i64,
        batch: BatchHeader<'_>,
        body: &[u8],
        left: &mut u64,
    ) -> Result<(), String> {
        // One that no column has is refused by whoever decodes it.
        let values = self.dictionaries.get(&id).map(slice::from_ref).unwrap_or_default();
        take_text(values, batch, body, left)
    }
}

fn buffers_of(data_type: Type) -> Option<Buffers> {
    match data_type {
        Type::Null => Some(Buffers::Count(0)),
        Type::Utf8 | Type::LargeUtf8 | Type::Binary | Type::LargeBinary => Some(Buffers::Count(3)),
        Type::Utf8View | Type::BinaryView => Some(Buffers::Views),
        Type::Int
        | Type::FloatingPoint
        | Type::Bool
        | Type::Decimal
        | Type::Date
        | Type::Time
        | Type::Timestamp
        | Type::Interval
        | Type::Duration
        | Type::FixedSizeBinary => Some(Buffers::Count(PLAIN_BUFFERS)),
        _ => None,
    }
}

fn take_text(
    columns: &[Column],
    batch: BatchHeader<'_>,
    body: &[u8],
    left: &mut u64,
) -> Result<(), String> {
    let buffers = batch.buffers().unwrap_or_default();
    let mut counts = batch.variadicBufferCounts().unwrap_or_default().into_iter();
    let mut at = 0_usize;
    for column in columns {
        let count = match column.buffers {
            Buffers::Count(count) => count,
            Buffers::Views => {
                let values = counts.next().and_then(|count| usize::try_from(count).ok());
                let values = values.ok_or("a message does not say how many buffers it has")?;
                // Behind that of the nulls.
                let views_at = at.saturating_add(1);
                if views_at >= buffers.len() {
                    return Err("a message has too few buffers".to_owned());
                }
                let views = buffers.get(views_at);
                let text = text_of(bytes_of(body, views.offset(), views.length()));
                *left = left.checked_sub(text).ok_or_else(|| {
                    format!("column {:?} unfolds to more text than a request may have", column.name)
                })?;
                values.saturating_add(PLAIN_BUFFERS)
            }
        };
        at = at.saturating_add(count);
    }
    Ok(())
}

/// The bytes of a buffer, which was found to lie in its message.
fn bytes_of(body: &[u8], offset: i64, len: i64) -> &[u8] {
    let range = usize::try_from(offset).ok().zip(usize::try_from(len).ok());
    let bytes = range.and_then(|(offset, len)| body.get(offset..offset.checked_add(len)?));
    bytes.unwrap_or_default()
}

/// The lengths of all views together.
fn text_of(views: &[u8]) -> u64 {
    let len = |view: &[u8]| match view {
        [a, b, c, d, ..] => u64::from(u32::from_le_bytes([*a, *b, *c, *d])),
        _ => 0,
    };
    views.chunks_exact(VIEW_BYTES).map(len).sum()
}
