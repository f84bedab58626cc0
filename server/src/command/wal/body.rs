//! What the body of a frame holds, in words: batches in the data's log, commands in the catalog's.

use types::write::codec::{DecodedBody, decode_body};
use types::{Lsn, LsnRange, SegmentSeq};

use crate::error::Error;

/// The bodies of the catalog's log are lines of JSON; those of the data's log begin with the number
/// of their version, which is no `{`.
const JSON_BEGINS: u8 = b'{';

/// What one LSN stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The LSN.
    pub(super) lsn: Lsn,
    /// A batch, or a command.
    pub(super) holds: String,
}

/// Reads the body of the frame `lsns` in `segment`.
///
/// # Errors
///
/// [`Error::Body`] if it is neither what the data's nor what the catalog's log holds, or holds more
/// or less than one entry for each LSN.
pub(super) fn entries(
    body: &[u8],
    segment: SegmentSeq,
    lsns: LsnRange,
) -> Result<Vec<Entry>, Error> {
    let holds = match body.first() {
        Some(&JSON_BEGINS) => commands(body),
        _ => decode_body(body).map(|body| batches(&body)).map_err(Into::into),
    };
    let holds = holds.map_err(|source| Error::Body { segment, lsns, source })?;
    let expected = lsns.last().get() - lsns.first().get() + 1;
    if holds.len() as u64 != expected {
        let source = format!("{} entries for {expected} LSNs", holds.len()).into();
        return Err(Error::Body { segment, lsns, source });
    }
    let numbered = (lsns.first().get()..).zip(holds);
    Ok(numbered.map(|(lsn, holds)| Entry { lsn: Lsn::new(lsn), holds }).collect())
}

fn batches(body: &DecodedBody) -> Vec<String> {
    let one = |batch: &types::PartitionBatch| {
        let (rows, series) = (batch.batch.rows(), batch.batch.series().len());
        let (database, table, key) = (&body.database.name, &batch.table.name, batch.key.as_str());
        format!("{database}.{table} {key}: {rows} rows of {series} series")
    };
    body.batches.iter().map(one).collect()
}

/// The lines behind the first, which says the format.
fn commands(body: &[u8]) -> Result<Vec<String>, Box<dyn std::error::Error + Send + Sync>> {
    let text = std::str::from_utf8(body)?;
    for line in text.lines() {
        serde_json::from_str::<serde::de::IgnoredAny>(line)?;
    }
    Ok(text.lines().skip(1).map(ToOwned::to_owned).collect())
}
