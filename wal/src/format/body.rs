//! The body of a frame: raw or snappy, whichever is clearly smaller, under a checksum.

use crate::config::Config;
use crate::error::Error;
use crate::format::FRAME_HEADER_LEN;

/// An encoded body, ready to be copied behind its header.
///
/// Encoding is the request's own work, done before it queues: the log's thread only copies, so one
/// large request does not delay everybody's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    raw_len: u32,
    crc: u32,
    compressed: bool,
    bytes: Vec<u8>,
}

impl Body {
    /// Encodes `raw`, compressed if it is large enough and compression saves at least an eighth.
    ///
    /// # Errors
    ///
    /// [`Error::BodyTooLarge`] if `raw` is over [`Config::frame_raw_len_max`].
    pub fn encode(raw: Vec<u8>, config: &Config) -> Result<Self, Error> {
        let max = config.frame_raw_len_max;
        let raw_len = u32::try_from(raw.len())
            .ok()
            .filter(|len| *len <= max)
            .ok_or(Error::BodyTooLarge { raw_len: raw.len() as u64, max: u64::from(max) })?;
        let packed = if raw.len() >= config.compress_from { compress(&raw) } else { None };
        let (compressed, mut bytes) = packed.map_or((false, raw), |packed| (true, packed));
        // It may wait for the disk beside many others, and is accounted for by its length.
        bytes.shrink_to_fit();
        Ok(Self { raw_len, crc: crc32fast::hash(&bytes), compressed, bytes })
    }

    /// Bytes of the frame with this body, header included.
    pub const fn frame_len(&self) -> u64 {
        (FRAME_HEADER_LEN as u64).saturating_add(self.bytes.len() as u64)
    }

    /// Bytes before compression.
    pub const fn raw_len(&self) -> u32 {
        self.raw_len
    }

    /// Bytes as they are on disk, header excluded; never more than before compression.
    pub(crate) fn comp_len(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(self.raw_len)
    }

    /// The checksum of the bytes as they are on disk.
    pub(crate) const fn crc(&self) -> u32 {
        self.crc
    }

    /// True if the bytes are snappy's.
    pub(crate) const fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// The bytes as they are on disk.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives back what was encoded, from `bytes` whose checksum was found right: into exactly
    /// `raw_len` bytes, which the caller has checked against its limit. `None` if they do not fit.
    pub(crate) fn decode(bytes: Vec<u8>, raw_len: u32, compressed: bool) -> Option<Vec<u8>> {
        let raw_len = usize::try_from(raw_len).ok()?;
        if !compressed {
            return (bytes.len() == raw_len).then_some(bytes);
        }
        if snap::raw::decompress_len(&bytes).ok()? != raw_len {
            return None;
        }
        let mut raw = vec![0; raw_len];
        let len = snap::raw::Decoder::new().decompress(&bytes, &mut raw).ok()?;
        (len == raw_len).then_some(raw)
    }
}

/// The compressed bytes, if they are clearly fewer.
fn compress(raw: &[u8]) -> Option<Vec<u8>> {
    // An error means over 4 GiB, which stays as it is.
    let packed = snap::raw::Encoder::new().compress_vec(raw).ok()?;
    let worth = raw.len().checked_sub(raw.len() / 8)?;
    (packed.len() <= worth).then_some(packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: Vec<u8>, compressed: bool) {
        let config = Config { compress_from: 100, ..Config::default() };
        let body = Body::encode(raw.clone(), &config).expect("it is small");
        assert_eq!(body.is_compressed(), compressed);
        let decoded = Body::decode(body.bytes().to_vec(), body.raw_len(), compressed);
        assert_eq!(decoded, Some(raw));
    }

    #[test]
    fn only_what_shrinks_is_compressed() {
        check(vec![7; 1000], true);
        check(vec![7; 99], false);
        check(Vec::new(), false);
        let noise = (0..1000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        check(noise, false);
    }

    #[test]
    fn a_body_that_waits_takes_no_more_room_than_its_bytes() {
        let config = Config { compress_from: 100, ..Config::default() };
        for raw_len in [50, 100_000] {
            let mut raw = Vec::with_capacity(2 * raw_len);
            raw.resize(raw_len, 7);
            let body = Body::encode(raw, &config).expect("it is small");
            assert_eq!(body.bytes.capacity(), body.bytes.len());
        }
    }

    #[test]
    fn a_body_over_the_limit_is_refused() {
        let config = Config { frame_raw_len_max: 10, ..Config::default() };
        let refusal = Body::encode(vec![0; 11], &config).expect_err("11 are over 10");
        assert!(matches!(refusal, Error::BodyTooLarge { raw_len: 11, max: 10 }));
    }

    #[test]
    fn a_body_is_inflated_into_exactly_the_length_it_claims() {
        let packed = snap::raw::Encoder::new().compress_vec(&[1; 500]).expect("it is small");
        assert_eq!(Body::decode(packed.clone(), 499, true), None);
        assert_eq!(Body::decode(packed.clone(), 501, true), None);
        assert_eq!(Body::decode(packed[..packed.len() - 1].to_vec(), 500, true), None);
        assert_eq!(Body::decode(packed, 500, true), Some(vec![1; 500]));
        assert_eq!(Body::decode(vec![1, 2], 3, false), None);
    }
}
