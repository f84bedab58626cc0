//! What is to be sent: files or standard input, plain or gzip.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use crate::error::Error;

/// The first bytes of a gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Bytes read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// An input that is open and not read yet.
pub(crate) struct Input {
    /// Its name; `-` is standard input.
    pub(crate) path: PathBuf,
    /// Its length, as it is stored; unknown for what comes through a pipe.
    bytes: Option<u64>,
    source: Box<dyn Read + Send>,
}

impl Input {
    /// Opens all of `paths`, so that a wrong name is told before anything is sent. No path at all
    /// is standard input.
    pub(crate) fn open(paths: &[PathBuf]) -> Result<Vec<Self>, Error> {
        if paths.is_empty() {
            return Ok(vec![Self::standard_input()]);
        }
        paths.iter().map(|path| Self::open_one(path)).collect()
    }

    fn open_one(path: &Path) -> Result<Self, Error> {
        if path == Path::new("-") {
            return Ok(Self::standard_input());
        }
        let failed = |source| Error::Input { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        let bytes = meta.is_file().then_some(meta.len());
        Ok(Self { path: path.to_owned(), bytes, source: Box::new(file) })
    }

    fn standard_input() -> Self {
        Self { path: PathBuf::from("-"), bytes: None, source: Box::new(io::stdin()) }
    }

    /// The text of the input. Bytes are added to `read` as they are taken from where they are
    /// stored, before they are inflated.
    pub(crate) fn into_text(self, read: &Arc<AtomicU64>) -> Result<Box<dyn BufRead + Send>, Error> {
        let path = self.path;
        let counted = Counted { source: self.source, read: Arc::clone(read) };
        inflated(counted).map_err(|source| Error::Input { path, source })
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The bytes of all inputs together, where they are known.
pub(crate) fn total_bytes(inputs: &[Input]) -> Option<u64> {
    inputs.iter().map(|input| input.bytes).sum()
}

/// Inflates what begins like gzip, all members of it, and passes on anything else.
fn inflated(mut source: impl Read + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    // A pipe may give a single byte at first, so as many are asked for as it takes to tell.
    let mut head = Vec::with_capacity(GZIP_MAGIC.len());
    source.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut head)?;
    let is_gzip = head == GZIP_MAGIC;
    let whole = BufReader::with_capacity(BUFFER_BYTES, io::Cursor::new(head).chain(source));
    if !is_gzip {
        return Ok(Box::new(whole));
    }
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(whole))))
}

/// Counts what is read through it.
struct Counted<R> {
    source: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let len = self.source.read(bytes)?;
        // Relaxed: whoever shows progress needs some recent number.
        self.read.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory takes bytes");
        encoder.finish().expect("memory takes bytes")
    }

    fn check(stored: &[u8], expect: &str) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("input");
        std::fs::write(&path, stored).expect("is written");
        let mut inputs = Input::open(&[path]).expect("is there");
        assert_eq!(total_bytes(&inputs), Some(stored.len() as u64));
        let read = Arc::default();
        let mut text = String::new();
        let input = inputs.pop().expect("one");
        input.into_text(&read).expect("opens").read_to_string(&mut text).expect("is text");
        assert_eq!(text, expect);
        assert_eq!(read.load(Ordering::Relaxed), stored.len() as u64);
    }

    #[test]
    fn gzip_is_known_by_its_first_bytes_and_read_to_its_last_member() {
        check(b"m f=1\n", "m f=1\n");
        check(b"", "");
        check(b"\x1f", "\x1f");
        check(&gzip("m f=1\n"), "m f=1\n");
        check(&[gzip("m f=1\n"), gzip("m f=2\n")].concat(), "m f=1\nm f=2\n");
    }

    #[test]
    fn a_file_that_is_not_there_is_told_by_name() {
        let error = Input::open(&[PathBuf::from("no-such-file.lp")]).expect_err("is not there");
        assert_eq!(error.to_string(), "cannot read no-such-file.lp");
    }
}
