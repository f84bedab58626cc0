//! Small writes for tests.

use std::sync::Arc;

use types::batch::{FieldValue, TagSetBuilder};
use types::{
    Batch, BatchBuilder, ColumnName, DatabaseId, DatabaseName, DatabaseRef, TableId, TableName,
    TableRef,
};

/// The one database of these tests.
pub(crate) fn database() -> Arc<DatabaseRef> {
    let name = DatabaseName::new("db").expect("a good name");
    Arc::new(DatabaseRef { id: DatabaseId::new(1), name })
}

pub(crate) fn table(name: &str, id: u64) -> Arc<TableRef> {
    let name = TableName::new(name).expect("a good name");
    Arc::new(TableRef { id: TableId::new(id), name })
}

/// Rows of one series, a second apart from `first_second` on, whose field `x` counts them.
pub(crate) fn rows(count: usize, first_second: i64) -> Batch {
    let x = ColumnName::new("x").expect("a good name");
    let mut tags = TagSetBuilder::default();
    let mut builder = BatchBuilder::new();
    for row in 0..count as i64 {
        let time = (first_second + row) * 1_000_000_000;
        let fields = [(&x, FieldValue::I64(row))];
        builder
            .push_row(tags.build(&mut [("host", "a")]), time, fields.into_iter())
            .expect("one type");
    }
    builder.finish()
}
