//! A write as the body of a log frame: self-contained, so that a log can be read with nothing else.
//!
//! ```text
//! body   version u8 | database id u64 | database name text
//!        tables varint | tables × (id u64, name text)
//!        batches varint | batches × (table number varint, partition key text, batch)
//! ```
//!
//! A batch's LSN is the frame's first LSN plus its place in the body. A reader takes every version
//! up to its own; a later version may add parts at the end of the body only under a new number.

use std::sync::Arc;

use super::PartitionBatch;
use crate::batch::codec::{DecodeError, Reader, Writer, decode as decode_batch, encode};
use crate::id::{DatabaseId, TableId};
use crate::name::{DatabaseName, TableName};
use crate::partition::PartitionKey;
use crate::schema::{DatabaseRef, TableRef};

/// The version that [`encode_body`] writes.
pub const BODY_VERSION: u8 = 1;

/// Counts of tables and batches above this are taken for damage. Memory is taken as they are read,
/// so it protects nothing; and no limit of the edge, however high, can lead to more.
const COUNT_MAX: u64 = u32::MAX as u64;

/// What a frame's body holds.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodedBody {
    /// The database.
    pub database: Arc<DatabaseRef>,
    /// The batches in the order of their LSNs.
    pub batches: Vec<PartitionBatch>,
}

/// The body of a frame that holds `batches`.
pub fn encode_body(database: &DatabaseRef, batches: &[PartitionBatch]) -> Vec<u8> {
    let (tables, numbers) = number_tables(batches);
    let mut out = Writer::with_capacity(1024);
    out.byte(BODY_VERSION);
    out.fixed(database.id.get());
    out.text(database.name.as_str());
    out.varint(tables.len() as u64);
    for table in tables {
        out.fixed(table.id.get());
        out.text(table.name.as_str());
    }
    out.varint(batches.len() as u64);
    for (batch, number) in batches.iter().zip(numbers) {
        out.varint(number as u64);
        out.text(batch.key.as_str());
        encode(&batch.batch, &mut out);
    }
    out.into_bytes()
}

/// The distinct tables, and for each batch the number of its table. Batches of one table stand
/// together, so only the last table is compared.
fn number_tables(batches: &[PartitionBatch]) -> (Vec<&TableRef>, Vec<usize>) {
    let mut tables: Vec<&TableRef> = Vec::new();
    let mut numbers = Vec::with_capacity(batches.len());
    for batch in batches {
        if tables.last().is_none_or(|last| last.id != batch.table.id) {
            tables.push(&batch.table);
        }
        numbers.push(tables.len() - 1);
    }
    (tables, numbers)
}

/// What was encoded as `body`.
///
/// # Errors
///
/// [`DecodeError`] for bytes that no version up to [`BODY_VERSION`] has written.
pub fn decode_body(body: &[u8]) -> Result<DecodedBody, DecodeError> {
    let mut input = Reader::new(body);
    if input.byte()? != BODY_VERSION {
        return Err(input.malformed("a known version"));
    }
    let database = decode_database(&mut input)?;
    let table_count = input.count("tables", COUNT_MAX)?;
    let mut tables = Vec::new();
    for _ in 0..table_count {
        let id = TableId::new(input.fixed()?);
        let name = TableName::new(input.text()?).map_err(|_| input.malformed("a table name"))?;
        tables.push(Arc::new(TableRef { id, name }));
    }
    let batch_count = input.count("batches", COUNT_MAX)?;
    let mut batches = Vec::new();
    for _ in 0..batch_count {
        batches.push(decode_partition_batch(&mut input, &tables)?);
    }
    if !input.is_at_end() {
        return Err(input.malformed("the end of the body"));
    }
    Ok(DecodedBody { database: Arc::new(database), batches })
}

fn decode_database(input: &mut Reader<'_>) -> Result<DatabaseRef, DecodeError> {
    let id = DatabaseId::new(input.fixed()?);
    let name = DatabaseName::new(input.text()?).map_err(|_| input.malformed("a database name"))?;
    Ok(DatabaseRef { id, name })
}

fn decode_partition_batch(
    input: &mut Reader<'_>,
    tables: &[Arc<TableRef>],
) -> Result<PartitionBatch, DecodeError> {
    let number = input.count("a table number", COUNT_MAX)?;
    let table = tables.get(number).ok_or_else(|| input.malformed("a table number"))?;
    let key = PartitionKey::from_stored(input.text()?);
    let batch = Arc::new(decode_batch(input)?);
    Ok(PartitionBatch::new(Arc::clone(table), key, batch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchBuilder, TagSetBuilder};

    fn one_row(table: &Arc<TableRef>, time: i64) -> PartitionBatch {
        let mut builder = BatchBuilder::new();
        let mut tags = TagSetBuilder::default();
        let tags = tags.build(&mut [("host", "a")]);
        builder.push_row(tags, time, std::iter::empty()).expect("no types");
        let key = PartitionKey::of_time(time);
        PartitionBatch::new(Arc::clone(table), key, Arc::new(builder.finish()))
    }

    fn table(id: u64, name: &str) -> Arc<TableRef> {
        let name = TableName::new(name).expect("a good name");
        Arc::new(TableRef { id: TableId::new(id), name })
    }

    #[test]
    fn a_body_is_read_back_and_each_cut_is_noticed() {
        let name = DatabaseName::new("nyc").expect("a good name");
        let database = DatabaseRef { id: DatabaseId::new(1), name };
        let (flights, weather) = (table(2, "flights"), table(3, "weather"));
        let batches = vec![
            one_row(&flights, 0),
            one_row(&flights, crate::partition::DAY_NS),
            one_row(&weather, 5),
        ];
        let body = encode_body(&database, &batches);
        let decoded = decode_body(&body).expect("was encoded");
        assert_eq!(*decoded.database, database);
        assert_eq!(decoded.batches, batches);
        for cut in 0..body.len() {
            assert!(decode_body(&body[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn later_versions_are_refused() {
        assert!(decode_body(&[BODY_VERSION + 1]).is_err());
    }
}
