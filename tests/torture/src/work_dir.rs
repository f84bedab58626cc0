//! A directory for one run, which is kept if something was found in it.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempDir};

use crate::error::{During, Error};
use crate::report::tell;

/// How names begin that this program gives, with the number of its process behind.
pub(crate) const PREFIX: &str = "forebay-torture-";

/// The mark of a directory that a person wants to look at, so that no later run sweeps it.
const KEPT: &str = "kept";

/// The directory; removed when it is dropped.
#[derive(Debug)]
pub(crate) struct WorkDir(TempDir);

impl WorkDir {
    pub(crate) fn within(parent: &Path) -> Result<Self, Error> {
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let made = Builder::new().prefix(&prefix).tempdir_in(parent);
        Ok(Self(made.during(format!("make a directory in {}", parent.display()))?))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where a server has its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Keeps the directory for whoever looks into what went wrong there.
    pub(crate) fn keep(&mut self) {
        self.0.disable_cleanup(true);
        // Without the mark it is there until the next run.
        let _ = fs::write(self.path().join(KEPT), "");
        tell(&format!("kept {}", self.path().display()));
    }
}

/// True if somebody wanted to look at this directory.
pub(crate) fn is_kept(dir: &Path) -> bool {
    dir.join(KEPT).exists()
}
