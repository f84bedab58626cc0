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
                // Others have created the last one meanwhile.
                Err(error @ catalog::Error::Limit { .. }) => {
                    return Err(Error::NamesExhausted(error.to_string()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::testing::{World, database};

    #[tokio::test]
    async fn who_loses_the_race_for_the_last_database_is_told_that_there_are_too_many() {
        // As it is seen by who lost it: by what was known before, there was room for one more.
        let max = catalog::Limits::default().databases_max;
        let world = World::with_limits(Limits { databases_max: max + 1, ..Limits::default() });
        for number in 0..max {
            let name = database(&format!("db{number}"));
            world.edge.create_database(&name).await.expect("there is room");
        }
        let refused = world.edge.create_database(&database("late")).await;
        assert!(matches!(refused, Err(Error::NamesExhausted(_))), "{refused:?}");
    }
}
