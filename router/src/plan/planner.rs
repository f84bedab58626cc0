//! Gathers the rows of one request by table and day; pure, and deterministic by its input.

use std::collections::BTreeMap;
use std::sync::Arc;

use types::batch::{FieldValue, TagSetBuilder};
use types::effect::Randomness;
use types::partition::day_of;
use types::schema::{ColumnKind, SchemaChange, TableChange};
use types::{
    DatabaseId, DatabaseRef, PartitionBatch, PartitionKey, Reservation, TableId, TableName,
    TableRef,
};

use super::LineError;
use super::allowance::Allowance;
use super::draft::{StagedColumns, TableDraft};
use super::view::View;
use crate::config::Limits;
use crate::error::Error;

/// What a series costs beside its text: where it ends, and its slots in the index by hash.
pub(super) const SERIES_BYTES: u64 = 16;

/// A row that could be kept.
#[derive(Debug)]
pub(crate) struct Row<'t, 'v, F> {
    /// Its tags, each name once; put into order in place.
    pub(crate) tags: &'t mut [(&'v str, &'v str)],
    /// Its time in nanoseconds.
    pub(crate) time: i64,
    /// Its fields, finite where they are floats.
    pub(crate) fields: F,
}

/// Why a row is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Because of what is in it; others may be kept.
    #[error(transparent)]
    Row(#[from] LineError),
    /// The whole request is refused.
    #[error(transparent)]
    Request(#[from] Error),
}

/// The rows of a request that may be kept, and what they need.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The database.
    pub(crate) database: Arc<DatabaseRef>,
    /// At least one: the tables in name order, the partitions of a table in key order.
    pub(crate) batches: Vec<PartitionBatch>,
    /// What has to be in the catalog first.
    pub(crate) schema_change: Option<SchemaChange>,
    /// The memory of the batches.
    pub(crate) memory: Reservation,
}

/// Gathers rows. What a row needs is checked before anything changes, so that a row that is refused
/// leaves no table, column or byte behind.
#[derive(Debug)]
pub(crate) struct Planner<'a> {
    view: &'a View,
    limits: &'a Limits,
    tables: BTreeMap<TableName, TableDraft<'a>>,
    new_tables: usize,
    partitions: usize,
    cells: u64,
    allowance: Allowance,
    tag_sets: TagSetBuilder,
}

impl<'a> Planner<'a> {
    /// Gathers no rows yet; `memory` grows with them.
    pub(crate) fn new(view: &'a View, limits: &'a Limits, memory: Allowance) -> Self {
        Self {
            view,
            limits,
            tables: BTreeMap::new(),
            new_tables: 0,
            partitions: 0,
            cells: 0,
            allowance: memory,
            tag_sets: TagSetBuilder::default(),
        }
    }

    /// The kind of a column, in the catalog or as the rows so far have it.
    pub(crate) fn kind(&self, table: &str, column: &str) -> Option<ColumnKind> {
        match self.tables.get(table) {
            Some(draft) => draft.kind(column),
            None => self.view.schema(table)?.kind(column),
        }
    }

    /// Keeps a row, or says why not and stays as it is.
    pub(crate) fn add<'v, F>(&mut self, table: &str, row: Row<'_, 'v, F>) -> Result<(), Fault>
    where
        F: DoubleEndedIterator<Item = (&'v str, FieldValue<'v>)> + Clone,
    {
        let unseen = TableDraft::new(self.view.schema(table));
        let draft = self.tables.get(table).unwrap_or(&unseen);
        let staged = draft.stage(columns(&row), self.limits.columns_max)?;
        let new_name = self.check_table(table)?;
        let day = day_of(row.time);
        let (partitions, cells) = self.check_request(draft, &staged, day)?;
        let strings = row.fields.clone().map(|(_, value)| text_len(value)).sum::<u64>();
        let tags = self.tag_sets.build(row.tags);
        let series = tags.as_str().len() as u64 + SERIES_BYTES;
        let (before, after) = draft.extents(&staged, day);
        self.allowance.cover(before, after, series + strings)?;

        // Nothing is refused from here on.
        (self.partitions, self.cells) = (partitions, cells);
        if let Some(name) = new_name {
            self.new_tables += usize::from(unseen.is_new());
            self.tables.insert(name, unseen);
        }
        let draft = self.tables.get_mut(table);
        let draft = draft.ok_or_else(|| fault_of_ours("a table was not gathered"))?;
        let is_new_series = draft
            .push(staged, (day, row.time), tags, row.fields)
            .map_err(|clash| fault_of_ours(&clash))?;
        if !is_new_series {
            self.allowance.uncover_text(series);
        }
        Ok(())
    }

