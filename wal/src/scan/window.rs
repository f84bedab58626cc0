//! A few pages of a file, moved along it.

use std::io;

use crate::disk::{ReadAt, read_full_at};

/// Bytes held at a time: enough that reading is sequential, little enough to forget.
const WINDOW_LEN: usize = 64 << 10;

/// Zeros to compare with: a comparison of slices is a `memcmp`.
static ZEROS: [u8; WINDOW_LEN] = [0; WINDOW_LEN];

/// A view of [`WINDOW_LEN`] bytes of `source`, moved by whoever asks for bytes outside of it.
pub(crate) struct Window<S: ReadAt> {
    source: S,
    len: u64,
    start: u64,
    held: Vec<u8>,
}

impl<S: ReadAt> Window<S> {
    pub(crate) fn new(source: S) -> io::Result<Self> {
        let len = source.len()?;
        Ok(Self { source, len, start: 0, held: Vec::new() })
    }

    /// Length of the file when the window was made.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Bytes from `at` to the end of the file.
    pub(crate) const fn rest(&self, at: u64) -> u64 {
        self.len.saturating_sub(at)
    }

    /// `N` bytes at `at`; `None` if the file ends before.
    pub(crate) fn array<const N: usize>(&mut self, at: u64) -> io::Result<Option<[u8; N]>> {
        Ok(self.bytes(at, N)?.first_chunk::<N>().copied())
    }

    /// Up to `len` bytes from `at`, fewer at the end of the file or of what is held at a time.
    pub(crate) fn bytes(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        let len = len.min(WINDOW_LEN).min(usize::try_from(self.rest(at)).unwrap_or(usize::MAX));
        let held_to = self.start.saturating_add(self.held.len() as u64);
        if at < self.start || at.saturating_add(len as u64) > held_to {
            self.move_to(at)?;
        }
        let skip = usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let held = self.held.get(skip..).unwrap_or_default();
        Ok(held.get(..len).unwrap_or(held))
    }

    /// What is held from `at` on; moves only if that is fewer than `least` bytes. Fewer are returned
    /// at the end of the file only.
    pub(crate) fn held_from(&mut self, at: u64, least: usize) -> io::Result<&[u8]> {
        let held_to = self.start.saturating_add(self.held.len() as u64);
        if at < self.start || at.saturating_add(least as u64) > held_to {
            self.move_to(at)?;
        }
        let skip = usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX);
        Ok(self.held.get(skip..).unwrap_or_default())
    }

    /// As many bytes from `at` as are held at a time.
    pub(crate) fn chunk(&mut self, at: u64) -> io::Result<&[u8]> {
        self.bytes(at, WINDOW_LEN)
    }

    /// The first byte from `at` on that is not zero: its offset, rounded down to the chunk it is in.
    pub(crate) fn first_nonzero_chunk(&mut self, mut at: u64) -> io::Result<Option<u64>> {
        loop {
            let chunk = self.chunk(at)?;
            if chunk.is_empty() {
                return Ok(None);
            }
            if ZEROS.get(..chunk.len()) != Some(chunk) {
                return Ok(Some(at));
            }
            at = at.saturating_add(chunk.len() as u64);
        }
    }

    /// True if there is nothing but zeros from `at` on.
    pub(crate) fn is_zero_from(&mut self, at: u64) -> io::Result<bool> {
        Ok(self.first_nonzero_chunk(at)?.is_none())
    }

    /// Where the last byte that is not zero ends, `at` if there is none behind it.
    pub(crate) fn nonzero_end(&mut self, mut at: u64) -> io::Result<u64> {
        let mut end = at;
        while let Some(start) = self.first_nonzero_chunk(at)? {
            let chunk = self.chunk(start)?;
            let used =
                chunk.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
            end = start.saturating_add(used as u64);
            at = start.saturating_add(chunk.len() as u64);
        }
        Ok(end)
    }

    /// The checksum of `len` bytes from `at`; `None` if the file ends before.
    pub(crate) fn crc(&mut self, mut at: u64, len: u64) -> io::Result<Option<u32>> {
        let mut hasher = crc32fast::Hasher::new();
        let mut left = len;
        while left > 0 {
            let chunk = self.bytes(at, usize::try_from(left).unwrap_or(usize::MAX))?;
            if chunk.is_empty() {
                return Ok(None);
            }
            hasher.update(chunk);
            let read = chunk.len() as u64;
            at = at.saturating_add(read);
            left = left.saturating_sub(read);
        }
        Ok(Some(hasher.finalize()))
    }

    /// Copies `len` bytes from `at`, fewer if the file ends before. Memory grows with what is there,
    /// not with what is asked for.
    pub(crate) fn vec(&mut self, mut at: u64, len: u64) -> io::Result<Vec<u8>> {
        let len = len.min(self.rest(at));
        let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
        let mut left = len;
        while left > 0 {
            let chunk = self.bytes(at, usize::try_from(left).unwrap_or(usize::MAX))?;
            if chunk.is_empty() {
                break;
            }
            bytes.extend_from_slice(chunk);
            let read = chunk.len() as u64;
            at = at.saturating_add(read);
            left = left.saturating_sub(read);
        }
        Ok(bytes)
    }

    fn move_to(&mut self, at: u64) -> io::Result<()> {
        let len = WINDOW_LEN.min(usize::try_from(self.rest(at)).unwrap_or(usize::MAX));
        self.held.resize(len, 0);
        let read = read_full_at(&self.source, &mut self.held, at)?;
        self.held.truncate(read);
        self.start = at;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found_wherever_they_lie() {
        let mut bytes = vec![0; 3 * WINDOW_LEN];
        bytes[2 * WINDOW_LEN + 5] = 9;
        let mut window = Window::new(&bytes).expect("memory");
        assert!(!window.is_zero_from(1).expect("memory"));
        assert!(window.is_zero_from(2 * WINDOW_LEN as u64 + 6).expect("memory"));
        assert_eq!(window.nonzero_end(7).expect("memory"), 2 * WINDOW_LEN as u64 + 6);
        assert_eq!(
            window.nonzero_end(3 * WINDOW_LEN as u64).expect("memory"),
            3 * WINDOW_LEN as u64
        );
        let crc = window.crc(1, bytes.len() as u64 - 1).expect("memory");
        assert_eq!(crc, Some(crc32fast::hash(&bytes[1..])));
        assert_eq!(window.crc(1, bytes.len() as u64).expect("memory"), None);
        assert_eq!(window.array::<2>(bytes.len() as u64 - 1).expect("memory"), None);
    }
}
