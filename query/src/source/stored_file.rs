//! A file in the object store, as the Parquet reader wants it, each byte checked before it is used.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use catalog::{BlockChecksums, File};
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::error::Error;

/// The footer of most files is within their last bytes, so that one fetch gets it.
const FOOTER_BYTES_EXPECTED: usize = 64 * 1024;

/// A file of the catalog and the store that has it.
#[derive(Clone, Debug)]
pub(super) struct StoredFile {
    store: Arc<dyn ObjectStore>,
    path: Path,
    bytes: u64,
    checksums: BlockChecksums,
}

impl StoredFile {
    pub(super) fn new(store: &Arc<dyn ObjectStore>, file: &File) -> Result<Self, Error> {
        let path = Path::parse(&file.path).map_err(|error| Error::Corrupt {
            path: file.path.clone(),
            expected: "a key of the object store",
            source: Box::new(error),
        })?;
        let checksums = file.checksums.clone();
        Ok(Self { store: Arc::clone(store), path, bytes: file.bytes, checksums })
    }

    /// The whole file.
    pub(super) async fn fetch(&self) -> Result<Bytes, Error> {
        let path = || self.path.to_string();
        let fetch = async { self.store.get(&self.path).await?.bytes().await };
        let fetched = fetch.await;
        let bytes =
            fetched.map_err(|error| Error::Fetch { path: path(), source: Box::new(error) })?;
        self.check(&(0..self.bytes), &bytes).map_err(|error| Error::Corrupt {
            path: path(),
            expected: "the bytes that were committed",
            source: Box::new(error),
        })?;
        Ok(bytes)
    }

    /// Reads `ranges`, each out of whole blocks, which are read once and checked.
    async fn read(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let blocks = merged(ranges.iter().map(|range| self.checksums.around(range, self.bytes)));
        let read = self.store.get_ranges(&self.path, &blocks).await.map_err(from_store)?;
        for (blocks, bytes) in blocks.iter().zip(&read) {
            self.check(blocks, bytes)?;
        }
        let cut = |range: &Range<u64>| {
            let at = blocks.partition_point(|blocks| blocks.end < range.end);
            let (blocks, bytes) = blocks.get(at).zip(read.get(at))?;
            let start = usize::try_from(range.start.checked_sub(blocks.start)?).ok()?;
            let end = start.checked_add(usize::try_from(range.end - range.start).ok()?)?;
            (end <= bytes.len()).then(|| bytes.slice(start..end))
        };
        let cut = |range| cut(range).ok_or_else(|| ParquetError::EOF(format!("{range:?}")));
        ranges.iter().map(cut).collect()
    }

    fn check(&self, range: &Range<u64>, bytes: &Bytes) -> Result<()> {
        if bytes.len() as u64 != range.end - range.start {
            let told = format!("it ends before offset {}", range.end);
            return Err(ParquetError::EOF(told));
        }
        self.checksums.check(range.start, bytes).map_err(|at| {
            ParquetError::General(format!("the block at offset {at} is not as it was written"))
        })
    }
}

/// The same ranges in their order, those that touch each other as one.
fn merged(ranges: impl Iterator<Item = Range<u64>>) -> Vec<Range<u64>> {
    let mut ranges: Vec<_> = ranges.collect();
    ranges.sort_by_key(|range| range.start);
    ranges.dedup_by(|next, range| {
        let touches = next.start <= range.end;
        if touches {
            range.end = range.end.max(next.end);
        }
        touches
    });
    ranges
}

fn from_store(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for StoredFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            let mut read = self.read(&[range]).await?;
            read.pop().ok_or_else(|| ParquetError::EOF(String::new()))
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move { self.read(&ranges).await }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let bytes = self.bytes;
            let reader = ParquetMetaDataReader::new()
                .with_arrow_reader_options(options)
                .with_prefetch_hint(Some(FOOTER_BYTES_EXPECTED));
            Ok(Arc::new(reader.load_and_finish(self, bytes).await?))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_are_one() {
        let ranges = [30..40, 0..10, 10..20, 12..15, 35..50];
        assert_eq!(merged(ranges.into_iter()), [0..20, 30..50]);
        assert_eq!(merged(std::iter::empty()), []);
    }
}
