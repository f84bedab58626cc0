//! Which columns a merge reads: those that are asked for, and those of the primary key.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::row::SortField;
use types::schema::arrow_field;
use types::{ColumnKind, ColumnName, SortKey};

/// The columns of a merge: first those of its output, then what the key needs besides.
#[derive(Clone, Debug)]
pub(crate) struct KeyColumns {
    output: SchemaRef,
    read: SchemaRef,
    /// The key's columns among those that are read: tags, slowest first, then `time`.
    key: Vec<usize>,
}

impl KeyColumns {
    /// The columns to read for `output` where points are told apart by `key` and `time`. The key
    /// names every tag that a row may have.
    pub(crate) fn new(output: &SchemaRef, key: &SortKey) -> Self {
        let mut read: Vec<FieldRef> = output.fields().iter().map(Arc::clone).collect();
        let mut place = |name: &ColumnName, kind| {
            let known = read.iter().position(|field| field.name() == name.as_str());
            known.unwrap_or_else(|| {
                read.push(Arc::new(arrow_field(name, kind)));
                read.len() - 1
            })
        };
        let tags = key.tags().iter().map(|tag| place(tag, ColumnKind::Tag));
        let mut key: Vec<usize> = tags.collect();
        key.push(place(&ColumnName::time(), ColumnKind::Time));
        Self { output: Arc::clone(output), read: Arc::new(Schema::new(read)), key }
    }

    /// The columns of what comes out.
    pub(crate) const fn output(&self) -> &SchemaRef {
        &self.output
    }

    /// The columns that each source must have.
    pub(crate) const fn read(&self) -> &SchemaRef {
        &self.read
    }

    pub(super) fn key(&self) -> &[usize] {
        &self.key
    }

    /// The output's columns in which rows of one point may differ.
    pub(super) fn fields(&self) -> impl Iterator<Item = usize> {
        (0..self.output.fields().len()).filter(|at| !self.key.contains(at))
    }

    pub(super) fn sort_fields(&self) -> Vec<SortField> {
        let types = self.key.iter().map(|at| self.read.field(*at).data_type());
        types.map(|ty| SortField::new(ty.clone())).collect()
    }
}
