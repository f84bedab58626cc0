//! Objects as files on a local disk, durable before a write returns.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use types::effect::Disk;
use types::effect::disk::Access;

use super::staging;
use crate::error::Error;

/// `LocalFileSystem`, with what it leaves out: after a write it fsyncs the file and each directory
/// above it up to the root before it returns.
///
/// `LocalFileSystem` writes a staging file, links or renames it to its name and returns: after a
/// power cut the object may be empty or gone. All directories up to the root are synced each time,
/// whoever created them: another write may have made one a moment ago and not have synced it yet.
///
/// A failed fsync fails the write. It must not be believed when it is tried again, so whoever gets
/// the error has to write the object again, under another name.
///
/// Removals are not synced: an object that comes back after a power cut is garbage, no loss.
#[derive(Clone, Debug)]
pub struct DurableLocalStore {
    files: Arc<LocalFileSystem>,
    disk: Arc<dyn Disk>,
    root: PathBuf,
}

impl DurableLocalStore {
    /// Opens the store in `root`, which is created if it is not there; its parent must be.
    ///
    /// What a crash left of writes that had not returned is removed. Nobody else may write to the
    /// directory meanwhile: the caller holds the lock of the data directory.
    ///
    /// # Errors
    ///
    /// [`Error::Disk`] or [`Error::Store`] if the directory cannot be used.
    pub fn open(root: &FsPath, disk: Arc<dyn Disk>) -> Result<Self, Error> {
        create_root(root, disk.as_ref())?;
        staging::sweep(root, disk.as_ref())?;
        let files = LocalFileSystem::new_with_prefix(root);
        let files = files.map_err(Error::store(&Path::default()))?;
        Ok(Self { root: resolved_root(&files)?, files: Arc::new(files), disk })
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "the rest of the store does the same within object_store"
    )]
    async fn sync(&self, location: &Path) -> Result<()> {
        let file = self.files.path_to_filesystem(location)?;
        let (disk, root) = (Arc::clone(&self.disk), self.root.clone());
        let synced = tokio::task::spawn_blocking(move || {
            sync_file_and_directories(&file, &root, disk.as_ref())
        });
        synced.await?.map_err(not_durable)
    }
}

fn create_root(root: &FsPath, disk: &dyn Disk) -> Result<(), Error> {
    match disk.create_dir(root) {
        Ok(()) => {
            let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or_else(|| FsPath::new("."));
            disk.sync_dir(parent).map_err(Error::disk("sync", parent))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::disk("create", root)(error)),
    }
}

/// The root with its links resolved, as the wrapped store has it: the directories that are synced
/// have to be those that are written to.
fn resolved_root(files: &LocalFileSystem) -> Result<PathBuf, Error> {
    let some_object = Path::from("object");
    let path = files.path_to_filesystem(&some_object);
    let mut path = path.map_err(Error::store(&some_object))?;
    path.pop();
    Ok(path)
}

/// From the bytes upwards, so that no durable name ever leads to bytes that are not.
fn sync_file_and_directories(file: &FsPath, root: &FsPath, disk: &dyn Disk) -> io::Result<()> {
    disk.open(file, Access::Read)?.sync_data()?;
    for dir in file.ancestors().skip(1) {
        disk.sync_dir(dir)?;
        if dir == root {
            return Ok(());
        }
    }
    Err(io::Error::other("the file is not below the store's root"))
}

fn not_durable(source: io::Error) -> object_store::Error {
    object_store::Error::Generic { store: "DurableLocalStore", source: source.into() }
}

impl fmt::Display for DurableLocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableLocalStore({})", self.root.display())
    }
}

#[async_trait]
impl ObjectStore for DurableLocalStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let result = self.files.put_opts(location, payload, opts).await?;
        self.sync(location).await?;
        Ok(result)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let parts = self.files.put_multipart_opts(location, opts).await?;
        Ok(Box::new(DurableUpload { parts, store: self.clone(), location: location.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.files.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.files.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await?;
        self.sync(to).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.files.rename_opts(from, to, options).await?;
        self.sync(to).await
    }
}

/// An upload in parts; the file is durable when `complete` returns.
#[derive(Debug)]
struct DurableUpload {
    parts: Box<dyn MultipartUpload>,
    store: DurableLocalStore,
    location: Path,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        self.parts.put_part(part)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let result = self.parts.complete().await?;
        self.store.sync(&self.location).await?;
        Ok(result)
    }

    async fn abort(&mut self) -> Result<()> {
        self.parts.abort().await
    }
}

#[cfg(test)]
mod tests;
