//! The tables of one database, as the schema that queries name tables in.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::Result;

use crate::table::ForebayTable;
use crate::view::View;

/// The user's tables of the database of a view, and of no other.
#[derive(Debug)]
pub(crate) struct DatabaseTables {
    view: Arc<View>,
}

impl DatabaseTables {
    pub(crate) fn new(view: &Arc<View>) -> Self {
        Self { view: Arc::clone(view) }
    }
}

#[async_trait]
impl SchemaProvider for DatabaseTables {
    fn table_names(&self) -> Vec<String> {
        let names = self.view.database.tables.keys();
        names.map(|name| name.as_str().to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let table = self.view.database.tables.get(name);
        Ok(table.map(|table| Arc::new(ForebayTable::new(&self.view, table)) as _))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.view.database.tables.contains_key(name)
    }
}
