//! A file that takes the room of others on their disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use crate::error::{During, Error};

const CHUNK: usize = 64 << 10;

/// The file.
#[derive(Debug)]
pub(crate) struct Sibling {
    path: PathBuf,
}

impl Sibling {
    /// One that takes nothing yet.
    pub(crate) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Takes all the room but `left` bytes.
    pub(crate) fn fill(&self, left: u64) -> Result<(), Error> {
        let file = File::options().create(true).append(true).open(&self.path);
        let mut file = file.during("open the sibling")?;
        let full = loop {
            match file.write_all(&[0; CHUNK]) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        full.during("fill the disk")?;
        // Blocks are found at the time of the write-out.
        let synced = match file.sync_all() {
            Err(error) if error.kind() != io::ErrorKind::StorageFull => Err(error),
            _ => Ok(()),
        };
        synced.during("fill the disk")?;
        if left > 0 {
            let len = file.metadata().during("look at the sibling")?.len();
            file.set_len(len.saturating_sub(left)).during("cut the sibling")?;
        }
        Ok(())
    }

    /// Gives the room back.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        fs::remove_file(&self.path).during("remove the sibling")
    }
}