    /// The table's name if no row of it was kept yet.
    fn check_table(&self, table: &str) -> Result<Option<TableName>, LineError> {
        if self.tables.contains_key(table) {
            return Ok(None);
        }
        let name = TableName::new(table)?;
        let is_new = self.view.schema(table).is_none();
        let limits = self.limits;
        if is_new && self.view.tables() + self.new_tables >= limits.tables_max {
            return Err(LineError::TooManyTables { limit: limits.tables_max });
        }
        if self.view.database().is_none() && self.view.databases() >= limits.databases_max {
            return Err(LineError::TooManyDatabases { limit: limits.databases_max });
        }
        Ok(Some(name))
    }

    /// The partitions and cells of the request with one row more.
    fn check_request(
        &self,
        draft: &TableDraft<'_>,
        staged: &StagedColumns,
        day: i64,
    ) -> Result<(usize, u64), Error> {
        let partitions = self.partitions + usize::from(!draft.has_day(day));
        if partitions > self.limits.partitions_max {
            return Err(Error::TooManyPartitions { limit: self.limits.partitions_max });
        }
        let (before, after) = draft.cells(staged);
        let cells = self.cells.saturating_sub(before).saturating_add(after);
        if cells > self.limits.cells_max {
            return Err(Error::TooManyCells { limit: self.limits.cells_max });
        }
        Ok((partitions, cells))
    }

    /// What was gathered, with ids drawn for what is new; nothing if no row was kept.
    pub(crate) fn finish(self, randomness: &dyn Randomness) -> Option<Planned> {
        let known = self.view.database();
        let database = Arc::new(DatabaseRef {
            id: known.map_or_else(|| DatabaseId::new(randomness.next_u64()), |known| known.id),
            name: self.view.name().clone(),
        });
        let mut batches = Vec::with_capacity(self.partitions);
        let mut changes: Vec<TableChange> = Vec::new();
        for (name, draft) in self.tables {
            let new_table = || TableRef { id: TableId::new(randomness.next_u64()), name };
            let table = Arc::new(draft.table(new_table));
            changes.extend(draft.change(&table));
            for (day, rows) in draft.into_days() {
                batches.push(PartitionBatch::new(
                    Arc::clone(&table),
                    PartitionKey::of_day(day),
                    Arc::new(rows.finish()),
                ));
            }
        }
        if batches.is_empty() {
            return None;
        }
        let bytes = batches.iter().map(|batch| batch.batch.size_bytes()).sum();
        let create_database = known.is_none();
        let schema_change = (create_database || !changes.is_empty()).then(|| SchemaChange {
            database: DatabaseRef::clone(&database),
            create_database,
            tables: changes,
        });
        Some(Planned { database, batches, schema_change, memory: self.allowance.settle(bytes) })
    }
}

/// The columns of a row that have a value; an empty tag is an absent one.
fn columns<'r, 'v: 'r, F>(
    row: &'r Row<'_, 'v, F>,
) -> impl Iterator<Item = (&'v str, ColumnKind)> + use<'r, 'v, F>
where
    F: Iterator<Item = (&'v str, FieldValue<'v>)> + Clone,
{
    let tags = row.tags.iter().filter(|(_, value)| !value.is_empty());
    let tags = tags.map(|(name, _)| (*name, ColumnKind::Tag));
    let fields = row.fields.clone();
    let fields = fields.map(|(name, value)| (name, ColumnKind::Field(value.field_type())));
    tags.chain(fields)
}

const fn text_len(value: FieldValue<'_>) -> u64 {
    match value {
        FieldValue::Utf8(text) => text.len() as u64,
        _ => 0,
    }
}

fn fault_of_ours(what: &(impl ToString + ?Sized)) -> Error {
    Error::Internal(what.to_string())
}
