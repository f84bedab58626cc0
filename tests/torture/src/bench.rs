//! A place where a server is tortured: a directory, a workload, and a reader that judges.

use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;

use crate::error::Error;
use crate::forebay::{Launch, Server, persist_patiently};
use crate::reading::{DATABASE, Reader};
use crate::settings::Settings;
use crate::work_dir::WorkDir;
use crate::workload::{Crew, Workload};

/// Small and quick, so that segments, jobs and files are many.
pub(crate) const SMALL: [&str; 6] =
    ["--wal-segment-size", "1MiB", "--persist-max-age", "200ms", "--rotation-period", "300ms"];

/// Clients that leave the server some rest, so that what they write stays small.
pub(crate) const CREW: Crew = Crew { writers: 6, readers: 2, rest: Duration::from_millis(12) };

/// The place.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) workload: Workload,
    pub(crate) reader: Reader,
    binary: PathBuf,
    data_dir: PathBuf,
    /// Where the ledger is: not where the server has its data.
    ledger_dir: Mutex<WorkDir>,
}

impl Bench {
    /// The ledger goes where images do: that is memory unless somebody says otherwise, so that the
    /// sync of each of its lines costs nothing. The server dies here; the harness and the machine
    /// stay.
    pub(crate) fn new(
        settings: &Settings,
        data_dir: PathBuf,
        workload: Workload,
    ) -> Result<Self, Error> {
        let binary = settings.binary()?;
        let ledger_dir = WorkDir::within(&settings.image_dir)?;
        let workload = workload.kept_in(&ledger_dir.path().join("ledger"))?;
        let ledger_dir = Mutex::new(ledger_dir);
        Ok(Self { workload, reader: Reader::new()?, binary, data_dir, ledger_dir })
    }

    /// Keeps the ledger for whoever looks into what went wrong.
    pub(crate) fn keep_ledger(&self) {
        self.ledger_dir.lock().keep();
    }

    /// How a server is started here.
    pub(crate) fn launch(&self, flags: &[&str]) -> Launch {
        Launch::new(&self.binary, &self.data_dir, flags)
    }

    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Where the objects are, unless a flag says otherwise.
    pub(crate) fn objects(&self) -> PathBuf {
        self.data_dir.join("objects")
    }

    /// Judges everything that a server shows.
    pub(crate) fn judge(&self, url: &str) -> Result<(), Error> {
        self.workload.judge_all(&self.reader, url)
    }

    /// Has a server persist everything, and judges what the files hold that its catalog names.
    /// Nobody writes meanwhile. What was found before is to be looked into as it is.
    pub(crate) fn judge_all_through_files(&self, url: &str) -> Result<(), Error> {
        if !self.workload.is_clean() || self.workload.answered().0 == 0 {
            return Ok(());
        }
        persist_patiently(&self.binary, url, DATABASE)?;
        self.workload.judge_files(&self.reader, url, &self.objects())
    }

    /// No task of a server may have panicked, however it ended and whatever else it showed.
    pub(crate) fn expect_no_panic(&self, server: &Server) {
        for line in server.lines_with("panicked at") {
            self.workload.broke(format!("a panic: {line}"));
        }
    }

    /// Does something for each of `rounds`, until a promise was broken: what was found is to be
    /// looked into as it is.
    pub(crate) fn while_clean<R>(
        &self,
        rounds: impl IntoIterator<Item = R>,
        mut round: impl FnMut(R) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for number in rounds {
            if !self.workload.is_clean() {
                break;
            }
            round(number)?;
        }
        Ok(())
    }

    /// Starts a server once more, without any fault, and judges everything: as it is shown, and as
    /// it is in files.
    pub(crate) fn judge_after_restart(&self, flags: &[&str]) -> Result<(), Error> {
        let (mut server, url) = self.launch(flags).start_ready()?;
        self.judge(&url)?;
        self.judge_all_through_files(&url)?;
        server.kill()?;
        self.expect_no_panic(&server);
        Ok(())
    }
}
