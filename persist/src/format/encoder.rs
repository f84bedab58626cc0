//! Turns a job into the bytes of a file.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use catalog::{BlockChecksums, FileKind};
use object_store::path::Path;
use types::batch::merge;
use types::{Batch, FileId, SortKey, TableSchema};

use super::provenance::{Contents, Origin, Provenance};
use super::{arrow_ipc, columns, object_key, parquet_file};
use crate::error::Error;
use crate::job::PersistJob;
use crate::sort_order;

/// What is to be encoded: a job, as one file.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) job: Arc<PersistJob>,
    pub(crate) kind: FileKind,
    pub(crate) origin: Origin,
    /// The file's id, of its own for each attempt.
    pub(crate) id: FileId,
    /// The partition's sort key as it is known; empty if it has none yet.
    pub(crate) known: SortKey,
    /// The table's columns as they are known. A file has all of them, also those that none of its
    /// rows has, so that strangers can read the files of a table together.
    pub(crate) table: Option<Arc<TableSchema>>,
}

/// A file in memory.
#[derive(Clone, Debug)]
pub(crate) struct EncodedFile {
    pub(crate) path: Path,
    pub(crate) kind: FileKind,
    pub(crate) bytes: Bytes,
    pub(crate) checksums: BlockChecksums,
    pub(crate) provenance: Provenance,
}

/// Encodes drafts; called on the CPU pool. A seam, so that a test can have it fail.
pub(crate) trait Encoder: Debug + Send + Sync {
    fn encode(&self, draft: &Draft) -> Result<EncodedFile, Error>;
}

/// The real one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileEncoder {
    pub(crate) row_group_rows: usize,
}

impl Encoder for FileEncoder {
    fn encode(&self, draft: &Draft) -> Result<EncodedFile, Error> {
        match draft.kind {
            FileKind::Parquet => self.parquet(draft),
            FileKind::Quarantine => arrow(draft),
        }
    }
}

impl FileEncoder {
    fn parquet(self, draft: &Draft) -> Result<EncodedFile, Error> {
        let sort_key = sort_order::choose(&draft.known, &draft.job);
        let batches: Vec<Arc<Batch>> = draft.job.batches().map(Arc::clone).collect();
        let merged = merge(&batches, &sort_key)?;
        let provenance = provenance(draft, Some(sort_key), [&merged].into_iter());
        let bytes = parquet_file::encode(&merged, &provenance, self.row_group_rows)?;
        Ok(EncodedFile {
            path: object_key::parquet(&draft.job, draft.id)?,
            kind: draft.kind,
            checksums: BlockChecksums::of(&bytes),
            bytes,
            provenance,
        })
    }
}

fn arrow(draft: &Draft) -> Result<EncodedFile, Error> {
    let provenance = provenance(draft, None, draft.job.batches().map(AsRef::as_ref));
    let bytes = arrow_ipc::encode(&draft.job, &provenance)?;
    Ok(EncodedFile {
        path: object_key::arrow(&draft.job, draft.id)?,
        kind: draft.kind,
        checksums: BlockChecksums::of(&bytes),
        bytes,
        provenance,
    })
}

fn provenance<'a>(
    draft: &Draft,
    sort_key: Option<SortKey>,
    batches: impl Iterator<Item = &'a Batch> + Clone,
) -> Provenance {
    let ranges = batches.clone().filter_map(Batch::time_range);
    let times = ranges.reduce(|a, b| *a.start().min(b.start())..=*a.end().max(b.end()));
    let rows = batches.clone().map(|batch| batch.rows() as u64).sum();
    // Only a job without any row has no time; its range of LSNs is settled all the same.
    let times = times.unwrap_or(0..=0);
    let contents = Contents {
        sort_key,
        columns: columns::of(batches, draft.table.as_deref()),
        rows,
        time_min: *times.start(),
        time_max: *times.end(),
    };
    Provenance::new(&draft.job, draft.origin, draft.id, contents)
}
