//! A table of one database at one catalog version, as DataFusion plans it.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use catalog::Table;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::{ExecutionPlan, project_schema};

use crate::predicate::{KeyPredicate, depends_on_key_only};
use crate::scan::{PartitionScan, ScanInput, Visits};
use crate::view::View;

/// A table; each scan of it opens a reader of the buffer of its own.
#[derive(Debug)]
pub(crate) struct ForebayTable {
    view: Arc<View>,
    table: Arc<Table>,
    columns: SchemaRef,
}

impl ForebayTable {
    /// A table of the database of `view`.
    pub(crate) fn new(view: &Arc<View>, table: &Arc<Table>) -> Self {
        Self { view: Arc::clone(view), columns: table.schema.arrow(), table: Arc::clone(table) }
    }
}

#[async_trait]
impl TableProvider for ForebayTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.columns)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// A limit cannot be used: it counts points, and they are known only after deduplication and
    /// after the filters above.
    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let usable =
            filters.iter().filter(|filter| depends_on_key_only(filter, &self.table.schema));
        let filters: Vec<Expr> = usable.cloned().collect();
        let predicate = KeyPredicate::new(&filters, &self.columns, session)?;
        let reader = self.view.reader.open(self.table.schema.table.id);
        let visits = Visits::plan(&self.table, reader.as_ref(), self.view.log, &predicate);
        let input = ScanInput {
            schema: Arc::clone(&self.table.schema),
            output: project_schema(&self.columns, projection)?,
            predicate,
            visits,
            reader,
            store: Arc::clone(&self.view.store),
            pool: Arc::clone(&self.view.pool),
        };
        let streams_max = session.config().target_partitions();
        Ok(Arc::new(PartitionScan::new(input, streams_max)))
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| {
            if depends_on_key_only(filter, &self.table.schema) {
                // Whole partitions, files and row groups are left out, single rows are not.
                TableProviderFilterPushDown::Inexact
            } else {
                TableProviderFilterPushDown::Unsupported
            }
        };
        Ok(filters.iter().map(support).collect())
    }
}
