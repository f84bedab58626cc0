//! The schema `system`: what this node knows about itself, as tables.

mod parquet_files;
mod partitions;
mod queries;

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::catalog::{SchemaProvider, Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::engine::RunningQueries;
use crate::view::View;

/// What the tables are filled from.
#[derive(Clone, Debug)]
struct Inside {
    view: Arc<View>,
    running: Arc<RunningQueries>,
}

/// One table of the schema: its name, its columns, and how its rows are found.
struct Definition {
    name: &'static str,
    columns: fn() -> Schema,
    rows: fn(&Inside, SchemaRef) -> Result<RecordBatch>,
}

const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "parquet_files",
        columns: parquet_files::columns,
        rows: parquet_files::rows,
    },
    Definition { name: "partitions", columns: partitions::columns, rows: partitions::rows },
    Definition { name: "queries", columns: queries::columns, rows: queries::rows },
];

/// The tables of the schema `system`, of the database of a view.
#[derive(Debug)]
pub(crate) struct SystemTables {
    inside: Inside,
}

impl SystemTables {
    pub(crate) fn new(view: &Arc<View>, running: &Arc<RunningQueries>) -> Self {
        let (view, running) = (Arc::clone(view), Arc::clone(running));
        Self { inside: Inside { view, running } }
    }
}

#[async_trait]
impl SchemaProvider for SystemTables {
    fn table_names(&self) -> Vec<String> {
        let names = DEFINITIONS.iter().map(|table| table.name.to_owned());
        names.collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let definition = DEFINITIONS.iter().find(|table| table.name == name);
        Ok(definition.map(|definition| {
            let table = SystemTable {
                definition,
                columns: Arc::new((definition.columns)()),
                inside: self.inside.clone(),
            };
            Arc::new(table) as _
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        DEFINITIONS.iter().any(|table| table.name == name)
    }
}

/// A table whose rows are gathered when a query is planned.
struct SystemTable {
    definition: &'static Definition,
    columns: SchemaRef,
    inside: Inside,
}

impl fmt::Debug for SystemTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemTable").field("name", &self.definition.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.columns)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = (self.definition.rows)(&self.inside, self.schema())?;
        let rows =
            MemorySourceConfig::try_new_exec(&[vec![rows]], self.schema(), projection.cloned());
        Ok(rows?)
    }
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, false)
}

fn number(name: &str) -> Field {
    Field::new(name, DataType::UInt64, false)
}

fn time(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Nanosecond, None), false)
}
