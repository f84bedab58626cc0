//! The 96 bytes in front of each body.

use types::{BatchId, Epoch, Lsn, LsnRange};

use super::fields::Fields;

/// Bytes of a frame header.
pub(crate) const FRAME_HEADER_LEN: usize = 96;

/// The first bytes of a frame.
pub(crate) const FRAME_MAGIC: [u8; 4] = *b"FBFR";

const FLAG_COMPRESSED: u16 = 1;
const FLAG_SEAL: u16 = 1 << 1;
/// How many bytes the chained checksum covers.
const CHAIN_AT: usize = 84;
/// How many bytes the header checksum covers.
const CRC_AT: usize = 92;

/// What a frame says of the one before it, across segments too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The last LSN before the frame.
    pub(crate) lsn: Lsn,
    /// The chained checksum of the frame before; 0 in front of a log's first frame.
    pub(crate) chain: u32,
}

impl Link {
    /// In front of a log's first frame, or behind frames that were dropped.
    pub(crate) const fn after(lsn: Lsn) -> Self {
        Self { lsn, chain: 0 }
    }
}

/// Everything about a frame but its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) compressed: bool,
    pub(crate) seal: bool,
    pub(crate) epoch: Epoch,
    /// The first LSN of the group, which is one above [`FrameHeader::durable_lsn`].
    pub(crate) group_first_lsn: Lsn,
    pub(crate) first_lsn: Lsn,
    /// How many batches, and so LSNs; 0 for a seal only.
    pub(crate) count: u32,
    pub(crate) comp_len: u32,
    pub(crate) raw_len: u32,
    pub(crate) body_crc: u32,
    pub(crate) batch_id: BatchId,
    pub(crate) prev: Link,
    /// The highest LSN known fsynced when the frame was written.
    pub(crate) durable_lsn: Lsn,
}

/// Why 96 bytes are not a frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Not the first bytes of a frame.
    Magic,
    /// The checksum does not fit.
    Crc,
    /// The checksum fits, but no writer of this version says such things.
    Nonsense,
}

impl FrameHeader {
    /// A seal behind `prev`: it vouches for every frame before it.
    pub(crate) fn seal(epoch: Epoch, prev: Link) -> Self {
        Self {
            compressed: false,
            seal: true,
            epoch,
            group_first_lsn: prev.lsn.next(),
            first_lsn: prev.lsn.next(),
            count: 0,
            comp_len: 0,
            raw_len: 0,
            body_crc: 0,
            batch_id: BatchId::default(),
            prev,
            durable_lsn: prev.lsn,
        }
    }

    /// The LSNs of the batches; `None` for a seal.
    pub(crate) fn lsns(&self) -> Option<LsnRange> {
        let more = self.count.checked_sub(1)?;
        let last = self.first_lsn.get().checked_add(u64::from(more))?;
        Some(LsnRange::new(self.first_lsn, Lsn::new(last)))
    }

    /// The bytes of the whole frame.
    pub(crate) fn frame_len(&self) -> u64 {
        (FRAME_HEADER_LEN as u64).saturating_add(u64::from(self.comp_len))
    }

