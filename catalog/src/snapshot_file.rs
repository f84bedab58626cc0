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

fn check(header: &Header, body: &[u8]) -> Result<(), Damage> {
    if header.format != FORMAT {
        return Err(Damage::UnknownFormat { found: header.format, newest: FORMAT });
    }
    let (expected, found) = (header.length, body.len() as u64);
    if expected != found {
        return Err(Damage::Length { expected, found });
    }
    let (expected, found) = (header.crc32, crc32fast::hash(body));
    if expected != found {
        return Err(Damage::Checksum { expected, found });
    }
    Ok(())
}
