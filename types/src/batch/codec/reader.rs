//! Reads the parts that encoded batches are made of; trusts none of them.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// Bytes that no encoder of this version has written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot be read at byte {at} of the encoded batches")]
pub struct DecodeError {
    /// What was expected.
    pub what: &'static str,
    /// How many bytes were read before.
    pub at: usize,
}

/// What is left to be read.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from their start.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, total: bytes.len() }
    }

    /// True if nothing is left.
    pub const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The error that `what` is not as it should be, here.
    pub const fn malformed(&self, what: &'static str) -> DecodeError {
        DecodeError { what, at: self.total.saturating_sub(self.rest.len()) }
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    ///
    /// If there are fewer; so do all methods below.
    pub fn raw(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) =
            self.rest.split_at_checked(len).ok_or_else(|| self.malformed("the end"))?;
        self.rest = rest;
        Ok(head)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) =
            self.rest.split_first_chunk().ok_or_else(|| self.malformed("the end"))?;
        self.rest = rest;
        Ok(*head)
    }

    /// A number in eight bytes.
    pub fn fixed(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A number in LEB128.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits.wrapping_shl(shift);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.malformed("a number"))
    }

    /// A count of at most `limit` things called `what`.
    pub fn count(&mut self, what: &'static str, limit: u64) -> Result<usize, DecodeError> {
        let count = self.varint()?;
        let count = usize::try_from(count).ok().filter(|_| count <= limit);
        count.ok_or_else(|| self.malformed(what))
    }

    /// A length and as many bytes of UTF-8.
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        let len = self.count("a length", u64::from(u32::MAX))?;
        let bytes = self.raw(len)?;
        std::str::from_utf8(bytes).map_err(|_| self.malformed("a text"))
    }

    /// `bits` bits, the lowest of a byte first.
    pub fn bitmap(&mut self, bits: usize) -> Result<Vec<bool>, DecodeError> {
        let bytes = self.raw(bits.div_ceil(8))?;
        let all =
            bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte.wrapping_shr(bit) & 1 == 1));
        Ok(all.take(bits).collect())
    }
}
