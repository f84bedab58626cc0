//! The last stage: one conditional command adds the file, its LSN range and the sort key.

use std::sync::Arc;

use catalog::{Action, AddFile, Command, Committed, File, NewFile, SortKeyChange};
use types::fault::{self, Point};
use types::{ErrorKind, FileId, RequestId, SortKey};

use super::retry::Dependency;
use super::{Machine, Stage};
use crate::context::Fence;
use crate::error::Error;
use crate::format::encoder::EncodedFile;
use crate::outcome::Outcome;

impl Machine {
    /// Sends the command until there is an answer that says what happened.
    ///
    /// # Errors
    ///
    /// An error of kind [`ErrorKind::Fenced`], or a refusal that another file would not meet.
    pub(super) async fn commit(
        &mut self,
        file: EncodedFile,
        known: Option<SortKey>,
    ) -> Result<Stage, Error> {
        fault::reach(Point::CommitBefore);
        let begin = self.context.now();
        let add = self.add_file(&file, known);
        // Drawn once for the command: one whose answer was lost is recognised when it comes again.
        let randomness = &self.context.deps.randomness;
        let request = RequestId::from_random(randomness.next_u64(), randomness.next_u64());
        let refusal = loop {
            match self.send(request, &add).await {
                Ok(committed) => {
                    fault::reach(Point::CommitAfter);
                    self.retry.recovered();
                    self.context.metrics.commit_seconds.observe(self.context.seconds_since(begin));
                    return Ok(Stage::Settled(committed_file(&add, &committed)));
                }
                Err(error) if is_passing(&error) => {
                    self.retry.failed(Dependency::Catalog, &error).await;
                }
                Err(error) => break error,
            }
            if let Some(fenced) = self.context.fenced() {
                return Err(fenced);
            }
        };
        self.refused(file, refusal).await
    }

    fn add_file(&self, file: &EncodedFile, known: Option<SortKey>) -> AddFile {
        let provenance = &file.provenance;
        // Chunks that were set aside stand in no order and leave the key as it is.
        let new = provenance.sort_key.clone().or_else(|| known.clone());
        AddFile {
            log: provenance.log,
            epoch: provenance.epoch,
            log_lsn: (self.context.deps.published)().max(provenance.lsns.last()),
            table: provenance.table.id,
            partition: provenance.partition.clone(),
            sort_key: SortKeyChange { expected: known, new: new.unwrap_or_default() },
            file: NewFile {
                id: provenance.file,
                path: file.path.to_string(),
                kind: file.kind,
                term: provenance.term,
                lsns: provenance.lsns,
                rows: provenance.rows,
                bytes: file.bytes.len() as u64,
                time_min: provenance.time_min,
                time_max: provenance.time_max,
                checksums: file.checksums.clone(),
            },
        }
    }

    async fn send(&mut self, request: RequestId, add: &AddFile) -> Result<Committed, Error> {
        let path = || add.file.path.clone();
        let action = Action::AddFile(add.clone());
        let answer = self.context.deps.catalog.apply(Command { request, action });
        let limit = self.context.config.attempt_timeout;
        match self.retry.answer(Dependency::Catalog, limit, answer).await {
            None => Err(Error::CatalogTimedOut { path: path() }),
            Some(Ok(committed)) => Ok(committed),
            Some(Err(source)) => Err(Error::Catalog { path: path(), source }),
        }
    }

    /// The command was refused for good: keys only grow, epochs only rise, and what is dropped stays
    /// dropped, so no earlier copy of it can still be applied, and its object is free to go.
    async fn refused(&mut self, file: EncodedFile, refusal: Error) -> Result<Stage, Error> {
        self.retry.recovered();
        let path = file.path;
        let Error::Catalog { source, .. } = &refusal else {
            return Err(refusal);
        };
        match source {
            catalog::Error::SortKeyConflict { observed } => {
                self.context.metrics.sort_key_conflicts.inc();
                tracing::info!(%path, %observed, "the sort key has changed, sorting again");
                let known = Some(observed.clone());
                Ok(Stage::Clear { path, known })
            }
            catalog::Error::DeadTable { version, .. } => {
                self.discard(&path).await;
                let version = *version;
                Ok(Stage::Settled(Outcome::TableDropped { version }))
            }
            catalog::Error::Overlap { file, .. } => {
                let held = self.already_held_in(*file);
                self.discard(&path).await;
                held.map(Stage::Settled).ok_or(refusal)
            }
            fenced if fenced.kind() == ErrorKind::Fenced => {
                self.context.fence(Fence::Epoch);
                Err(Error::Fenced)
            }
            _ => {
                self.discard(&path).await;
                Err(refusal)
            }
        }
    }

    /// The file `id`, if all rows of the job are in it: an earlier attempt has succeeded after all.
    fn already_held_in(&self, id: FileId) -> Option<Outcome> {
        let table = self.context.table_of(&self.job)?;
        let partition = table.partitions.get(&self.job.key)?;
        let file = partition.file(id)?;
        let is_ours = file.log == self.context.deps.log && file.term == self.job.term;
        let holds_all = is_ours && file.lsns.covers(self.job.lsns());
        holds_all.then(|| Outcome::Committed { version: file.added_at, file: Arc::clone(file) })
    }
}

/// True if the command may be sent again as it is, because nothing of it is known to be refused.
fn is_passing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Busy | ErrorKind::Unknown | ErrorKind::Fatal)
}

fn committed_file(add: &AddFile, committed: &Committed) -> Outcome {
    let NewFile { id, path, kind, term, lsns, rows, bytes, time_min, time_max, checksums } =
        add.file.clone();
    let file = File {
        id,
        path,
        kind,
        log: add.log,
        term,
        epoch: add.epoch,
        lsns,
        rows,
        bytes,
        time_min,
        time_max,
        checksums,
        added_at: committed.version,
    };
    Outcome::Committed { version: committed.version, file: Arc::new(file) }
}
