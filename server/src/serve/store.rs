//! Opens the object store that a URL names.

use std::path::Path;
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, parse_url_opts};
use persist::store::DurableLocalStore;
use types::effect::Disk;
use url::Url;

use super::Error;

/// Opens the store at `url`. Credentials come from the environment, under the clouds' own names.
pub(super) fn open(
    url: &Url,
    data_dir: &Path,
    disk: &Arc<dyn Disk>,
) -> Result<Arc<dyn ObjectStore>, Error> {
    match url.scheme() {
        "file" => {
            let path = url.to_file_path().unwrap_or_else(|()| url.path().into());
            wal::disk::create_dir_all(disk.as_ref(), &path)
                .map_err(|source| Error::DataDir { path: path.clone(), source })?;
            Ok(Arc::new(DurableLocalStore::open(&path, Arc::clone(disk))?))
        }
        "memory" => in_memory(data_dir, disk.as_ref()),
        _ => remote(url),
    }
}

/// A store that nothing of survives the process; so it must not stand beside data that does.
fn in_memory(data_dir: &Path, disk: &dyn Disk) -> Result<Arc<dyn ObjectStore>, Error> {
    if disk.list(data_dir).is_ok_and(|entries| !entries.is_empty()) {
        return Err(Error::MemoryBesideData { path: data_dir.to_owned() });
    }
    tracing::warn!("the object store is in memory: nothing in it survives this process");
    Ok(Arc::new(InMemory::new()))
}

fn remote(url: &Url) -> Result<Arc<dyn ObjectStore>, Error> {
    let failed = |source| Error::ObjectStore { url: url.to_string(), source };
    let options = std::env::vars().map(|(name, value)| (name.to_ascii_lowercase(), value));
    let (store, prefix) = parse_url_opts(url, options).map_err(failed)?;
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}
