//! Reads what a server has: through Flight, and from the Parquet files that its catalog names.

use std::path::Path;

use checker::read::{self, Stored};
use checker::{Scope, View};
use tokio::runtime::{Builder, Runtime};

use crate::error::{During, Error};

/// The database that everything judged is in.
pub(crate) const DATABASE: &str = "ledger";

/// Asks for views.
#[derive(Debug)]
pub(crate) struct Reader {
    runtime: Runtime,
}

impl Reader {
    pub(crate) fn new() -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Self { runtime: runtime.during("start a runtime")? })
    }

    /// What a query through Flight shows of `scope`.
    pub(crate) fn read(&self, url: &str, scope: &Scope) -> Result<View, Error> {
        let table = &scope.table;
        let sql = match &scope.series {
            Some(series) => format!("SELECT * FROM {table} WHERE series = '{series}'"),
            None => format!("SELECT * FROM {table}"),
        };
        let asked = self.runtime.block_on(read::flight(url, DATABASE, &sql));
        let rows = asked.and_then(|batches| read::sql(table, &batches));
        let rows = rows.map_err(|error| match error.is_of_server() && !error.is_damage() {
            true => Error::answer(sql, &error),
            false => Error::Wrong { what: sql, reason: error.to_string() },
        });
        Ok(View { rows: rows? })
    }

    /// What the files hold that the catalog names, read without the server's help.
    pub(crate) fn read_files(&self, url: &str, objects: &Path) -> Result<Stored, Error> {
        let failed = |error: read::Error| Error::answer("read the files", &error);
        let store = read::directory(objects).map_err(failed)?;
        let asked = self.runtime.block_on(read::flight(url, DATABASE, read::CATALOG_SQL));
        let told = asked.and_then(|batches| read::catalog(&batches)).map_err(failed)?;
        self.runtime.block_on(read::files(store.as_ref(), &told)).map_err(failed)
    }
}

/// True if the server says that there is nothing of this name, which is right if nothing was kept.
pub(crate) fn is_absent(error: &Error) -> bool {
    let told = error.to_string();
    told.contains("not found") || told.contains("there is no database")
}
