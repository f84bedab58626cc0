//! Version 1 of a snapshot file: a header line, then the stored form as JSON.
//!
//! The header, `{"format":1,"length":…,"crc32":…}`, tells damage from a format of a later version.

use serde::{Deserialize, Serialize};

use crate::damage::Damage;
use crate::error::Error;
use crate::stored::StoredSnapshot;

/// The newest format that is written and read here. It rises when a reader that steps over what it
/// does not know would be wrong; the header line stays as it is.
const FORMAT: u32 = 1;

/// A header is shorter than this; a first line that is longer is no header.
const HEADER_LEN_MAX: usize = 256;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: u32,
    length: u64,
    crc32: u32,
}

/// The bytes of a snapshot file.
pub(crate) fn encode(stored: &StoredSnapshot) -> Result<Vec<u8>, Error> {
    let unencodable = |source| Error::Unencodable { source };
    let body = serde_json::to_vec(stored).map_err(unencodable)?;
    let header =
        Header { format: FORMAT, length: body.len() as u64, crc32: crc32fast::hash(&body) };
    let mut bytes = serde_json::to_vec(&header).map_err(unencodable)?;
    bytes.push(b'\n');
    bytes.extend(body);
    Ok(bytes)
}

/// What a snapshot file holds; where and why not, if it is damaged.
pub(crate) fn decode(bytes: &[u8]) -> Result<StoredSnapshot, (u64, Damage)> {
    let head = &bytes[..bytes.len().min(HEADER_LEN_MAX)];
    let end = head.iter().position(|byte| *byte == b'\n').ok_or((0, Damage::Header))?;
    let header: Header = serde_json::from_slice(&bytes[..end]).map_err(|_| (0, Damage::Header))?;
    let body = &bytes[end + 1..];
    check(&header, body).map_err(|why| (0, why))?;
    serde_json::from_slice(body)
        .map_err(|source| (end as u64 + 1, Damage::Text { line: 2, source }))
}

/// Length and checksum come first: they mean the same in every format, and where they are wrong the
/// number of the format may be too.
fn check(header: &Header, body: &[u8]) -> Result<(), Damage> {
    let (expected, found) = (header.length, body.len() as u64);
    if expected != found {
        return Err(Damage::Length { expected, found });
    }
    let (expected, found) = (header.crc32, crc32fast::hash(body));
    if expected != found {
        return Err(Damage::Checksum { expected, found });
    }
    match header.format {
        FORMAT => Ok(()),
        found if is_one_bit_off(found) && is_ours(body) => {
            Err(Damage::Format { found, ours: FORMAT })
        }
        found => Err(Damage::UnknownFormat { found, newest: FORMAT }),
    }
}

/// True if one flipped bit makes this number of the one that is written here: the header has no
/// checksum of its own.
fn is_one_bit_off(found: u32) -> bool {
    let (found, ours) = (found.to_string(), FORMAT.to_string());
    let pairs = found.bytes().zip(ours.bytes());
    let flipped: u32 = pairs.map(|(one, other)| (one ^ other).count_ones()).sum();
    found.len() == ours.len() && flipped == 1
}

/// True if `body` is what is written here to the byte, so that nothing of it is stepped over.
fn is_ours(body: &[u8]) -> bool {
    let stored = serde_json::from_slice::<StoredSnapshot>(body);
    let written = stored.and_then(|stored| serde_json::to_vec(&stored));
    written.is_ok_and(|written| written == body)
}

#[cfg(test)]
mod tests {
    use types::{Epoch, LogId};

    use super::*;
    use crate::snapshot::Snapshot;

    fn body() -> String {
        let log = LogId::from_random(1, 2);
        let stored = StoredSnapshot::new(log, Epoch::new(1), &Snapshot::default());
        String::from_utf8(serde_json::to_vec(&stored).expect("encodes")).expect("it is text")
    }

    /// What is said of a file with this format over this body, whose length and checksum are right.
    fn check_format(format: u32, body: &str) -> Damage {
        let (length, crc32) = (body.len(), crc32fast::hash(body.as_bytes()));
        let header = format!("{{\"format\":{format},\"length\":{length},\"crc32\":{crc32}}}");
        let decoded = decode(format!("{header}\n{body}").as_bytes());
        decoded.map_err(|(_, why)| why).expect_err("it is not of this format")
    }

    #[test]
    fn a_flipped_bit_in_the_number_of_the_format_is_damage() {
        for found in [0, 3, 5, 9] {
            let damage = check_format(found, &body());
            assert!(matches!(damage, Damage::Format { .. }) && damage.is_rot(), "{damage}");
        }
    }

    #[test]
    fn a_later_format_is_no_damage() {
        let later = body().replacen('{', "{\"retention\":{},", 1);
        for (found, body) in [(2, body()), (11, body()), (3, later), (5, "{}".to_owned())] {
            let damage = check_format(found, &body);
            assert!(matches!(damage, Damage::UnknownFormat { .. }), "{found}: {damage}");
            assert!(!damage.is_rot());
        }
    }

    #[test]
    fn a_number_over_bytes_that_are_not_those_written_says_nothing() {
        let stored = StoredSnapshot::new(LogId::default(), Epoch::ZERO, &Snapshot::default());
        let mut bytes = encode(&stored).expect("encodes");
        let at = bytes.iter().position(|byte| *byte == b'1').expect("the format");
        bytes[at] = b'2';
        bytes.pop();
        let (_, damage) = decode(&bytes).expect_err("it was cut off");
        assert!(matches!(damage, Damage::Length { .. }), "{damage}");
    }
}
