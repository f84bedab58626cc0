//! The catalog as the node sees it: the real one, behind a network.
//!
//! Replies get lost, requests get lost or come late or twice, the catalog is busy or slow. What was
//! sent in one life and not delivered is delivered in the next: it must change nothing there.

use std::sync::Arc;

use ::catalog::{
    Action, CatalogRead, CatalogWrite, Command, Committed, EmbeddedCatalog, Error, FileKind,
    Snapshot,
};
use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;
use types::{CatalogVersion, ErrorKind};

use crate::chance::Chance;
use crate::invariants;
use crate::moment::Moment;
use crate::trace::Trace;
use crate::verdict::{Findings, Kind};

/// Commands that were sent in an earlier life and have not arrived.
pub(crate) type Zombies = Arc<Mutex<Vec<Command>>>;

/// The catalog of one life.
#[derive(Debug)]
pub(crate) struct FaultyCatalog {
    pub(crate) inner: Arc<EmbeddedCatalog>,
    pub(crate) chance: Chance,
    /// One command in so many goes wrong; none if nothing is here.
    pub(crate) fault_once_in: Option<u64>,
    pub(crate) trace: Trace,
    pub(crate) findings: Findings,
    pub(crate) zombies: Zombies,
    /// The commit of a job that is set aside.
    pub(crate) set_aside: Arc<Moment>,
}

impl FaultyCatalog {
    /// Delivers what an earlier life has sent.
    pub(crate) async fn deliver(&self, zombie: Command) {
        let what = describe(&zombie.action);
        let answer = self.inner.apply(zombie).await;
        self.trace.fault("catalog: command of an earlier life", format_args!("{what}"));
        match &answer {
            Ok(committed) if !committed.repeated => {
                let told = format!("a command of an earlier life was applied: {what}");
                self.findings.report(Kind::Command, &told);
            }
            Ok(_) => self.trace.event(format_args!("catalog: it had happened already")),
            Err(error) => self.trace.event(format_args!("catalog: it is refused: {error}")),
        }
    }

    /// Applies a command twice, as a network that repeats a request does.
    async fn twice(&self, command: Command, what: &str) -> Result<Committed, Error> {
        let first = self.inner.apply(command.clone()).await?;
        match self.inner.apply(command).await {
            Ok(again) if again.repeated && again.version == first.version => {}
            Ok(again) => {
                let (first, again) = (first.version, again.version);
                let told = format!("{what} was applied twice, as versions {first} and {again}");
                self.findings.report(Kind::Command, &told);
            }
            Err(error) if matches!(error.kind(), ErrorKind::Rejected | ErrorKind::Fenced) => {
                let told = format!("{what} succeeded, and its repetition was refused: {error}");
                self.findings.report(Kind::Command, &told);
            }
            Err(_) => {}
        }
        Ok(first)
    }

    /// Has a command arrive later: in this life, or else in the next.
    fn send_late(&self, command: Command) {
        // A change of a schema carries no epoch: an earlier life's may still happen.
        if !matches!(command.action, Action::ChangeSchema(_)) {
            self.zombies.lock().push(command.clone());
        }
        let delay = self.chance.millis(10, 5_000);
        let (inner, zombies) = (Arc::clone(&self.inner), Arc::clone(&self.zombies));
        let trace = self.trace.clone();
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            zombies.lock().retain(|zombie| zombie.request != command.request);
            let what = describe(&command.action);
            let done = inner.apply(command).await.is_ok();
            trace.event(format_args!("catalog: {what} arrives late: {done}"));
        });
    }

    async fn meet(&self, command: Command, what: &str) -> Result<Committed, Error> {
        let fault = |kind| self.trace.fault(kind, format_args!("{what}"));
        match self.chance.below(6) {
            0 => {
                fault("catalog: busy");
                Err(Error::Busy { reason: "the simulation says so".to_owned() })
            }
            1 => {
                fault("catalog: done, reply lost");
                self.inner.apply(command).await?;
                Err(Error::Unknown)
            }
            2 => {
                fault("catalog: request lost");
                Err(Error::Unknown)
            }
            3 => {
                fault("catalog: late");
                self.send_late(command);
                Err(Error::Unknown)
            }
            4 => {
                fault("catalog: hangs");
                tokio::time::sleep(self.chance.millis(100, 6_000)).await;
                self.inner.apply(command).await
            }
            _ => {
                fault("catalog: command repeated");
                self.twice(command, what).await
            }
        }
    }
}

fn describe(action: &Action) -> String {
    match action {
        Action::OpenLog { epoch, .. } => format!("open the log under epoch {epoch}"),
        Action::RecordLsn { epoch, lsn, .. } => format!("record LSN {lsn} under epoch {epoch}"),
        Action::ChangeSchema(_) => "change a schema".to_owned(),
        Action::AddFile(add) => {
            let verb = if is_set_aside(action) { "set aside" } else { "add" };
            format!("{verb} LSNs {} of {} under epoch {}", add.file.lsns, add.partition, add.epoch)
        }
        Action::DropTable { .. } => "drop a table".to_owned(),
        Action::DropDatabase { .. } => "drop a database".to_owned(),
    }
}

fn is_set_aside(action: &Action) -> bool {
    matches!(action, Action::AddFile(add) if add.file.kind == FileKind::Quarantine)
}

#[async_trait]
impl CatalogRead for FaultyCatalog {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.snapshot()
    }

    async fn refresh(&self) -> Result<Arc<Snapshot>, Error> {
        self.inner.refresh().await
    }

    fn watch(&self) -> watch::Receiver<CatalogVersion> {
        self.inner.watch()
    }
}

#[async_trait]
impl CatalogWrite for FaultyCatalog {
    async fn apply(&self, command: Command) -> Result<Committed, Error> {
        let what = describe(&command.action);
        if is_set_aside(&command.action) {
            self.set_aside.happens();
        }
        // Without its epoch a node does not start, and says so: that is no fault to live through.
        let spared = matches!(command.action, Action::OpenLog { .. });
        let meets = self.fault_once_in.is_some_and(|times| !spared && self.chance.one_in(times));
        let answer = match meets {
            true => self.meet(command, &what).await,
            false => self.inner.apply(command).await,
        };
        match &answer {
            Ok(committed) => {
                self.trace.event(format_args!("catalog: {what}: version {}", committed.version));
                invariants::of_catalog(&self.inner, &self.findings);
            }
            Err(error) => self.trace.event(format_args!("catalog: {what}: {error}")),
        }
        answer
    }
}