    /// Appends the header to `out` and returns the link that the next frame carries.
    pub(crate) fn encode(&self, salt: u64, out: &mut Vec<u8>) -> Link {
        let mut header = Vec::with_capacity(FRAME_HEADER_LEN);
        header.extend_from_slice(&FRAME_MAGIC);
        header.extend_from_slice(&self.flags().to_le_bytes());
        header.extend_from_slice(&[0; 2]);
        header.extend_from_slice(&self.epoch.get().to_le_bytes());
        header.extend_from_slice(&self.group_first_lsn.get().to_le_bytes());
        header.extend_from_slice(&self.first_lsn.get().to_le_bytes());
        header.extend_from_slice(&self.count.to_le_bytes());
        header.extend_from_slice(&self.comp_len.to_le_bytes());
        header.extend_from_slice(&self.raw_len.to_le_bytes());
        header.extend_from_slice(&self.body_crc.to_le_bytes());
        header.extend_from_slice(self.batch_id.as_bytes());
        header.extend_from_slice(&self.prev.lsn.get().to_le_bytes());
        header.extend_from_slice(&self.durable_lsn.get().to_le_bytes());
        header.extend_from_slice(&self.prev.chain.to_le_bytes());
        let chain = salted_crc(salt, &header);
        header.extend_from_slice(&chain.to_le_bytes());
        header.extend_from_slice(&[0; 4]);
        let crc = salted_crc(salt, &header);
        header.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&header);
        Link { lsn: self.lsns().map_or(self.prev.lsn, LsnRange::last), chain }
    }

    /// Reads a header and the link that the next frame has to carry.
    pub(crate) fn decode(
        bytes: &[u8; FRAME_HEADER_LEN],
        salt: u64,
    ) -> Result<(Self, Link), HeaderFault> {
        if !bytes.starts_with(&FRAME_MAGIC) {
            return Err(HeaderFault::Magic);
        }
        let covered = bytes.get(..CRC_AT).ok_or(HeaderFault::Crc)?;
        let crc = bytes.get(CRC_AT..).and_then(|rest| Fields::of(rest).u32());
        if crc != Some(salted_crc(salt, covered)) {
            return Err(HeaderFault::Crc);
        }
        Self::decode_checked(covered, salt).ok_or(HeaderFault::Nonsense)
    }

    /// Reads what a valid checksum covers; `None` if it makes no sense all the same.
    fn decode_checked(covered: &[u8], salt: u64) -> Option<(Self, Link)> {
        let mut fields = Fields::of(covered);
        fields.array::<4>()?;
        let flags = fields.u16()?;
        let spare_flags = fields.u16()?;
        let epoch = Epoch::new(fields.u64()?);
        let group_first_lsn = Lsn::new(fields.u64()?);
        let first_lsn = Lsn::new(fields.u64()?);
        let count = fields.u32()?;
        let comp_len = fields.u32()?;
        let raw_len = fields.u32()?;
        let body_crc = fields.u32()?;
        let batch_id = BatchId::from_bytes(fields.array()?);
        let prev_lsn = Lsn::new(fields.u64()?);
        let durable_lsn = Lsn::new(fields.u64()?);
        let prev_chain = fields.u32()?;
        let chain = fields.u32()?;
        let reserved = fields.array::<4>()?;
        let header = Self {
            compressed: flags & FLAG_COMPRESSED != 0,
            seal: flags & FLAG_SEAL != 0,
            epoch,
            group_first_lsn,
            first_lsn,
            count,
            comp_len,
            raw_len,
            body_crc,
            batch_id,
            prev: Link { lsn: prev_lsn, chain: prev_chain },
            durable_lsn,
        };
        let known = spare_flags == 0 && reserved == [0; 4] && flags == header.flags();
        let chained = chain == salted_crc(salt, covered.get(..CHAIN_AT)?);
        let last = header.lsns().map_or(prev_lsn, LsnRange::last);
        (known && chained && header.makes_sense()).then_some((header, Link { lsn: last, chain }))
    }

    /// What every frame that this version writes has in common.
    pub(crate) fn makes_sense(&self) -> bool {
        let after = |lsn: Lsn| lsn.get().checked_add(1).map(Lsn::new);
        let linked = after(self.prev.lsn) == Some(self.first_lsn);
        // One group is outstanding at a time, so all before a group is durable when it is written.
        let one_group = after(self.durable_lsn) == Some(self.group_first_lsn)
            && self.group_first_lsn <= self.first_lsn;
        let shape = if self.seal {
            self.count == 0
                && self.comp_len == 0
                && self.raw_len == 0
                && self.body_crc == 0
                && !self.compressed
                && self.batch_id.is_nil()
                && self.group_first_lsn == self.first_lsn
        } else {
            self.lsns().is_some() && (self.compressed || self.comp_len == self.raw_len)
        };
        linked && one_group && shape
    }

    fn flags(&self) -> u16 {
        let compressed = if self.compressed { FLAG_COMPRESSED } else { 0 };
        let seal = if self.seal { FLAG_SEAL } else { 0 };
        compressed | seal
    }
}

