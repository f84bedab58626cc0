//! Logs: their epochs fence, and how far they have got is kept.

use std::sync::Arc;

use types::fault::{self, Bug};
use types::{Epoch, LogId, Lsn};

use crate::error::Error;
use crate::log_entry::LogEntry;
use crate::machine::Effect;
use crate::snapshot::Snapshot;

/// Registers the next epoch of a log.
pub(super) fn open(root: &mut Snapshot, log: LogId, epoch: Epoch) -> Result<Effect, Error> {
    let current = root.log(log).map_or(Epoch::ZERO, |entry| entry.epoch);
    if epoch <= current && !fault::is_planted(Bug::NoEpochCheck) {
        return Err(Error::Fenced { log, epoch, current });
    }
    let logs = Arc::make_mut(&mut root.logs);
    logs.entry(log).or_insert(LogEntry { epoch, lsn: Lsn::ZERO }).epoch = epoch;
    Ok(Effect::Changed(root.version.next()))
}

/// Records how far a log has got.
pub(super) fn record(
    root: &mut Snapshot,
    log: LogId,
    epoch: Epoch,
    lsn: Lsn,
) -> Result<Effect, Error> {
    check_epoch(root, log, epoch)?;
    raise(root, log, lsn);
    Ok(Effect::Changed(root.version.next()))
}

/// Refuses all epochs but the one that was registered last.
pub(super) fn check_epoch(root: &Snapshot, log: LogId, epoch: Epoch) -> Result<(), Error> {
    match root.log(log).map(|entry| entry.epoch) {
        _ if fault::is_planted(Bug::NoEpochCheck) => Ok(()),
        Some(current) if epoch == current => Ok(()),
        Some(current) if epoch < current => Err(Error::Fenced { log, epoch, current }),
        _ => Err(Error::UnknownEpoch { log, epoch }),
    }
}

/// Raises the largest LSN that is known of a log; it never falls.
pub(super) fn raise(root: &mut Snapshot, log: LogId, lsn: Lsn) {
    if root.log(log).is_none_or(|entry| lsn <= entry.lsn) {
        return;
    }
    if let Some(entry) = Arc::make_mut(&mut root.logs).get_mut(&log) {
        entry.lsn = lsn;
    }
}
