//! A file in the object store, as the Parquet reader wants it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use catalog::File;
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
}

impl StoredFile {
    pub(super) fn new(store: &Arc<dyn ObjectStore>, file: &File) -> Result<Self, Error> {
        let path = Path::parse(&file.path).map_err(|error| Error::Corrupt {
            path: file.path.clone(),
            expected: "a key of the object store",
            source: Box::new(error),
        })?;
        Ok(Self { store: Arc::clone(store), path, bytes: file.bytes })
    }

    /// The whole file.
    pub(super) async fn fetch(&self) -> Result<Bytes, Error> {
        let fetch = async { self.store.get(&self.path).await?.bytes().await };
        fetch
            .await
            .map_err(|error| Error::Fetch { path: self.path.to_string(), source: Box::new(error) })
    }
}

fn from_store(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for StoredFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            let bytes = self.store.get_range(&self.path, range).await;
            bytes.map_err(from_store)
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            let bytes = self.store.get_ranges(&self.path, &ranges).await;
            bytes.map_err(from_store)
        }
        .boxed()
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
