//! The field columns of a batch that grows, found by name.

use ahash::RandomState;
use hashbrown::HashMap;

use crate::batch::field::FieldBuilder;
use crate::name::ColumnName;
use crate::schema::FieldType;

/// Columns in the order in which they were first seen. Lines and batches repeat that order, so each
/// search begins where the one before has ended; only what comes out of order is hashed.
#[derive(Debug, Default)]
pub(super) struct Columns {
    columns: Vec<(ColumnName, FieldBuilder)>,
    /// Looked up only, never walked.
    by_name: HashMap<ColumnName, usize, RandomState>,
}

impl Columns {
    /// The place of `name`, which may well be `guess`.
    pub(super) fn find(&self, name: &ColumnName, guess: usize) -> Option<usize> {
        match self.columns.get(guess) {
            Some((found, _)) if found == name => Some(guess),
            _ => self.by_name.get(name).copied(),
        }
    }

    /// The place of `name`, where a column of this type is begun if there is none.
    pub(super) fn find_or_begin(
        &mut self,
        name: &ColumnName,
        field_type: FieldType,
        guess: usize,
    ) -> usize {
        self.find(name, guess).unwrap_or_else(|| {
            let at = self.columns.len();
            self.columns.push((name.clone(), FieldBuilder::new(field_type)));
            self.by_name.insert(name.clone(), at);
            at
        })
    }

    /// The column at a place that was found.
    pub(super) fn at(&mut self, place: usize) -> &mut FieldBuilder {
        &mut self.columns[place].1
    }

    /// The column at a place that was found, to be looked at.
    pub(super) fn look_at(&self, place: usize) -> &FieldBuilder {
        &self.columns[place].1
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&ColumnName, &FieldBuilder)> {
        self.columns.iter().map(|(name, column)| (name, column))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut FieldBuilder> {
        self.columns.iter_mut().map(|(_, column)| column)
    }

    pub(super) fn into_columns(self) -> Vec<(ColumnName, FieldBuilder)> {
        self.columns
    }

    /// The bytes held in memory.
    pub(super) fn size_bytes(&self) -> usize {
        let values: usize = self.columns.iter().map(|(_, column)| column.size_bytes()).sum();
        let names = self.columns.capacity() * size_of::<(ColumnName, FieldBuilder)>();
        values + names + self.by_name.allocation_size()
    }
}
