//! What files hold, read without the query engine.
//!
//! The files of a table are taken in the order (term, first LSN), and a field of a point has the last
//! value that is not null in this order and the order of rows. The ranges of a partition's files
//! never overlap, so that this is the order in which the rows were written; where they do overlap,
//! it is told.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display, Formatter};
use std::io::Cursor;

use arrow::array::RecordBatch;
use arrow::ipc::reader::FileReader;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Error;
use super::arrow_rows::sql;
use super::catalog_file::{CatalogFile, Kind};
use crate::row::Row;
use crate::verdict::{Place, View};

/// What the files of a catalog version hold.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Each table's points, each once, in the order of keys.
    pub tables: BTreeMap<String, View>,
    /// What is wrong with the files.
    pub faults: Vec<FileFault>,
    /// Values that stand in more than one file, once for each file that is too many. A client that
    /// repeats a request makes some; [`crate::Ledger::judge_repeated`] tells which are faults.
    pub repeated: Vec<(Place, i64)>,
}

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileFault {
    /// Two files of one partition hold the same LSNs.
    Overlap {
        /// The one that begins first.
        path: String,
        /// The other.
        other: String,
    },
    /// It is not in the store.
    Missing {
        /// The object.
        path: String,
    },
    /// It has another length than the catalog tells.
    Length {
        /// The object.
        path: String,
        /// What the catalog tells.
        told: u64,
        /// What it has.
        found: u64,
    },
    /// It has another number of rows than the catalog tells.
    Rows {
        /// The object.
        path: String,
        /// What the catalog tells.
        told: u64,
        /// What it has.
        found: u64,
    },
    /// It cannot be read.
    Unreadable {
        /// The object.
        path: String,
        /// Why.
        reason: String,
    },
    /// A Parquet file has a point more than once.
    PointTwice {
        /// The object.
        path: String,
        /// The point.
        place: Place,
    },
}

impl Display for FileFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlap { path, other } => write!(f, "{path} overlaps {other}"),
            Self::Missing { path } => write!(f, "{path} is missing"),
            Self::Length { path, told, found } => {
                write!(f, "{path} has {found} bytes instead of {told}")
            }
            Self::Rows { path, told, found } => {
                write!(f, "{path} has {found} rows instead of {told}")
            }
            Self::Unreadable { path, reason } => write!(f, "{path} cannot be read: {reason}"),
            Self::PointTwice { path, place } => write!(f, "{path} has {place} twice"),
        }
    }
}

/// Reads the files that the catalog tells.
///
/// # Errors
///
/// [`Error::Store`] if the store fails; a file that is not as it should be is a fault, not an error.
pub async fn files(store: &dyn ObjectStore, told: &[CatalogFile]) -> Result<Stored, Error> {
    let mut told: Vec<&CatalogFile> = told.iter().collect();
    told.sort_by_key(|file| (&file.table_name, file.term, file.first_lsn));
    let mut stored = Stored { faults: overlaps(&told), ..Stored::default() };
    let mut points = Points::default();
    for (number, file) in told.into_iter().enumerate() {
        let Some(bytes) = fetch(store, file, &mut stored.faults).await? else { continue };
        match rows(file, bytes) {
            Ok(rows) => points.take(number, file, rows, &mut stored),
            Err(error) => stored
                .faults
                .push(FileFault::Unreadable { path: file.path.clone(), reason: error.to_string() }),
        }
    }
    stored.tables = points.into_tables();
    Ok(stored)
}

/// Files of one partition whose ranges overlap.
fn overlaps(files: &[&CatalogFile]) -> Vec<FileFault> {
    let partition =
        |file: &CatalogFile| (file.table_name.clone(), file.partition_key.clone(), file.term);
    let mut partitions: BTreeMap<_, Vec<&CatalogFile>> = BTreeMap::new();
    for file in files {
        partitions.entry(partition(file)).or_default().push(file);
    }
    let mut faults = Vec::new();
    for files in partitions.values() {
        // They are in the order of their first LSN; the one that reaches farthest may overlap many.
        let mut farthest = files[0];
        for file in &files[1..] {
            if file.first_lsn <= farthest.last_lsn {
                let (path, other) = (farthest.path.clone(), file.path.clone());
                faults.push(FileFault::Overlap { path, other });
            }
            if file.last_lsn > farthest.last_lsn {
                farthest = *file;
            }
        }
    }
    faults
}

