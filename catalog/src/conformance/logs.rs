//! Logs: epochs fence, and what was given out is never given out again.

use types::{Epoch, Lsn};

use crate::command::{Action, AddFile};
use crate::conformance::{Factory, Sender, add_file, file, log, open_log};
use crate::error::Error;

fn record(epoch: u64, lsn: u64) -> Action {
    Action::RecordLsn { log: log(1), epoch: Epoch::new(epoch), lsn: Lsn::new(lsn) }
}

/// Who registers an epoch that is known, or one below it, has been overtaken.
pub async fn an_epoch_is_registered_once(make: Factory<'_>) {
    let sender = Sender::to_empty(make);
    assert!(sender.snapshot().log(log(1)).is_none());
    sender.send(open_log(3)).await.expect("the first");
    for epoch in [0, 2, 3] {
        let error = sender.refused(open_log(epoch)).await;
        let current = Epoch::new(3);
        assert!(matches!(error, Error::Fenced { current: now, .. } if now == current), "{error}");
    }
    let (one, two) = tokio::join!(sender.send(open_log(4)), sender.send(open_log(4)));
    assert!(one.is_ok() != two.is_ok(), "one epoch was given to two");
    let snapshot = sender.snapshot();
    let entry = snapshot.log(log(1)).expect("it is registered");
    assert_eq!((entry.epoch, entry.lsn), (Epoch::new(4), Lsn::ZERO));
    assert_eq!(snapshot.logs().collect::<Vec<_>>(), [(log(1), entry)]);
}

/// A process that was overtaken commits nothing any more.
pub async fn an_older_epoch_is_fenced(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    sender.send(open_log(2)).await.expect("the next epoch");
    for late in [Action::AddFile(add_file(file(1, 1, 4))), record(1, 9)] {
        let error = sender.refused(late).await;
        assert!(matches!(error, Error::Fenced { .. }), "{error}");
    }
    let add = AddFile { epoch: Epoch::new(2), ..add_file(file(1, 1, 4)) };
    sender.add(add).await.expect("the newest epoch");
}

/// A log that is ahead of the catalog comes from another copy of it.
pub async fn an_epoch_that_was_not_registered_is_refused(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    let ahead = AddFile { epoch: Epoch::new(2), ..add_file(file(1, 1, 4)) };
    let unknown = AddFile { log: log(2), ..add_file(file(1, 1, 4)) };
    for action in [Action::AddFile(ahead), Action::AddFile(unknown), record(2, 1)] {
        let error = sender.refused(action).await;
        assert!(matches!(error, Error::UnknownEpoch { .. }), "{error}");
    }
}

/// It is raised by a record, by what a file's commit says, and by the file's own range.
pub async fn the_largest_lsn_of_a_log_never_falls(make: Factory<'_>) {
    let sender = Sender::to_one_table(make).await;
    let largest = || sender.snapshot().log(log(1)).expect("it is open").lsn.get();
    sender.send(record(1, 7)).await.expect("raises it");
    assert_eq!(largest(), 7);
    sender.send(record(1, 3)).await.expect("does not lower it");
    assert_eq!(largest(), 7);
    let add = AddFile { log_lsn: Lsn::new(20), ..add_file(file(1, 1, 4)) };
    sender.add(add).await.expect("a file");
    assert_eq!(largest(), 20);
    let add = AddFile { log_lsn: Lsn::ZERO, ..add_file(file(2, 30, 40)) };
    sender.add(add).await.expect("a file");
    assert_eq!(largest(), 40);
    sender.send(open_log(2)).await.expect("the next epoch");
    assert_eq!(largest(), 40);
}
