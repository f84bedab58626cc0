//! The first 64 bytes of a segment.

use types::{Epoch, LogId, SegmentSeq};

use super::VERSION;
use super::fields::Fields;
use crate::segment::SegmentName;

/// Bytes of a segment header. It lies in one sector, so it is there whole or not at all.
pub(crate) const SEGMENT_HEADER_LEN: usize = 64;

const MAGIC: [u8; 8] = *b"FOREBAYW";
/// Where the checksum stands, and so how many bytes it covers.
const CRC_AT: usize = 60;

/// Says whose segment this is. It knows nothing of the segment before, so that a spare can have its
/// header long before it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) log: LogId,
    pub(crate) epoch: Epoch,
    pub(crate) seq: SegmentSeq,
    /// Drawn for each segment; every checksum of a frame header begins with it, so that bytes of
    /// another segment, or bytes that a client made up, never pass for a frame.
    pub(crate) salt: u64,
}

/// Why bytes are not a segment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SegmentHeaderFault {
    /// Wrong magic or checksum.
    Damaged,
    /// A version that this program does not know.
    Version(u16),
    /// The checksum is right over reserved bytes that no writer of this version fills.
    Nonsense,
}

impl SegmentHeader {
    /// The name of the file that has this header.
    pub(crate) const fn name(&self) -> SegmentName {
        SegmentName { seq: self.seq, epoch: self.epoch }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER_LEN);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 6]);
        bytes.extend_from_slice(self.log.as_bytes());
        bytes.extend_from_slice(&self.epoch.get().to_le_bytes());
        bytes.extend_from_slice(&self.seq.get().to_le_bytes());
        bytes.extend_from_slice(&self.salt.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; SEGMENT_HEADER_LEN]) -> Result<Self, SegmentHeaderFault> {
        // A later version may lay out everything but these two fields differently, so they are
        // looked at before the checksum.
        let mut fields = Fields::of(bytes);
        let (magic, version) = (fields.array::<8>(), fields.u16());
        match version {
            _ if magic != Some(MAGIC) => return Err(SegmentHeaderFault::Damaged),
            Some(VERSION) => {}
            Some(other) => return Err(SegmentHeaderFault::Version(other)),
            None => return Err(SegmentHeaderFault::Damaged),
        }
        match Self::decode_rest(bytes, fields) {
            Some((header, true)) => Ok(header),
            Some((_, false)) => Err(SegmentHeaderFault::Nonsense),
            None => Err(SegmentHeaderFault::Damaged),
        }
    }

    /// The header, and whether its reserved bytes are zeros; `None` if the checksum is wrong.
    fn decode_rest(
        bytes: &[u8; SEGMENT_HEADER_LEN],
        mut fields: Fields<'_>,
    ) -> Option<(Self, bool)> {
        let reserved = fields.array::<6>()?;
        let header = Self {
            log: LogId::from_bytes(fields.array()?),
            epoch: Epoch::new(fields.u64()?),
            seq: SegmentSeq::new(fields.u64()?),
            salt: fields.u64()?,
        };
        let more_reserved = fields.array::<4>()?;
        let is_zero = reserved == [0; 6] && more_reserved == [0; 4];
        let crc = fields.u32()?;
        (crc == crc32fast::hash(bytes.get(..CRC_AT)?)).then_some((header, is_zero))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            log: LogId::from_bytes([7; 16]),
            epoch: Epoch::new(3),
            seq: SegmentSeq::new(9),
            salt: 0x0123_4567_89ab_cdef,
        }
    }

    fn bytes() -> [u8; SEGMENT_HEADER_LEN] {
        header().encode().try_into().expect("the length is fixed")
    }

    #[test]
    fn a_header_reads_back_as_it_was_written() {
        assert_eq!(SegmentHeader::decode(&bytes()), Ok(header()));
    }

    #[test]
    fn no_single_bit_of_a_header_can_change_unnoticed() {
        for bit in 0..SEGMENT_HEADER_LEN * 8 {
            let mut bytes = bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn reserved_bytes_are_zero_under_a_right_checksum_too() {
        for at in (10..16).chain(56..60) {
            let mut bytes = bytes();
            bytes[at] = 1;
            let crc = crc32fast::hash(&bytes[..CRC_AT]);
            bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
            let decoded = SegmentHeader::decode(&bytes);
            assert_eq!(decoded, Err(SegmentHeaderFault::Nonsense), "byte {at}");
        }
    }

    #[test]
    fn a_later_version_is_named_before_its_checksum_is_looked_at() {
        let mut bytes = bytes();
        bytes[8] = 2;
        assert_eq!(SegmentHeader::decode(&bytes), Err(SegmentHeaderFault::Version(2)));
    }
}
