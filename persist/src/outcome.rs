//! How a job ended, and who is told.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use catalog::File;
use tokio::sync::oneshot;
use types::{CatalogVersion, DatabaseRef, LsnRange, PartitionId, PartitionKey, TableRef};

use crate::error::Error;

/// How a job ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Its rows are in a file that is durable in the store and committed in the catalog.
    Committed {
        /// The version that first has the file.
        version: CatalogVersion,
        /// The file; its kind says if the job was set aside.
        file: Arc<File>,
    },
    /// The table was dropped for good, and its rows with it.
    TableDropped {
        /// A version in which the table is dropped.
        version: CatalogVersion,
    },
}

/// A job that ended, as observers see it.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The database.
    pub database: Arc<DatabaseRef>,
    /// The table.
    pub table: Arc<TableRef>,
    /// The partition.
    pub partition: PartitionId,
    /// The partition's key.
    pub key: PartitionKey,
    /// What is settled: each batch of the partition within this range.
    pub lsns: LsnRange,
    /// How.
    pub outcome: Outcome,
}

/// Is told of each job that ended, once, before the job's permit is given back.
pub trait PersistObserver: Debug + Send + Sync {
    /// Takes note; must not block.
    fn settled(&self, settled: &Settled);

    /// Is told that a job's file is in the store, neither verified nor committed, and only where the
    /// mistake to take that for its end is planted.
    fn uploaded(&self, _partition: PartitionId, _lsns: LsnRange) {}
}

/// A chain: each is told in turn.
impl PersistObserver for Vec<Arc<dyn PersistObserver>> {
    fn settled(&self, settled: &Settled) {
        for observer in self {
            observer.settled(settled);
        }
    }

    fn uploaded(&self, partition: PartitionId, lsns: LsnRange) {
        for observer in self {
            observer.uploaded(partition, lsns);
        }
    }
}

/// Resolves when its job has ended and the observers know.
///
/// Dropping it stops nothing. An error means that the job was not settled here, because the handle
/// was shut down ([`Error::Closed`]), another process owns the log ([`Error::Fenced`]), another log
/// the prefix of the store ([`Error::OwnedByAnother`]), or two could own it
/// ([`Error::ConditionIgnored`]).
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<Outcome, Error>>);

impl Receipt {
    pub(crate) fn new() -> (oneshot::Sender<Result<Outcome, Error>>, Self) {
        let (ended, receipt) = oneshot::channel();
        (ended, Self(receipt))
    }
}

impl Future for Receipt {
    type Output = Result<Outcome, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = Pin::new(&mut self.0).poll(context);
        ended.map(|outcome| outcome.unwrap_or(Err(Error::Closed)))
    }
}