/// A checksum that begins with the segment's salt.
fn salted_crc(salt: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: u64 = 42;

    fn header() -> FrameHeader {
        FrameHeader {
            compressed: true,
            seal: false,
            epoch: Epoch::new(2),
            group_first_lsn: Lsn::new(10),
            first_lsn: Lsn::new(12),
            count: 3,
            comp_len: 100,
            raw_len: 200,
            body_crc: 0xdead_beef,
            batch_id: BatchId::from_bytes([5; 16]),
            prev: Link { lsn: Lsn::new(11), chain: 77 },
            durable_lsn: Lsn::new(9),
        }
    }

    fn encode(header: &FrameHeader) -> ([u8; FRAME_HEADER_LEN], Link) {
        let mut out = Vec::new();
        let link = header.encode(SALT, &mut out);
        (out.try_into().expect("the length is fixed"), link)
    }

    #[test]
    fn headers_read_back_as_they_were_written() {
        for header in [header(), FrameHeader::seal(Epoch::new(1), Link::after(Lsn::new(4)))] {
            let (bytes, link) = encode(&header);
            assert_eq!(FrameHeader::decode(&bytes, SALT), Ok((header, link)));
        }
    }

    #[test]
    fn no_single_bit_of_a_header_can_change_unnoticed() {
        let (bytes, _) = encode(&header());
        for bit in 0..FRAME_HEADER_LEN * 8 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(FrameHeader::decode(&bytes, SALT).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn b6_a_frame_of_another_segment_is_not_a_frame_here() {
        let (bytes, _) = encode(&header());
        assert_eq!(FrameHeader::decode(&bytes, SALT + 1), Err(HeaderFault::Crc));
    }

    #[test]
    fn headers_that_contradict_themselves_make_no_sense() {
        let contradictions = [
            FrameHeader { count: 0, ..header() },
            FrameHeader { seal: true, ..header() },
            FrameHeader { durable_lsn: Lsn::new(10), ..header() },
            FrameHeader { group_first_lsn: Lsn::new(13), durable_lsn: Lsn::new(12), ..header() },
            FrameHeader { first_lsn: Lsn::new(13), ..header() },
            FrameHeader { compressed: false, ..header() },
            FrameHeader {
                first_lsn: Lsn::new(u64::MAX),
                prev: Link::after(Lsn::new(u64::MAX - 1)),
                ..header()
            },
        ];
        for header in contradictions {
            let (bytes, _) = encode(&header);
            assert_eq!(FrameHeader::decode(&bytes, SALT), Err(HeaderFault::Nonsense), "{header:?}");
        }
    }

    #[test]
    fn a_seal_has_no_batch_id() {
        let batch_id = BatchId::from_bytes([5; 16]);
        let seal = FrameHeader::seal(Epoch::new(1), Link::after(Lsn::new(4)));
        let (bytes, _) = encode(&FrameHeader { batch_id, ..seal });
        assert_eq!(FrameHeader::decode(&bytes, SALT), Err(HeaderFault::Nonsense));
    }

    #[test]
    fn reserved_bytes_are_zero_under_a_right_checksum_too() {
        for at in CHAIN_AT + 4..CRC_AT {
            let (mut bytes, _) = encode(&header());
            bytes[at] = 1;
            let crc = salted_crc(SALT, &bytes[..CRC_AT]);
            bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
            let decoded = FrameHeader::decode(&bytes, SALT);
            assert_eq!(decoded, Err(HeaderFault::Nonsense), "byte {at}");
        }
    }
}
