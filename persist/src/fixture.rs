//! Jobs for tests.

use std::sync::Arc;

use types::batch::{FieldValue, TagSetBuilder};
use types::{
    Batch, BatchBuilder, Chunk, ColumnName, DatabaseId, DatabaseName, DatabaseRef, Lsn, LsnRange,
    PartitionKey, SharedReservation, TableId, TableName, TableRef, Term,
};

use crate::job::PersistJob;

/// The tags of a row.
pub(crate) type Tags<'a> = &'a [(&'a str, &'a str)];

/// A row: its tags, its time, and the values of the fields `x` (integer) and `y` (float).
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) tags: Vec<(&'static str, String)>,
    pub(crate) time: i64,
    pub(crate) x: Option<i64>,
    pub(crate) y: Option<f64>,
}

pub(crate) fn tag(name: &str) -> ColumnName {
    ColumnName::new(name).expect("a good name")
}

pub(crate) fn database() -> Arc<DatabaseRef> {
    Arc::new(DatabaseRef {
        id: DatabaseId::new(1),
        name: DatabaseName::new("metrics").expect("a good name"),
    })
}

pub(crate) fn table() -> Arc<TableRef> {
    Arc::new(TableRef { id: TableId::new(2), name: TableName::new("cpu").expect("a good name") })
}

/// The rows as a batch.
pub(crate) fn batch_of(rows: &[Row]) -> Arc<Batch> {
    let (x, y) = (tag("x"), tag("y"));
    let mut builder = BatchBuilder::new();
    let mut tag_sets = TagSetBuilder::default();
    for row in rows {
        let mut tags: Vec<(&str, &str)> =
            row.tags.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let x_value = row.x.map(|value| (&x, FieldValue::I64(value)));
        let y_value = row.y.map(|value| (&y, FieldValue::F64(value)));
        let fields: Vec<_> = x_value.into_iter().chain(y_value).collect();
        builder
            .push_row(tag_sets.build(&mut tags), row.time, fields.into_iter())
            .expect("one type a field");
    }
    Arc::new(builder.finish())
}

/// A job of one chunk for each list of rows, with LSNs from `first` on, ten a chunk.
pub(crate) fn job_from(first: u64, chunks: &[&[Row]]) -> PersistJob {
    let chunk = |(at, rows): (usize, &&[Row])| {
        let first = Lsn::new(first + 10 * at as u64);
        Chunk {
            lsns: LsnRange::new(first, first.plus(9)),
            batch: batch_of(rows),
            memory: SharedReservation::default(),
        }
    };
    PersistJob {
        database: database(),
        table: table(),
        key: PartitionKey::of_time(0),
        term: Term::ZERO,
        chunks: chunks.iter().enumerate().map(chunk).collect(),
    }
}

/// A job of one chunk for each list of tag sets, one row a tag set.
pub(crate) fn job_of(chunks: &[&[Tags<'_>]]) -> PersistJob {
    let mut tag_sets = TagSetBuilder::default();
    let mut batch = |series: &[Tags<'_>]| {
        let mut builder = BatchBuilder::new();
        for (time, tags) in series.iter().enumerate() {
            builder
                .push_row(tag_sets.build(&mut tags.to_vec()), time as i64, std::iter::empty())
                .expect("no field");
        }
        Arc::new(builder.finish())
    };
    let mut job = job_from(1, &chunks.iter().map(|_| [].as_slice()).collect::<Vec<_>>());
    for (chunk, series) in job.chunks.iter_mut().zip(chunks) {
        chunk.batch = batch(series);
    }
    job
}
