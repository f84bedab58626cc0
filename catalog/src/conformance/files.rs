//! Files: exact LSN ranges, each committed once, under a sort key that is compared and swapped.

use types::{PartitionId, SortKey, Term};

use crate::command::{Action, AddFile, SortKeyChange};
use crate::conformance::{Factory, Sender, add_file, file, log, partition, sort_key, table};
use crate::error::Error;
use crate::file::NewFile;

/// A partition's row comes with its first file.
pub async fn a_file_makes_its_partition(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    assert!(sender.table(1).partitions.is_empty());
    let before = sender.table(1).schema.version;
    let committed = sender.add(add_file(file(1, 5, 9))).await.expect("the first file");
    let partition = sender.partition(0);
    assert_eq!(partition.id, PartitionId::of(table(1).id, &crate::conformance::partition(0)));
    assert_eq!(partition.sort_key, sort_key(&["host"]));
    let held = partition.file(file(1, 5, 9).id).expect("the file is there");
    assert_eq!(
        (held.added_at, held.log, held.lsns),
        (committed.version, log(1), file(1, 5, 9).lsns)
    );
    assert_eq!(partition.lsns_of(log(1)).collect::<Vec<_>>(), [(Term::ZERO, held.lsns)]);
    assert_eq!(partition.lsns_of(log(2)).count(), 0);
    assert_eq!(sender.table(1).schema.version, before, "a persist commit changed the schema");
}

/// Whatever order they are committed in.
pub async fn files_stand_in_term_and_lsn_order(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    let later_term = NewFile { term: Term::new(1), ..file(4, 1, 2) };
    for file in [file(3, 20, 29), later_term, file(1, 1, 4), file(2, 10, 10)] {
        sender.add(add_file(file)).await.expect("no two overlap");
    }
    let held = sender.partition(0);
    let places = held.files.iter().map(|file| (file.term.get(), file.lsns.first().get()));
    assert_eq!(places.collect::<Vec<_>>(), [(0, 1), (0, 10), (0, 20), (1, 1)]);
}

/// Also under another request id, and after the epoch has moved on: it has happened.
pub async fn the_same_file_twice_is_success(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    let add = add_file(file(1, 1, 4));
    let first = sender.add(add.clone()).await.expect("the first");
    sender.send(crate::conformance::open_log(2)).await.expect("the next epoch");
    let again = sender.add(add).await.expect("the second");
    assert_eq!((again.version, again.repeated), (first.version, true));
    assert_eq!(sender.partition(0).files.len(), 1);
}

/// An id names one file, with all that is said about it.
pub async fn another_file_of_the_same_id_is_refused(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    sender.add(add_file(file(1, 1, 4))).await.expect("the first");
    let longer = NewFile { rows: 7, ..file(1, 1, 4) };
    for other in [longer, file(1, 8, 9)] {
        let error = sender.refused(Action::AddFile(add_file(other))).await;
        assert!(matches!(error, Error::FileDiffers { .. }), "{error}");
    }
}

/// Ranges of one partition, log and term never overlap; of others they may.
pub async fn lsns_are_committed_once(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    sender.add(add_file(file(1, 10, 19))).await.expect("the first");
    for (n, first, last) in [(2, 10, 19), (3, 19, 30), (4, 1, 10), (5, 12, 13), (6, 1, 99)] {
        let error = sender.refused(Action::AddFile(add_file(file(n, first, last)))).await;
        assert!(matches!(error, Error::Overlap { .. }), "{first} to {last}: {error}");
    }
    sender.add(add_file(file(7, 20, 20))).await.expect("they only touch");
    let other_term = NewFile { term: Term::new(1), ..file(8, 10, 19) };
    sender.add(add_file(other_term)).await.expect("another term");
    let other_day = AddFile { partition: partition(1), ..add_file(file(9, 10, 19)) };
    sender.add(other_day).await.expect("another partition");
    let other_log = Action::OpenLog { log: log(2), epoch: types::Epoch::new(1) };
    sender.send(other_log).await.expect("another log");
    let other_log = AddFile { log: log(2), ..add_file(file(10, 10, 19)) };
    sender.add(other_log).await.expect("of another log");
}

fn with_key(n: u64, expected: Option<SortKey>, new: SortKey) -> AddFile {
    AddFile { sort_key: SortKeyChange { expected, new }, ..add_file(file(n, 10 * n, 10 * n + 9)) }
}

/// The key changes together with the file that was sorted under it, or neither does.
pub async fn a_sort_key_is_compared_and_swapped(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    let (short, long) = (sort_key(&["host"]), sort_key(&["host", "rack"]));
    let conflict = async |add: AddFile, now: SortKey| {
        let error = sender.refused(Action::AddFile(add)).await;
        assert!(
            matches!(&error, Error::SortKeyConflict { observed } if *observed == now),
            "{error}"
        );
    };
    conflict(with_key(1, Some(long.clone()), long.clone()), SortKey::default()).await;
    let none = Some(SortKey::default());
    sender.add(with_key(2, none, short.clone())).await.expect("there was none");
    sender.add(with_key(3, Some(short.clone()), long.clone())).await.expect("expected is now");
    sender.add(with_key(4, Some(short.clone()), long.clone())).await.expect("new is now");
    sender.add(with_key(5, None, long.clone())).await.expect("new is now");
    assert_eq!(sender.partition(0).sort_key, long);
    let other = sort_key(&["region"]);
    conflict(with_key(6, Some(short), other.clone()), long.clone()).await;
    conflict(with_key(7, None, other), long).await;
}

/// Two keys that were computed from the same one: one is first, the other is told.
pub async fn of_concurrent_sort_keys_one_wins_and_the_others_see_it(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    let keys = ["a", "b", "c"].map(|tag| sort_key(&[tag]));
    let [one, two, three] = keys.clone();
    let (one, two, three) = tokio::join!(
        sender.add(with_key(1, None, one)),
        sender.add(with_key(2, None, two)),
        sender.add(with_key(3, None, three))
    );
    let winner = sender.partition(0).sort_key.clone();
    let mut won = 0;
    for (outcome, key) in [one, two, three].into_iter().zip(keys) {
        match outcome {
            Ok(_) => {
                assert_eq!(key, winner);
                won += 1;
            }
            Err(Error::SortKeyConflict { observed }) => assert_eq!(observed, winner),
            Err(other) => panic!("neither success nor conflict: {other}"),
        }
    }
    assert_eq!((won, sender.partition(0).files.len()), (1, 1));
}

/// A file belongs to a table that is there.
pub async fn a_file_for_an_unknown_table_is_refused(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    let stray = AddFile { table: table(9).id, ..add_file(file(1, 1, 1)) };
    let error = sender.refused(Action::AddFile(stray)).await;
    assert!(matches!(error, Error::NotFound { what: "table", .. }), "{error}");
}
