//! The second stage: put the file into the store, then look if it is there whole.

use bytes::Bytes;
use catalog::FileKind;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use types::SortKey;

use super::retry::{Dependency, within};
use super::{Machine, Stage};
use crate::error::Error;
use crate::format::encoder::EncodedFile;
use crate::format::{arrow_ipc, parquet_file};

/// Bytes at the end of an object that are read back and compared: all of most files, and of larger
/// ones the footer, without which nothing of them can be read.
const VERIFY_BYTES_MAX: u64 = 1 << 20;

impl Machine {
    /// Uploads once. What did not succeed for certain is cleared away and written anew.
    pub(super) async fn upload(&mut self, file: EncodedFile, known: Option<SortKey>) -> Stage {
        let begin = self.context.now();
        match self.put_and_verify(&file).await {
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
        }
    }

    async fn put_and_verify(&self, file: &EncodedFile) -> Result<(), Error> {
        let attempt = async {
            self.put(file).await?;
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

    async fn verify(&self, file: &EncodedFile) -> Result<(), Error> {
        let EncodedFile { path, bytes, .. } = file;
        let differs = |what: String| Error::NotWhatWasSent { path: path.clone(), what };
        let store = &self.context.deps.store;
        let sent = bytes.len() as u64;
        let stored = store.head(path).await.map_err(Error::store(path))?.size;
        if stored != sent {
            return Err(differs(format!("it has {stored} of {sent} bytes")));
        }
        let from = sent.saturating_sub(VERIFY_BYTES_MAX);
        let tail = store.get_range(path, from..sent).await;
        let tail: Bytes = tail.map_err(Error::store(path))?;
        if !tail.ends_with(magic(file.kind)) {
            return Err(differs("it has no footer".to_owned()));
        }
        if *tail != bytes[bytes.len() - tail.len()..] {
            return Err(differs(format!("bytes after offset {from} differ")));
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

const fn magic(kind: FileKind) -> &'static [u8] {
    match kind {
        FileKind::Parquet => parquet_file::MAGIC,
        FileKind::Quarantine => arrow_ipc::MAGIC,
    }
}
