//! Bits that rot in a file: the query that needs them fails and names the file, and no answer is
//! wrong.

use futures::executor::block_on;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use query::Error;

use crate::model::Row;
use crate::world::{Form, World};

/// Needs every byte of a file but the names of columns that no table has.
const ALL: &str = "SELECT * FROM cpu";

fn bytes_of(store: &dyn ObjectStore, path: &Path) -> Vec<u8> {
    let read = block_on(async { store.get(path).await?.bytes().await });
    read.expect("it is there").to_vec()
}

fn replace(store: &dyn ObjectStore, path: &Path, bytes: Vec<u8>) {
    block_on(store.put(path, PutPayload::from(bytes))).expect("memory takes it");
}

/// Damages the one file of a world in many ways; each has to be told with the file's name.
async fn check(form: Form) {
    let world = World::new();
    let rows: Vec<Row> = (0..200).map(|time| Row::at(time).int("x", time * 7)).collect();
    world.write(&rows);
    let key = world.partitions().remove(0);
    assert!(world.persist(&key, 0, usize::MAX, form));
    let path = world.file_paths().remove(0);
    let written = bytes_of(world.store(), &path);
    let flipped = |at: usize| {
        let mut bytes = written.clone();
        bytes[at] ^= 1 << (at % 8);
        bytes
    };
    let cut = |len: usize| written[..len].to_vec();
    let rotten = (0..written.len()).step_by(7).map(flipped);
    for bytes in rotten.chain([0, 1, written.len() / 2, written.len() - 1].map(cut)) {
        replace(world.store(), &path, bytes);
        match world.batches(ALL).await {
            Err(error @ (Error::Corrupt { .. } | Error::Fetch { .. })) => {
                assert!(error.to_string().contains(path.as_ref()), "{error}");
            }
            other => panic!("{form:?}: {other:?}"),
        }
    }
    replace(world.store(), &path, written);
    assert_eq!(world.rows(ALL).await.len(), 200);
}

#[tokio::test]
async fn rot_in_a_parquet_file_is_told_and_never_answered() {
    check(Form::Dictionaries).await;
}

#[tokio::test]
async fn rot_in_a_quarantine_file_is_told_and_never_answered() {
    check(Form::QuarantineFile).await;
    check(Form::QuarantineStream).await;
}
