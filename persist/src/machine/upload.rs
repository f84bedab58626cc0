//! The second stage: put the file into the store, then look if it is there whole.

use object_store::path::Path;
use object_store::{GetOptions, ObjectStoreExt, PutPayload};
use types::fault::{self, Bug, Point};
use types::{ErrorKind, SortKey};

use super::retry::{Dependency, within};
use super::{Machine, Stage};
use crate::error::Error;
use crate::format::encoder::EncodedFile;

/// Bytes that are read back and compared at a time: memory stays bounded however large a file is,
/// and a file of the usual size takes few requests.
const VERIFY_BYTES_MAX: usize = 4 << 20;

impl Machine {
    /// Uploads once. What did not succeed for certain is cleared away and written anew.
    ///
    /// # Errors
    ///
    /// [`Error::OwnedByAnother`] before anything is uploaded, if the prefix is another log's, and
    /// [`Error::ConditionIgnored`] if it may be.
    pub(super) async fn upload(
        &mut self,
        file: EncodedFile,
        known: Option<SortKey>,
    ) -> Result<Stage, Error> {
        self.own_prefix().await?;
        let begin = self.context.now();
        Ok(match self.put_and_verify(&file).await {
            Ok(()) => {
                self.retry.recovered();
                self.context.metrics.upload_seconds.observe(self.context.seconds_since(begin));
                Stage::Commit { file, known }
            }
            Err(error) => {
                self.context.metrics.upload_failures.inc();
                self.retry.failed(Dependency::Store, &error).await;
                Stage::Clear { path: file.path, known }
            }
        })
    }

    /// Makes sure, for as long as the store takes to say so, that the prefix is this log's.
    async fn own_prefix(&mut self) -> Result<(), Error> {
        loop {
            match self.context.claim_prefix().await {
                Err(error) if error.kind() != ErrorKind::Fenced => {
                    self.retry.failed(Dependency::Store, &error).await;
                }
                claimed => return claimed,
            }
            if let Some(fenced) = self.context.fenced() {
                return Err(fenced);
            }
        }
    }

    async fn put_and_verify(&self, file: &EncodedFile) -> Result<(), Error> {
        let attempt = async {
            fault::reach(Point::PutBefore);
            self.put(file).await?;
            fault::reach(Point::PutAfter);
            if fault::is_planted(Bug::DropBeforeCommit) {
                let observer = &self.context.deps.observer;
                observer.uploaded(self.job.partition(), self.job.lsns());
            }
            self.verify(file).await
        };
        let timed_out = || Error::StoreTimedOut { path: file.path.clone() };
        let answer = within(self.context.config.attempt_timeout, attempt).await;
        answer.unwrap_or_else(|| Err(timed_out()))
    }

    /// The name is the file's own, so overwriting can only repeat what this call has done: clients
    /// of object stores try again by themselves, and after a lost answer find their own object.
    async fn put(&self, file: &EncodedFile) -> Result<(), Error> {
        let store = &self.context.deps.store;
        let payload = PutPayload::from_bytes(file.bytes.clone());
        let put = store.put(&file.path, payload).await;
        put.map(drop).map_err(Error::store(&file.path))
    }

    /// Reads back all that was sent: a store that damages bytes is found out while the rows are
    /// still in memory and in the log.
    async fn verify(&self, file: &EncodedFile) -> Result<(), Error> {
        for from in (0..file.bytes.len()).step_by(VERIFY_BYTES_MAX) {
            let to = file.bytes.len().min(from + VERIFY_BYTES_MAX);
            self.verify_range(file, from, to).await?;
        }
        Ok(())
    }

    /// The store tells with each range how long the object is, so one that is longer than what was
    /// sent, which no range would show, is found out too.
    async fn verify_range(&self, file: &EncodedFile, from: usize, to: usize) -> Result<(), Error> {
        let EncodedFile { path, bytes, .. } = file;
        let differs = |what: String| Err(Error::NotWhatWasSent { path: path.clone(), what });
        let range = GetOptions::default().with_range(Some(from as u64..to as u64));
        let stored = self.context.deps.store.get_opts(path, range).await;
        let stored = stored.map_err(Error::store(path))?;
        let (size, sent) = (stored.meta.size, bytes.len() as u64);
        if size != sent {
            return differs(format!("it has {size} of {sent} bytes"));
        }
        let stored = stored.bytes().await.map_err(Error::store(path))?;
        if *stored != bytes[from..to] {
            return differs(format!("bytes {from} to {to} differ"));
        }
        Ok(())
    }

    /// Removes an object that no file names, if that is easy; otherwise garbage collection will.
    pub(super) async fn discard(&self, path: &Path) {
        let removal = self.context.deps.store.delete(path);
        let answer = within(self.context.config.attempt_timeout, removal).await;
        if !matches!(answer, Some(Ok(()))) {
            tracing::debug!(%path, ?answer, "an object that no file names is left to garbage collection");
        }
    }
}
