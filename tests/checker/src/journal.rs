//! The ledger's file: one JSON line an event, synced before the event counts.
//!
//! It lies on another file system than what is tested, so it outlives what is done to that; it has to
//! outlive the harness only, whose last line may be torn.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::event::Event;

/// An open file, at its end.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
}

impl Journal {
    /// Opens or creates the file at `path` and gives each of its events to `apply`.
    pub(crate) fn open(
        path: &Path,
        mut apply: impl FnMut(Event) -> Result<(), String>,
    ) -> io::Result<Self> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = whole_lines(&bytes);
        for (number, line) in bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
            let event = serde_json::from_slice::<Event>(line).map_err(|error| error.to_string());
            event.and_then(&mut apply).map_err(|reason| {
                let reason = format!("{}, line {}: {reason}", path.display(), number + 1);
                io::Error::new(io::ErrorKind::InvalidData, reason)
            })?;
        }
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        file.sync_all()?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(Self { file })
    }

    /// Writes a line and syncs it.
    pub(crate) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)?;
        self.file.sync_data()
    }
}

/// An event as a line.
pub(crate) fn line(event: &Event) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    Ok(line)
}

/// How many bytes the lines have that were written to their ends. A line that was not is the last
/// one; whoever wrote it did not go on.
fn whole_lines(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}
