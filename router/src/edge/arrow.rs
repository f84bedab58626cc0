//! Writes of Arrow batches: from routers over gRPC, and from whoever ingests Arrow.

use std::sync::Arc;

use arrow::array::RecordBatch;
use types::{BatchId, DatabaseName, Position, Reservation, SchemaVersion, TableName};

use super::{AnswerBy, CHECKS_MAX, Edge, on_cpu};
use crate::error::Error;
use crate::plan::{Allowance, Planned, View, plan_arrow};

/// Bytes a value while its column is widened or its dictionary keys are read: a place that may be
/// missing, and once more the place alone while they are made.
const CELL_BYTES: u64 = 24;

/// A request to write Arrow batches: kept whole or not at all.
#[derive(Debug)]
pub struct ArrowWrite {
    /// Where to.
    pub database: DatabaseName,
    /// The rows, table by table.
    pub tables: Vec<ArrowTable>,
    /// The sender's own id of the request, or nil.
    pub batch_id: BatchId,
    /// Covers the batches.
    pub memory: Reservation,
    /// When its answer is due.
    pub answer_by: AnswerBy,
}

/// Rows of one table.
#[derive(Clone, Debug)]
pub struct ArrowTable {
    /// The table.
    pub name: TableName,
    /// The version of the table's columns that the sender has checked against, zero for a table
    /// that it does not know; `None` if it has not checked.
    pub sent_version: Option<SchemaVersion>,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

impl Edge {
    /// Writes Arrow batches; they are durable and visible when this returns.
    ///
    /// # Errors
    ///
    /// Whatever does not fit refuses the whole request; then nothing is kept, unless the kind of
    /// the error is `Unknown`.
    ///
    /// # Cancel safety
    ///
    /// As of the sink: what it was given becomes durable and visible in any case.
    pub async fn write_arrow(self: &Arc<Self>, write: ArrowWrite) -> Result<Position, Error> {
        let mut memory = write.memory;
        let cells = cells(&write.tables);
        let limit = self.config().limits.cells_max;
        if cells > limit {
            return Err(Error::TooManyCells { limit });
        }
        let bytes = cells.saturating_mul(CELL_BYTES);
        if !memory.try_grow(bytes) {
            return Err(Error::no_memory(&memory, 0, bytes));
        }
        let tables = Arc::new(write.tables);
        for _ in 0..CHECKS_MAX {
            let view = self.view_for(&write.database, &tables).await?;
            let beside = memory.bytes();
            let rows_memory = Allowance::new(memory.split(0), beside);
            let planned = self.plan_tables(view, &tables, rows_memory).await?;
            let planned = planned.ok_or(Error::Empty)?;
            if let Some(position) = self.apply(planned, write.batch_id, write.answer_by).await? {
                return Ok(position);
            }
        }
        Err(Error::SchemaKeepsChanging(CHECKS_MAX))
    }

    /// The database at a version that agrees with what the sender knows.
    async fn view_for(
        &self,
        database: &DatabaseName,
        tables: &[ArrowTable],
    ) -> Result<View, Error> {
        let view = self.view(database);
        if check_versions(&view, tables).is_ok() {
            return Ok(view);
        }
        // The sender may have seen a newer version than this node.
        self.deps().catalog.refresh().await?;
        let view = self.view(database);
        check_versions(&view, tables)?;
        Ok(view)
    }

    async fn plan_tables(
        self: &Arc<Self>,
        view: View,
        tables: &Arc<Vec<ArrowTable>>,
        memory: Allowance,
    ) -> Result<Option<Planned>, Error> {
        let edge = Arc::clone(self);
        let tables = Arc::clone(tables);
        let bytes = memory_size(&tables);
        let plan = move || {
            let limits = &edge.config().limits;
            plan_arrow(&view, limits, &tables, memory, &*edge.deps().randomness)
        };
        on_cpu(self.deps().pool.as_ref(), bytes, plan).await?
    }
}

fn check_versions(view: &View, tables: &[ArrowTable]) -> Result<(), Error> {
    for table in tables {
        let schema = view.schema(table.name.as_str());
        let current = schema.map_or(SchemaVersion::ZERO, |schema| schema.version);
        if let Some(sent) = table.sent_version.filter(|sent| *sent != current) {
            return Err(Error::StaleSchema { table: table.name.clone(), sent, current });
        }
    }
    Ok(())
}

fn batches(tables: &[ArrowTable]) -> impl Iterator<Item = &RecordBatch> {
    tables.iter().flat_map(|table| &table.batches)
}

fn cells(tables: &[ArrowTable]) -> u64 {
    let cells = |batch: &RecordBatch| (batch.num_rows() as u64) * (batch.num_columns() as u64);
    batches(tables).map(cells).fold(0, u64::saturating_add)
}

fn memory_size(tables: &[ArrowTable]) -> usize {
    batches(tables).map(RecordBatch::get_array_memory_size).sum()
}
