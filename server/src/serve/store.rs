//! Opens the object store that a URL names.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, parse_url_opts};
use persist::store::DurableLocalStore;
use types::effect::Disk;
use url::Url;

use super::Error;

/// How the clouds' own variables begin. Others are not for the store, though it would know some of
/// them: `TOKEN`, `REGION` and `BUCKET` are anybody's names.
const PREFIXES: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];

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
    let (store, prefix) = parse_url_opts(url, options(std::env::vars_os())).map_err(failed)?;
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}

/// The clouds' own variables, as the store's library calls them. What is not text is none of them.
fn options(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (String, String)> {
    let texts = variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts
        .filter(|(name, _)| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn only_the_clouds_own_variables_are_read() {
        let text = |text: &str| OsString::from(text);
        let odd = || OsString::from_vec(vec![b'A', b'W', b'S', b'_', 0xff]);
        let variables = [
            (text("AWS_REGION"), text("eu-north-1")),
            (text("GOOGLE_SERVICE_ACCOUNT"), text("/key.json")),
            (text("AZURE_STORAGE_ACCOUNT_NAME"), text("a")),
            (text("REGION"), text("x")),
            (text("MY_AWS_REGION"), text("x")),
            (text("AWS_SECRET_ACCESS_KEY"), odd()),
            (odd(), text("x")),
        ];
        let read: Vec<_> = options(variables.into_iter()).map(|(name, _)| name).collect();
        assert_eq!(read, ["aws_region", "google_service_account", "azure_storage_account_name"]);
    }
}
