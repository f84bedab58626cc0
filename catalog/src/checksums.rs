//! Checksums of a file's blocks, so that whoever reads a part of it knows that the bytes are those
//! that were written.
//!
//! The disk of a store may change bits, and formats of files say little of it: pages of Parquet have
//! no checksum unless their writer gives them one. Blocks rather than one sum of the whole file,
//! because queries read parts of it.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Bytes of a block; the last one of a file may be shorter. Fixed by the format of the catalog.
pub const BLOCK_BYTES: u64 = 256 << 10;

/// The CRC-32 (IEEE) of each block of [`BLOCK_BYTES`], in their order.
///
/// Files that were committed without them have none: then nothing is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockChecksums(Arc<[u32]>);

impl BlockChecksums {
    /// Those of a whole file.
    pub fn of(file: &[u8]) -> Self {
        Self(blocks(file).map(crc32fast::hash).collect())
    }

    /// True if nothing can be checked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest range of whole blocks around `range`, in a file of `len` bytes: what has to be
    /// read so that `range` can be checked.
    pub fn around(&self, range: &Range<u64>, len: u64) -> Range<u64> {
        if self.is_empty() {
            return range.clone();
        }
        let start = range.start / BLOCK_BYTES * BLOCK_BYTES;
        let end = range.end.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES);
        start..end.min(len).max(range.end)
    }

    /// Checks the blocks from offset `start` on, which begins one.
    ///
    /// # Errors
    ///
    /// The offset of the first block that is not as it was written.
    pub fn check(&self, start: u64, bytes: &[u8]) -> Result<(), u64> {
        if self.is_empty() {
            return Ok(());
        }
        for (number, block) in (start / BLOCK_BYTES..).zip(blocks(bytes)) {
            let at = usize::try_from(number).ok();
            let written = at.and_then(|at| self.0.get(at));
            if written != Some(&crc32fast::hash(block)) {
                return Err(number * BLOCK_BYTES);
            }
        }
        Ok(())
    }
}

fn blocks(bytes: &[u8]) -> std::slice::Chunks<'_, u8> {
    bytes.chunks(usize::try_from(BLOCK_BYTES).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: usize = 2 * BLOCK_BYTES as usize + 10;

    fn file() -> Vec<u8> {
        (0..LEN).map(|at| (at * 7 % 251) as u8).collect()
    }

    #[test]
    fn a_bit_that_is_wrong_is_found_in_its_block() {
        let sums = BlockChecksums::of(&file());
        for at in [0, 1, LEN / 2, LEN - 11, LEN - 10, LEN - 1] {
            let mut rotten = file();
            rotten[at] ^= 4;
            let block = at as u64 / BLOCK_BYTES * BLOCK_BYTES;
            assert_eq!(sums.check(0, &rotten), Err(block));
        }
        assert_eq!(sums.check(0, &file()), Ok(()));
        assert_eq!(sums.check(0, &file()[..LEN - 1]), Err(2 * BLOCK_BYTES), "cut off");
        let longer = [file(), vec![0; BLOCK_BYTES as usize]].concat();
        assert!(sums.check(0, &longer).is_err());
    }

    #[test]
    fn a_part_is_checked_by_the_blocks_around_it() {
        let (file, sums) = (file(), BlockChecksums::of(&file()));
        let len = LEN as u64;
        for range in [0..1, BLOCK_BYTES - 1..BLOCK_BYTES + 1, len - 1..len, 5..len] {
            let around = sums.around(&range, len);
            assert!(around.start <= range.start && around.end >= range.end);
            let bytes = &file[around.start as usize..around.end as usize];
            assert_eq!(sums.check(around.start, bytes), Ok(()), "{range:?}");
        }
    }

    #[test]
    fn without_checksums_nothing_is_read_or_refused() {
        let none = BlockChecksums::default();
        assert_eq!(none.around(&(3..9), 20), 3..9);
        assert_eq!(none.check(3, b"anything"), Ok(()));
    }
}