/// The bytes of a file, unless it is missing or is not what the catalog tells.
async fn fetch(
    store: &dyn ObjectStore,
    file: &CatalogFile,
    faults: &mut Vec<FileFault>,
) -> Result<Option<Bytes>, Error> {
    let path = file.path.clone();
    let bytes = match store.get(&Path::parse(&file.path)?).await {
        Ok(object) => object.bytes().await?,
        Err(object_store::Error::NotFound { .. }) => {
            faults.push(FileFault::Missing { path });
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let (told, found) = (file.size_bytes, bytes.len() as u64);
    if found != told {
        faults.push(FileFault::Length { path, told, found });
        return Ok(None);
    }
    Ok(Some(bytes))
}

fn rows(file: &CatalogFile, bytes: Bytes) -> Result<Vec<Row>, Error> {
    let batches: Vec<RecordBatch> = match file.kind {
        Kind::Parquet => {
            ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()?.collect::<Result<_, _>>()?
        }
        Kind::Quarantine => {
            FileReader::try_new(Cursor::new(bytes), None)?.collect::<Result<_, _>>()?
        }
    };
    sql(&file.table_name, &batches)
}

/// The newest value of a field of a point.
#[derive(Debug)]
struct Newest {
    /// A number of this field of this point.
    number: usize,
    value: i64,
}

/// Points by series and time.
type Table = BTreeMap<(String, i64), Point>;

#[derive(Debug, Default)]
struct Point {
    fields: BTreeMap<String, Newest>,
    /// The file that had it last.
    file: Option<usize>,
}

/// The points of the files that were read.
#[derive(Debug, Default)]
struct Points {
    tables: BTreeMap<String, Table>,
    fields: usize,
    /// The file that had a value last, by the field's number and the value.
    files: HashMap<(usize, i64), usize>,
}

impl Points {
    /// Takes the rows of a file that is newer than those before it.
    fn take(&mut self, number: usize, file: &CatalogFile, rows: Vec<Row>, stored: &mut Stored) {
        let (path, told, found) = (&file.path, file.row_count, rows.len() as u64);
        if found != told {
            stored.faults.push(FileFault::Rows { path: path.clone(), told, found });
        }
        let table = match self.tables.get_mut(&file.table_name) {
            Some(table) => table,
            None => self.tables.entry(file.table_name.clone()).or_default(),
        };
        for row in rows {
            let place = |field: Option<&str>| Place {
                table: row.table.clone(),
                series: row.series.clone(),
                time: row.time,
                field: field.map(ToOwned::to_owned),
            };
            let point = table.entry((row.series.clone(), row.time)).or_default();
            if point.file.replace(number) == Some(number) && file.kind == Kind::Parquet {
                let (path, place) = (path.clone(), place(None));
                stored.faults.push(FileFault::PointTwice { path, place });
            }
            for (name, value) in &row.fields {
                let fields = &mut self.fields;
                let newest = point.fields.entry(name.clone()).or_insert_with(|| {
                    *fields += 1;
                    Newest { number: *fields, value: *value }
                });
                newest.value = *value;
                let before = self.files.insert((newest.number, *value), number);
                if before.is_some_and(|before| before != number) {
                    stored.repeated.push((place(Some(name)), *value));
                }
            }
        }
    }

    fn into_tables(self) -> BTreeMap<String, View> {
        let view = |(name, points): (String, Table)| {
            let row = |((series, time), point): ((String, i64), Point)| {
                let fields = point.fields.into_iter().map(|(field, newest)| (field, newest.value));
                Row { table: name.clone(), series, time, fields: fields.collect() }
            };
            let rows = points.into_iter().map(row).collect();
            (name, View { rows })
        };
        self.tables.into_iter().map(view).collect()
    }
}
