//! What there is after a kill: what the log has, and then what files have.

use reqwest::blocking::Client;

use crate::error::Error;
use crate::forebay::{Launch, Server};
use crate::load::{DATABASE, Load};
use crate::report::Totals;

/// Kills a server and starts it again; `judge` looks at all that it shows once it has replayed its
/// log, and once more when all of `databases` is persisted.
pub(crate) fn judge_after_kill(
    (server, launch): (&mut Server, &Launch),
    databases: &[String],
    mut judge: impl FnMut(&str) -> Result<(), Error>,
) -> Result<(), Error> {
    server.kill()?;
    let (mut again, url) = launch.start_ready()?;
    judge(&url)?;
    for database in databases {
        launch.persist(&url, database)?;
    }
    judge(&url)?;
    again.kill()?;
    Ok(())
}

/// The same for a load: adds what is found to `totals`, which have its requests already.
pub(crate) fn judge_load_after_kill(
    (server, launch): (&mut Server, &Launch),
    (load, client): (&Load, &Client),
    totals: &mut Totals,
) -> Result<(), Error> {
    judge_after_kill((server, launch), &[DATABASE.to_owned()], |url| {
        totals.saw(&load.judge(client, url)?);
        Ok(())
    })
}
