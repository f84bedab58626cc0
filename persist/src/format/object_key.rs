//! Names of objects: no user's string escapes its prefix, and no two files share a name.

use object_store::path::Path;
use types::name::path_segment;
use types::{FileId, PartitionKey};

use crate::error::Error;
use crate::job::PersistJob;

/// Where Parquet files are.
pub const DATA: &str = "data";
/// Where the chunks of jobs are that were set aside.
pub const QUARANTINE: &str = "quarantine";

/// The key of the Parquet file `id` of `job`:
/// `data/<database>/<table>/<partition key>/<term>-<first LSN>-<id>.parquet`.
///
/// Names are percent-encoded, `.` and `..` too. Term and LSN are padded with zeros to the 20 digits
/// that the largest takes, so that a listing of a partition is in the order of its values.
///
/// # Errors
///
/// [`Error::ObjectKey`] if a segment is none after all, which no name that was checked can cause.
pub fn parquet(job: &PersistJob, id: FileId) -> Result<Path, Error> {
    key(DATA, job, id, "parquet")
}

/// The key of the Arrow file `id` of a `job` that was set aside.
///
/// # Errors
///
/// As [`parquet`].
pub fn arrow(job: &PersistJob, id: FileId) -> Result<Path, Error> {
    key(QUARANTINE, job, id, "arrow")
}

fn key(root: &str, job: &PersistJob, id: FileId, extension: &str) -> Result<Path, Error> {
    let database = path_segment(job.database.name.as_str());
    let table = path_segment(job.table.name.as_str());
    let partition = path_segment(PartitionKey::as_str(&job.key));
    let (term, first) = (job.term.get(), job.lsns().first().get());
    let file = format!("{term:020}-{first:020}-{id}.{extension}");
    // Parsed, not converted: a conversion would encode the percent signs once more.
    Ok(Path::parse(format!("{root}/{database}/{table}/{partition}/{file}"))?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use types::{DatabaseName, TableName};

    use super::*;
    use crate::fixture::job_of;

    fn check(database: &str, table: &str) {
        let mut job = job_of(&[&[&[]]]);
        Arc::make_mut(&mut job.database).name = DatabaseName::new(database).expect("is allowed");
        Arc::make_mut(&mut job.table).name = TableName::new(table).expect("is allowed");
        let id = FileId::from_random(1, 2);
        let key = parquet(&job, id).expect("a key");
        let parts: Vec<_> = key.parts().map(|part| part.as_ref().to_owned()).collect();
        let [root, database_part, table_part, day, file] = parts.as_slice() else {
            panic!("{key} has not five segments");
        };
        assert_eq!((root.as_str(), day.as_str()), (DATA, job.key.as_str()));
        for (part, name) in [(database_part, database), (table_part, table)] {
            assert!(part != "." && part != ".." && !part.contains(['/', '\\']), "{part}");
            let decoded = percent_decoded(part);
            assert_eq!(decoded, name);
        }
        let first = job.lsns().first().get();
        assert_eq!(*file, format!("{:020}-{first:020}-{id}.parquet", 0));
    }

    fn percent_decoded(part: &str) -> String {
        let bytes = part.as_bytes();
        let mut decoded = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at] == b'%' {
                let hex = &part[at + 1..at + 3];
                decoded.push(u8::from_str_radix(hex, 16).expect("two hex digits"));
                at += 3;
            } else {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
        String::from_utf8(decoded).expect("UTF-8")
    }

    #[test]
    fn hostile_names_stay_within_their_segment() {
        for name in [
            ".",
            "..",
            "../..",
            "../../etc/passwd",
            "/",
            "//",
            "a/b",
            "%2e%2e",
            "%00%2e%2e",
            "a\\b",
            "ü",
            "a b",
            "#1",
            "a#7",
            "?x=1",
            "*",
            "data",
            "~",
            "con",
            "\u{202e}txt",
            "a:b",
            "'\"",
        ] {
            check(name, "cpu");
            check("db", name);
        }
    }

    #[test]
    fn a_listing_is_in_the_order_of_lsns() {
        let mut early = job_of(&[&[&[]]]);
        let mut late = early.clone();
        early.chunks[0].lsns = types::LsnRange::of(types::Lsn::new(9));
        late.chunks[0].lsns = types::LsnRange::of(types::Lsn::new(10));
        let key = |job| parquet(job, FileId::from_random(3, 4)).expect("a key");
        assert!(key(&early) < key(&late));
    }
}
