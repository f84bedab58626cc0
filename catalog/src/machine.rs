//! The state machine: what a command does to a version, or why it is refused.
//!
//! Deterministic: the same commands applied to the same version give the same versions, whoever
//! applies them and whenever. So the log holds commands, and replaying it gives the state.

mod drops;
mod files;
mod logs;
mod schema;
#[cfg(test)]
mod tests;

use types::CatalogVersion;
use types::fault::{self, Bug};

use crate::command::{Action, Command};
use crate::config::Limits;
use crate::error::Error;
use crate::snapshot::Snapshot;

/// What a command that was not refused has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It made this version.
    Changed(CatalogVersion),
    /// It had been applied before, at this version; nothing changed.
    Repeated(CatalogVersion),
}

impl Effect {
    /// The version that the command made, now or before.
    pub const fn version(self) -> CatalogVersion {
        match self {
            Self::Changed(version) | Self::Repeated(version) => version,
        }
    }

    /// True if it had been applied before.
    pub const fn is_repeated(self) -> bool {
        matches!(self, Self::Repeated(_))
    }
}

impl Snapshot {
    /// Applies `command`. Nodes that other holders of this version see are copied, never changed.
    ///
    /// # Errors
    ///
    /// A refusal; then this snapshot is as it was. Each action checks everything before it changes
    /// anything.
    pub fn apply(&mut self, command: &Command, limits: &Limits) -> Result<Effect, Error> {
        if !fault::is_planted(Bug::RetryNotIdempotent)
            && let Some(version) = self.requests.get(command.request)
        {
            return Ok(Effect::Repeated(version));
        }
        let version = self.version.next();
        let effect = match &command.action {
            Action::OpenLog { log, epoch } => logs::open(self, *log, *epoch)?,
            Action::RecordLsn { log, epoch, lsn } => logs::record(self, *log, *epoch, *lsn)?,
            Action::ChangeSchema(change) => schema::change(self, change, limits)?,
            Action::AddFile(add) => files::add(self, add)?,
            Action::DropTable { table } => drops::table(self, *table)?,
            Action::DropDatabase { database } => drops::database(self, *database)?,
        };
        if let Effect::Changed(made) = effect {
            assert_eq!(made, version, "a commit raises the catalog version by one");
            self.version = version;
            self.requests.remember(command.request, version);
        }
        Ok(effect)
    }
}
