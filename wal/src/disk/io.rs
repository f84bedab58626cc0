//! Whole reads and writes out of calls that may do less than asked.

use std::io;

use types::effect::DiskFile;

use super::errno::{Operation, Response, respond};

/// Bytes that can be read from any offset: a file, or an image of one in memory.
#[expect(
    clippy::len_without_is_empty,
    reason = "the end is found by reading; nobody asks if it is at 0"
)]
pub trait ReadAt {
    /// Length in bytes.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn len(&self) -> io::Result<u64>;

    /// Reads from `offset`; returns how many bytes, 0 at the end only.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl<R: ReadAt + ?Sized> ReadAt for &R {
    fn len(&self) -> io::Result<u64> {
        (**self).len()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        (**self).read_at(bytes, offset)
    }
}

impl ReadAt for Box<dyn DiskFile> {
    fn len(&self) -> io::Result<u64> {
        self.as_ref().len()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.as_ref().read_at(bytes, offset)
    }
}

impl ReadAt for [u8] {
    fn len(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let len = bytes.len().min(self.len() - start);
        bytes[..len].copy_from_slice(&self[start..start + len]);
        Ok(len)
    }
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> io::Result<u64> {
        ReadAt::len(self.as_slice())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.as_slice().read_at(bytes, offset)
    }
}

/// Writes all of `bytes` at `offset`, however many calls that takes.
///
/// # Errors
///
/// The first error but an interruption; `WriteZero` if the file takes nothing.
pub fn write_all_at(file: &dyn DiskFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => {
                bytes = &bytes[taken..];
                offset += taken as u64;
            }
            Err(error) if respond(Operation::Write, &error) == Response::Retry => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads from `offset` until `bytes` are full or the file ends; returns how many were read.
///
/// # Errors
///
/// The first error but an interruption.
pub fn read_full_at(
    source: &(impl ReadAt + ?Sized),
    bytes: &mut [u8],
    offset: u64,
) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match source.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(taken) => filled += taken,
            Err(error) if respond(Operation::Read, &error) == Response::Retry => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Fills `bytes` from `offset`.
///
/// # Errors
///
/// `UnexpectedEof` if the file ends before, and the first error but an interruption.
pub fn read_exact_at(
    source: &(impl ReadAt + ?Sized),
    bytes: &mut [u8],
    offset: u64,
) -> io::Result<()> {
    let filled = read_full_at(source, bytes, offset)?;
    if filled == bytes.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
