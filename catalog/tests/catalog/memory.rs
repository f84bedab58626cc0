//! The faults that the catalog in memory can be told to have.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use catalog::conformance::open_log;
use catalog::{CatalogRead, CatalogWrite, Command, Error, MemoryCatalog};
use types::{ErrorKind, RequestId};

fn command(n: u64) -> Command {
    Command { request: RequestId::from_random(1, n), action: open_log(n) }
}

#[tokio::test]
async fn a_refused_command_leaves_nothing() {
    let catalog = MemoryCatalog::default();
    catalog.refuse_next(2);
    for _ in 0..2 {
        let error = catalog.apply(command(1)).await.expect_err("it was told to");
        assert_eq!(error.kind(), ErrorKind::Busy);
    }
    assert_eq!(catalog.snapshot().version().get(), 0);
    assert!(!catalog.apply(command(1)).await.expect("the third").repeated);
}

#[tokio::test]
async fn a_command_with_a_lost_reply_is_applied_once() {
    let catalog = MemoryCatalog::default();
    catalog.lose_replies(1);
    let error = catalog.apply(command(1)).await.expect_err("it was told to");
    assert!(matches!(error, Error::Unknown), "{error}");
    let again = catalog.apply(command(1)).await.expect("sent again");
    assert_eq!((again.version.get(), again.repeated), (1, true));
    assert_eq!(catalog.snapshot().version().get(), 1);
}

#[test]
fn a_catalog_hangs_until_it_is_released() {
    let catalog = MemoryCatalog::default();
    catalog.hang();
    let mut apply = pin!(catalog.apply(command(1)));
    let mut poll = || apply.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending());
    assert_eq!(catalog.snapshot().version().get(), 0);
    catalog.release();
    assert!(matches!(poll(), Poll::Ready(Ok(_))));
}
