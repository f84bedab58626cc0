//! Tests of the owner object.

use std::sync::Arc;

use object_store::memory::InMemory;

use super::*;
use crate::store::{FaultyStore, PutFault};

fn log(number: u64) -> LogId {
    LogId::from_random(number, number)
}

/// Claims for log 1 with these faults, then claims for log 1 and for log 2 without.
async fn check(faults: &[PutFault], first_claim_succeeds: bool) {
    let store = FaultyStore::new();
    store.plan(faults.iter().copied());
    let first = claim(&*store, log(1)).await;
    assert_eq!(first.is_ok(), first_claim_succeeds, "{faults:?}: {first:?}");
    claim(&*store, log(1)).await.expect("the store works again");
    let refused = claim(&*store, log(2)).await.expect_err("log 1 owns it");
    assert_eq!(refused.kind(), types::ErrorKind::Fenced);
    let text = refused.to_string();
    for part in [OWNER, &log(1).to_string(), &log(2).to_string()] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(store.keys().await, [Path::from(OWNER)]);
}

#[tokio::test]
async fn a_prefix_has_one_owner() {
    check(&[], true).await;
}

#[tokio::test]
async fn b15_a_claim_that_was_done_and_timed_out_is_recognised() {
    check(&[PutFault::LostReply], true).await;
}

#[tokio::test]
async fn a_claim_that_is_there_is_only_read_so_that_a_full_disk_does_not_refuse_it() {
    let store = FaultyStore::new();
    claim(&*store, log(1)).await.expect("nobody has it");
    store.plan([PutFault::Refused]);
    claim(&*store, log(1)).await.expect("nothing has to be written");
    assert!(put(&*store, log(1), PutMode::Overwrite).await.is_err(), "no put came before this one");
}

#[tokio::test]
async fn a_claim_that_was_not_done_is_an_error_to_try_again() {
    check(&[PutFault::Refused], false).await;
    check(&[PutFault::LostRequest], false).await;
}

#[tokio::test]
async fn a_claim_lost_to_another_log_meanwhile_is_refused() {
    let store = FaultyStore::new();
    store.shut_gate();
    let claims = [1, 2].map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { claim(&*store, log(number)).await })
    });
    store.wait_for_puts(2).await;
    store.open_gate();
    let mut winners = Vec::new();
    for (number, claim) in [1, 2].into_iter().zip(claims) {
        if claim.await.expect("does not panic").is_ok() {
            winners.push(log(number));
        }
    }
    let owner = owner_of(&*store).await.expect("is read").expect("is there");
    assert_eq!(winners, [owner.log]);
}

#[tokio::test]
async fn b14_a_store_that_ignores_the_condition_is_found_out() {
    let store = FaultyStore::new();
    store.plan([PutFault::ConditionIgnored, PutFault::ConditionIgnored]);
    let error = claim(&*store, log(1)).await.expect_err("two could own it");
    assert!(matches!(error, Error::ConditionIgnored { .. }), "{error}");
    // The next process would find the claim, and believe it.
    withdraw(&*store, log(2)).await;
    assert_eq!(store.keys().await.len(), 1, "that of another is left alone");
    withdraw(&*store, log(1)).await;
    assert!(store.keys().await.is_empty());
}

#[tokio::test]
async fn a_take_over_changes_the_owner() {
    let store = InMemory::new();
    claim(&store, log(1)).await.expect("nobody has it");
    take_over(&store, log(2)).await.expect("the store works");
    claim(&store, log(2)).await.expect("it is log 2's now");
    assert!(claim(&store, log(1)).await.is_err());
}

#[tokio::test]
async fn an_owner_object_that_names_nobody_is_no_owner() {
    let store = InMemory::new();
    let payload = PutPayload::from_static(b"{}");
    store.put(&Path::from(OWNER), payload).await.expect("is put");
    let error = claim(&store, log(1)).await.expect_err("it names nobody");
    assert_eq!(error.kind(), types::ErrorKind::Corrupt);
}
