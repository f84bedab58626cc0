//! Databases that are created before anything is written to them.

use catalog::{Action, Command};
use types::schema::SchemaChange;
use types::{DatabaseId, DatabaseName, DatabaseRef};

use super::{CHECKS_MAX, Edge};
use crate::error::Error;

impl Edge {
    /// Creates `database`; does nothing if it is there.
    ///
    /// # Errors
    ///
    /// The limit of databases, and what the catalog says.
    pub(crate) async fn create_database(&self, database: &DatabaseName) -> Result<(), Error> {
        let limit = self.config.limits.databases_max;
        let catalog = &self.deps.catalog;
        for _ in 0..CHECKS_MAX {
            let view = self.view(database);
            if view.database().is_some() {
                return Ok(());
            }
            if view.databases() >= limit {
                let reason = format!("there would be more than the limit of {limit} databases");
                return Err(Error::NamesExhausted(reason));
            }
            match catalog.apply(self.creation_of(database)).await {
                Ok(_) => return Ok(()),
                Err(catalog::Error::SchemaConflict { .. }) => {
                    catalog.refresh().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::SchemaKeepsChanging(CHECKS_MAX))
    }

    fn creation_of(&self, database: &DatabaseName) -> Command {
        let randomness = &*self.deps.randomness;
        let id = DatabaseId::new(randomness.next_u64());
        let change = SchemaChange {
            database: DatabaseRef { id, name: database.clone() },
            create_database: true,
            tables: Vec::new(),
        };
        Command::new(Action::ChangeSchema(change), randomness)
    }

    /// The names of all databases, in name order.
    pub(crate) fn databases(&self) -> Vec<DatabaseName> {
        let snapshot = self.deps.catalog.snapshot();
        snapshot.databases().map(|database| database.name.clone()).collect()
    }
}
