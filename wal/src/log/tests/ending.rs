//! How a log's thread ends when it should not.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use types::effect::{Disk, LockMode};
use types::{BatchId, Lsn};

use crate::deps::Deps;
use crate::disk::ModelDisk;
use crate::error::Error;
use crate::fatal::Fatal;
use crate::harness::{DIR, Machine, body_of, small};
use crate::log::{Append, CommitObserver, Group};
use crate::recovery::Recovery;
use crate::segment::SealedSegment;
use crate::vouched::Vouched;
use crate::{Body, LogHandle};

/// Panics when it is told of a group.
#[derive(Debug)]
struct Panics;

impl CommitObserver<u64> for Panics {
    fn committed(&mut self, _group: Group<u64>) {
        // Without the panic hook, whose output would look like a failure.
        std::panic::resume_unwind(Box::new("an observer's fault"));
    }

    fn refused(&mut self, _payload: u64, _error: &Error) {}

    fn sealed(&mut self, _segment: &SealedSegment) {}
}

/// Remembers what it was told, and whether the directory was locked then.
#[derive(Debug)]
struct LooksAtLock {
    disk: ModelDisk,
    seen: Mutex<Vec<(String, bool)>>,
}

impl Fatal for LooksAtLock {
    fn end(&self, error: &Error) -> ! {
        let locked = self.disk.lock_dir(Path::new(DIR), LockMode::Exclusive).is_err();
        self.seen.lock().push((error.to_string(), locked));
        std::panic::resume_unwind(Box::new("the process would have ended"))
    }
}

#[test]
fn a_panic_ends_the_process_while_the_directory_is_still_its_own() {
    let machine = Machine::new(1);
    let disk = machine.disk.clone();
    let fatal = Arc::new(LooksAtLock { disk, seen: Mutex::default() });
    let deps = Deps { fatal: Arc::clone(&fatal) as Arc<dyn Fatal>, ..machine.deps() };
    let vouched = Vouched::by_snapshot(Lsn::ZERO);
    let recovery = Recovery::open(DIR, small(), deps, vouched).expect("it recovers");
    let epoch = recovery.epoch().next();
    let log: LogHandle<u64> = recovery.start(epoch, Panics).expect("it starts");
    let body = Body::encode(body_of(1, 20), &small()).expect("it is small");
    let space = log.reserve(body.frame_len()).expect("room");
    let (batches, batch_id) = (NonZeroU32::MIN, BatchId::default());
    let append = Append { body, batches, batch_id, payload: 1, space };
    assert!(log.append(append).is_ok());
    // Whoever waits is told, and waits no longer.
    assert!(matches!(log.close(), Err(Error::Ended)));
    let seen = fatal.seen.lock().clone();
    assert_eq!(seen, [("the log's thread panicked: an observer's fault".to_owned(), true)]);
    assert!(machine.disk.lock_dir(Path::new(DIR), LockMode::Exclusive).is_ok());
}
