//! A table as one request sees it: what the catalog knows, and what the kept rows add.

use std::collections::BTreeMap;

use types::batch::{FieldValue, TagSet, TypeClash};
use types::name::TIME;
use types::schema::{ColumnKind, TableChange};
use types::{BatchBuilder, ColumnDef, ColumnName, SchemaVersion, TableRef, TableSchema};

use super::LineError;
use super::allowance::Extent;

/// The rows of one request that belong to one table. It has at least one row once it is kept.
#[derive(Debug)]
pub(super) struct TableDraft<'a> {
    known: Option<&'a TableSchema>,
    /// The columns that kept rows have values of.
    used: BTreeMap<ColumnName, ColumnKind>,
    /// How many of them are fields.
    fields: u64,
    /// How many of them the catalog does not know.
    added: usize,
    rows: u64,
    days: BTreeMap<i64, BatchBuilder>,
}

/// Columns that a row would be the first of its request to use.
#[derive(Debug, Default)]
pub(super) struct StagedColumns {
    columns: BTreeMap<ColumnName, ColumnKind>,
    fields: u64,
    added: usize,
}

impl<'a> TableDraft<'a> {
    pub(super) const fn new(known: Option<&'a TableSchema>) -> Self {
        Self { known, used: BTreeMap::new(), fields: 0, added: 0, rows: 0, days: BTreeMap::new() }
    }

    /// True if the table is not in the catalog.
    pub(super) const fn is_new(&self) -> bool {
        self.known.is_none()
    }

    pub(super) fn has_day(&self, day: i64) -> bool {
        self.days.contains_key(&day)
    }

    /// The kind of a column, in the catalog or as kept rows have it.
    pub(super) fn kind(&self, column: &str) -> Option<ColumnKind> {
        let used = self.used.get(column).copied();
        used.or_else(|| self.known?.kind(column))
    }

    /// Checks the columns of a row and says which of them are new to the request. Nothing changes
    /// until [`Self::push`]: a row that is refused after all leaves no column behind.
    pub(super) fn stage<'n>(
        &self,
        columns: impl Iterator<Item = (&'n str, ColumnKind)>,
        columns_max: usize,
    ) -> Result<StagedColumns, LineError> {
        let mut staged = StagedColumns::default();
        for (column, given) in columns {
            let known = if column == TIME {
                Some(ColumnKind::Time)
            } else {
                let in_row = || staged.columns.get(column).copied();
                self.kind(column).or_else(in_row)
            };
            if let Some(known) = known.filter(|known| *known != given) {
                return Err(LineError::KindDiffers { column: column.to_owned(), known, given });
            }
            if known.is_none() {
                staged.added += 1;
                self.check_count(staged.added, columns_max)?;
            }
            if !self.used.contains_key(column) && !staged.columns.contains_key(column) {
                staged.fields += u64::from(given != ColumnKind::Tag);
                staged.columns.insert(ColumnName::new(column)?, given);
            }
        }
        Ok(staged)
    }

    fn check_count(&self, added: usize, columns_max: usize) -> Result<(), LineError> {
        // A table that does not exist yet has `time`.
        let known = self.known.map_or(1, |schema| schema.columns().len());
        if known + self.added + added > columns_max {
            return Err(LineError::TooManyColumns { limit: columns_max });
        }
        Ok(())
    }

    /// Rows, fields and partitions now, and with a row of `day` more that has `staged` columns.
    pub(super) fn extents(&self, staged: &StagedColumns, day: i64) -> (Extent, Extent) {
        let partitions = self.days.len() as u64;
        let before = Extent { rows: self.rows, fields: self.fields, partitions };
        let after = Extent {
            rows: self.rows + 1,
            fields: self.fields + staged.fields,
            partitions: partitions + u64::from(!self.has_day(day)),
        };
        (before, after)
    }

    /// Rows × columns now, and with a row more that has `staged` columns; `time` is one of them.
    pub(super) fn cells(&self, staged: &StagedColumns) -> (u64, u64) {
        let used = self.used.len() as u64 + 1;
        let before = self.rows.saturating_mul(used);
        let after = (self.rows + 1).saturating_mul(used + staged.columns.len() as u64);
        (before, after)
    }

    /// Keeps a row whose columns were staged; says whether its tag set is the first of its kind in
    /// its batch.
    pub(super) fn push<'v>(
        &mut self,
        staged: StagedColumns,
        (day, time): (i64, i64),
        tags: TagSet<'_>,
        fields: impl DoubleEndedIterator<Item = (&'v str, FieldValue<'v>)> + Clone,
    ) -> Result<bool, TypeClash> {
        self.fields += staged.fields;
        self.added += staged.added;
        self.rows += 1;
        self.used.extend(staged.columns);
        let used = &self.used;
        let named = fields.filter_map(|(name, value)| {
            let (name, _) = used.get_key_value(name)?;
            Some((name, value))
        });
        let builder = self.days.entry(day).or_default();
        let series_before = builder.series_count();
        builder.push_row(tags, time, named)?;
        Ok(builder.series_count() > series_before)
    }

    /// The table under the catalog's id, or under `new` if it has none.
    pub(super) fn table(&self, new: impl FnOnce() -> TableRef) -> TableRef {
        self.known.map_or_else(new, |schema| schema.table.clone())
    }

    /// What has to be in the catalog before the rows are appended.
    pub(super) fn change(&self, table: &TableRef) -> Option<TableChange> {
        let unknown = |column: &ColumnName| {
            let known = self.known.and_then(|schema| schema.kind(column.as_str()));
            known.is_none()
        };
        let add: Vec<ColumnDef> = self
            .used
            .iter()
            .filter(|(name, _)| unknown(name))
            .map(|(name, kind)| ColumnDef { name: name.clone(), kind: *kind })
            .collect();
        let is_needed = self.is_new() || !add.is_empty();
        is_needed.then(|| TableChange {
            table: table.clone(),
            based_on: self.known.map_or(SchemaVersion::ZERO, |schema| schema.version),
            add,
        })
    }

    /// The rows by day.
    pub(super) fn into_days(self) -> BTreeMap<i64, BatchBuilder> {
        self.days
    }
}
