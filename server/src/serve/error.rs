//! Why the server ended.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinError;

use crate::exit::Code;

/// The errors of the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// The address is in use or not of this machine.
    #[error("cannot listen on {address}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Signals could not be taken over.
    #[error("cannot handle signals")]
    Signals {
        /// What the system said.
        source: io::Error,
    },
    /// The data directory could not be made.
    #[error("cannot create {}", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The object store could not be opened.
    #[error("cannot open the object store {url}")]
    ObjectStore {
        /// Its URL.
        url: String,
        /// Why.
        source: object_store::Error,
    },
    /// The local object store could not be opened, or belongs to another log.
    #[error("cannot use the object store")]
    LocalStore(#[from] persist::Error),
    /// The threads that sort and encode could not be started.
    #[error("cannot persist")]
    CpuPool(#[source] persist::Error),
    /// A store in memory was asked for beside data that is on disk.
    #[error(
        "memory:// is refused: {} holds data whose files would be missing after a restart",
        path.display()
    )]
    MemoryBesideData {
        /// The data directory.
        path: PathBuf,
    },
    /// The catalog could not be opened or closed.
    #[error("the catalog failed")]
    Catalog(#[from] catalog::Error),
    /// The ingester could not be started or closed.
    #[error("the ingester could not be started or ended")]
    Ingester(#[from] ingester::Error),
    /// The query engine could not be set up.
    #[error("the query engine could not be set up")]
    Query(#[from] query::Error),
    /// Something failed that the process cannot go on from.
    #[error("the ingester failed")]
    Failed(#[source] Arc<ingester::Error>),
    /// The listener ended by itself.
    #[error("the listener ended: {reason}")]
    Listener {
        /// How.
        reason: String,
    },
    /// A task of this program ended before its time.
    #[error("a task of the server ended early")]
    Task,
}

impl Error {
    /// The listener ended though nobody asked it to.
    pub(super) fn served(ended: Result<(), JoinError>) -> Self {
        let reason = match ended {
            Ok(()) => "without a reason".to_owned(),
            Err(error) => error.to_string(),
        };
        Self::Listener { reason }
    }

    /// How the process ends.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Catalog(error) => error.into(),
            Self::Ingester(error) => error.into(),
            Self::Failed(error) => Code::from(&**error),
            Self::LocalStore(error) | Self::CpuPool(error) => error.kind().into(),
            Self::MemoryBesideData { .. } => Code::Usage,
            Self::DataDir { .. } => Code::Io,
            Self::Task | Self::Listener { .. } => Code::Internal,
            _ => Code::Failure,
        }
    }
}
