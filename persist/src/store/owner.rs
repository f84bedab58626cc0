//! One owner of a prefix: an object that names the log whose files are there.

use std::fmt::Debug;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use serde::{Deserialize, Serialize};
use types::LogId;

use crate::error::Error;

/// The key of the owner object, at the root of the prefix.
pub const OWNER: &str = "forebay-owner.json";

/// The version of the owner object's form. A later version may add fields; readers ignore those
/// that they do not know.
const VERSION: u32 = 1;

/// The owner of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The version of this form.
    pub version: u32,
    /// The log whose files are below the prefix.
    pub log: LogId,
}

/// Makes `log` the owner of the prefix, or makes sure that it is.
///
/// A claim whose answer was lost is recognised: what counts is who is named in the object, not what
/// the store answered to the attempt.
///
/// # Errors
///
/// [`Error::OwnedByAnother`]; [`Error::ConditionIgnored`] if the store lets a second claim
/// overwrite the first, which is then no claim; [`Error::Store`] if it is not known who the owner
/// is: try again.
pub async fn claim(store: &dyn ObjectStore, log: LogId) -> Result<(), Error> {
    if let Some(owner) = owner_of(store).await? {
        return check(owner, log);
    }
    let created = put(store, log, PutMode::Create).await;
    match (owner_of(store).await?, created) {
        (Some(owner), created) => {
            check(owner, log)?;
            if created.is_ok() {
                check_condition(store, log).await?;
            }
            Ok(())
        }
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(Error::NotWhatWasSent {
            path: Path::from(OWNER),
            what: "it was created and is not there".to_owned(),
        }),
    }
}

/// Who owns the prefix, if anybody does.
///
/// # Errors
///
/// [`Error::Store`] if the store cannot be asked, [`Error::BadOwner`] if its answer makes no sense.
pub async fn owner_of(store: &dyn ObjectStore) -> Result<Option<Owner>, Error> {
    let path = Path::from(OWNER);
    let object = match store.get(&path).await {
        Ok(object) => object.bytes().await.map_err(Error::store(&path))?,
        // A store that does not let its keys be listed says so of keys that are not there.
        Err(
            object_store::Error::NotFound { .. } | object_store::Error::PermissionDenied { .. },
        ) => return Ok(None),
        Err(error) => return Err(Error::store(&path)(error)),
    };
    match serde_json::from_slice(&object) {
        Ok(owner) => Ok(Some(owner)),
        Err(source) => Err(Error::BadOwner { path, source }),
    }
}

/// Makes `log` the owner, whoever was it before: for a restored copy whose original is gone.
///
/// # Errors
///
/// [`Error::Store`] if the store failed.
pub async fn take_over(store: &dyn ObjectStore, log: LogId) -> Result<(), Error> {
    put(store, log, PutMode::Overwrite).await
}

async fn put(store: &dyn ObjectStore, log: LogId, mode: PutMode) -> Result<(), Error> {
    let path = Path::from(OWNER);
    let owner = Owner { version: VERSION, log };
    let payload = PutPayload::from(serde_json::to_vec(&owner)?);
    let put = store.put_opts(&path, payload, mode.into()).await;
    put.map(drop).map_err(Error::store(&path))
}

fn check(owner: Owner, log: LogId) -> Result<(), Error> {
    if owner.log == log {
        return Ok(());
    }
    Err(Error::OwnedByAnother { path: Path::from(OWNER), owner: owner.log, log })
}

/// Some stores take the condition "only if absent" and ignore it; then two servers could both
/// believe that they own the prefix. The object just created must not be created again.
async fn check_condition(store: &dyn ObjectStore, log: LogId) -> Result<(), Error> {
    match put(store, log, PutMode::Create).await {
        Ok(()) => Err(Error::ConditionIgnored { path: Path::from(OWNER) }),
        Err(_refused) => Ok(()),
    }
}

/// Takes back a claim that does not count, so that the next process does not find it and believe in
/// it. One of another log, which has overwritten it meanwhile, is that log's own to find out about.
pub async fn withdraw(store: &dyn ObjectStore, log: LogId) {
    let path = Path::from(OWNER);
    let removed = match owner_of(store).await {
        Ok(Some(owner)) if owner.log == log => {
            store.delete(&path).await.map_err(Error::store(&path))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = removed {
        tracing::warn!(%path, %error, "cannot remove a claim that does not count: remove it by hand");
    }
}

#[cfg(test)]
mod tests;
