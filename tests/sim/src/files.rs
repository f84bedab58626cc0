//! The last look: what is in the files of the catalog, read without any of the node's code that
//! reads.

use std::collections::BTreeMap;
use std::io::Cursor;

use arrow::array::RecordBatch;
use arrow::ipc::reader::{FileReader, StreamReader};
use bytes::Bytes;
use catalog::{Database, File, FileKind, Table};
use checker::{Row, Scope, View};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use types::TableName;

use crate::client::table_name;
use crate::reader::told;
use crate::verdict::Kind;
use crate::view::rows_of;
use crate::world::World;

/// How a quarantine file in the file format begins.
const FILE_FORMAT_MARK: &[u8] = b"ARROW1";

/// Judges what the files of `database` hold.
pub(crate) async fn judge(world: &World, database: &Database) {
    let store = world.store.objects();
    for number in 0..world.plan.tables {
        let scope = Scope { table: table_name(number), series: None };
        let table = TableName::new(&scope.table).ok();
        let table = table.and_then(|name| database.tables.get(&name));
        let read = world.ledger.begin_read();
        match view(&*store, &scope.table, table.map(AsRef::as_ref)).await {
            Ok(view) => {
                let verdict = world.ledger.judge(read, &scope, &view);
                world.trace.count("reads of files");
                if !verdict.is_clean() {
                    world.findings.report(Kind::Read, &format!("in the files: {verdict}"));
                }
            }
            Err(error) => {
                let told =
                    format!("the files of {} cannot be read: {}", scope.table, told(&*error));
                world.findings.report(Kind::Read, &told);
            }
        }
    }
}

/// The points of a table: of two values of one field, that of the later file wins, and within a
/// file that of the later row.
async fn view(
    store: &dyn ObjectStore,
    name: &str,
    table: Option<&Table>,
) -> Result<View, Box<dyn std::error::Error>> {
    let mut points: BTreeMap<(String, i64), BTreeMap<String, i64>> = BTreeMap::new();
    let partitions = table.into_iter().flat_map(|table| table.partitions.values());
    // They stand in the order of their LSNs.
    for file in partitions.flat_map(|partition| &partition.files) {
        for batch in read(store, file).await? {
            for row in rows_of(name, &batch) {
                points.entry((row.series, row.time)).or_default().extend(row.fields);
            }
        }
    }
    let row = |((series, time), fields): ((String, i64), BTreeMap<String, i64>)| Row {
        table: name.to_owned(),
        series,
        time,
        fields: fields.into_iter().collect(),
    };
    Ok(View { rows: points.into_iter().map(row).collect() })
}

async fn read(
    store: &dyn ObjectStore,
    file: &File,
) -> Result<Vec<RecordBatch>, Box<dyn std::error::Error>> {
    let bytes = store.get(&Path::parse(&file.path)?).await?.bytes().await?;
    Ok(match file.kind {
        FileKind::Parquet => {
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()?;
            reader.collect::<Result<_, _>>()?
        }
        FileKind::Quarantine => quarantined(bytes)?,
    })
}

fn quarantined(bytes: Bytes) -> Result<Vec<RecordBatch>, arrow::error::ArrowError> {
    if bytes.starts_with(FILE_FORMAT_MARK) {
        FileReader::try_new(Cursor::new(bytes), None)?.collect()
    } else {
        StreamReader::try_new(Cursor::new(bytes), None)?.collect()
    }
}
