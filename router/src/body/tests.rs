//! Bodies of every shape, against the limit and the budget.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::{StreamExt, stream};
use http::HeaderValue;
use types::effect::InPlace;
use types::{MemoryBudget, MemoryOwner};

use super::chunks::{BODY_TIMEOUT_MIN, IDLE_TIMEOUT, time_for};
use super::*;
use crate::testing::BudgetGate;

const LIMIT: u64 = 100_000;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

fn headers(rows: &[(http::HeaderName, &str)]) -> HeaderMap {
    let value = |text: &str| HeaderValue::from_str(text).expect("a good value");
    rows.iter().map(|(name, text)| (name.clone(), value(text))).collect()
}

/// A body in pieces, without a length, and how many of them were asked for.
fn chunked(bytes: &[u8], piece: usize) -> (Body, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let pieces: Vec<Bytes> = bytes.chunks(piece).map(Bytes::copy_from_slice).collect();
    let stream = stream::iter(pieces).map(move |piece| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok::<_, std::io::Error>(piece)
    });
    (Body::from_stream(stream), asked)
}

async fn read(
    budget: u64,
    headers: &HeaderMap,
    body: Body,
) -> (Result<WriteBody, Error>, BudgetGate) {
    let gate = BudgetGate { budget: MemoryBudget::new(budget) };
    let read = read_body(&gate, &InPlace, headers, body, LIMIT).await;
    (read, gate)
}

#[tokio::test]
async fn a_body_is_read_whole_and_its_memory_is_held() {
    let text = vec![b'x'; 99_999];
    for (body, headers) in [
        (Body::from(text.clone()), headers(&[(CONTENT_LENGTH, "99999")])),
        (chunked(&text, 1_000).0, HeaderMap::new()),
        (chunked(&gzip(&text), 7).0, headers(&[(CONTENT_ENCODING, "gzip")])),
        (chunked(&text, 333).0, headers(&[(CONTENT_ENCODING, "identity")])),
    ] {
        let (body, gate) = read(1 << 20, &headers, body).await;
        let body = body.expect("below the limit");
        assert_eq!(body.bytes, text);
        assert!(body.memory.bytes() >= text.len() as u64);
        assert_eq!(gate.budget.used(), body.memory.bytes());
        drop(body);
        assert_eq!(gate.budget.used(), 0);
    }
}

#[tokio::test]
async fn all_members_of_a_gzip_stream_are_read() {
    let members = [gzip(b"a x=1\n"), gzip(b""), gzip(b"b x=2\n")].concat();
    let (body, _) =
        read(1 << 20, &headers(&[(CONTENT_ENCODING, "gzip")]), Body::from(members)).await;
    assert_eq!(body.expect("three members").bytes, "a x=1\nb x=2\n");
}

#[tokio::test]
async fn the_limit_takes_n_bytes_and_refuses_one_more() {
    for len in [LIMIT as usize, LIMIT as usize + 1] {
        let text = vec![b'x'; len];
        let plain = read(1 << 20, &HeaderMap::new(), chunked(&text, 1_000).0).await.0;
        let gzip_headers = headers(&[(CONTENT_ENCODING, "gzip")]);
        let inflated = read(1 << 20, &gzip_headers, Body::from(gzip(&text))).await.0;
        for body in [plain, inflated] {
            if len as u64 == LIMIT {
                assert_eq!(body.expect("at the limit").bytes.len(), len);
            } else {
                assert!(matches!(body, Err(Error::BodyTooLarge { .. })));
            }
        }
    }
}

#[tokio::test]
async fn an_announced_length_above_the_limit_is_refused_before_anything_is_read() {
    let (body, asked) = chunked(&[b'x'; 10_000], 100);
    let (refused, gate) = read(1 << 20, &headers(&[(CONTENT_LENGTH, "100001")]), body).await;
    assert!(matches!(refused, Err(Error::BodyTooLarge { .. })));
    assert_eq!((asked.load(Ordering::Relaxed), gate.budget.used()), (0, 0));
}

#[tokio::test]
async fn a_body_without_a_length_is_read_no_further_than_the_limit() {
    let (body, asked) = chunked(&vec![b'x'; 10 * LIMIT as usize], 1_000);
    let (refused, _) = read(1 << 20, &HeaderMap::new(), body).await;
    assert!(matches!(refused, Err(Error::BodyTooLarge { .. })));
    assert_eq!(asked.load(Ordering::Relaxed), 101);
}

/// A budget of four limits cannot hold what the bomb inflates to, so that an inflater which went on
/// would be refused for want of memory and not for its size.
#[tokio::test]
async fn b21_a_bomb_is_refused_without_being_inflated() {
    let bomb = gzip(&vec![0; 50 << 20]);
    assert!((bomb.len() as u64) < LIMIT, "the bomb itself is small");
    let (refused, gate) =
        read(4 * LIMIT, &headers(&[(CONTENT_ENCODING, "gzip")]), Body::from(bomb)).await;
    let error = refused.expect_err("too large when inflated");
    assert_eq!(
        error.to_string(),
        "the body when inflated is larger than the limit of 100000 bytes"
    );
    assert_eq!(gate.budget.used(), 0);
}

#[tokio::test]
async fn what_cannot_grow_gives_all_back() {
    let text = vec![b'x'; 90_000];
    let gzipped = headers(&[(CONTENT_ENCODING, "gzip")]);
    for (headers, body) in
        [(HeaderMap::new(), chunked(&text, 1_000).0), (gzipped, Body::from(gzip(&text)))]
    {
        let (refused, gate) = read(70_000, &headers, body).await;
        // What is inflated has a reservation of its own beside what came; both count.
        let refused = refused.expect_err("it is too much");
        assert!(matches!(refused, Error::MoreThanMemory { .. }), "{refused}");
        assert_eq!(gate.budget.used(), 0);
    }
    // What others hold now may be there for the next try.
    let gate = BudgetGate { budget: MemoryBudget::new(200_000) };
    let others = gate.budget.reserve_anyway(MemoryOwner::Buffer, 130_000);
    let body = chunked(&text, 1_000).0;
    let refused = read_body(&gate, &InPlace, &HeaderMap::new(), body, LIMIT).await;
    assert!(matches!(refused, Err(Error::NoMemory { .. })));
    assert_eq!(gate.budget.used(), others.bytes());
    let announced = headers(&[(CONTENT_LENGTH, "90000")]);
    let refused = read_body(&gate, &InPlace, &announced, Body::from(text.clone()), LIMIT).await;
    assert!(matches!(refused, Err(Error::Sink(_))), "the gate itself refuses");
    let (body, asked) = chunked(&text, 1_000);
    let (refused, _) = read(80_000, &announced, body).await;
    assert!(matches!(refused, Err(Error::MoreThanMemory { .. })), "it can never fit");
    assert_eq!(asked.load(Ordering::Relaxed), 0, "nothing is read for that");
}

/// A body that is packed needs room for what came and for what it inflates to.
#[tokio::test]
async fn a_packed_body_that_fits_only_when_others_have_gone_is_busy() {
    let gzipped = headers(&[(CONTENT_ENCODING, "gzip")]);
    let packed = gzip(&vec![b'x'; 90_000]);
    let gate = BudgetGate { budget: MemoryBudget::new(400_000) };
    let others = gate.budget.reserve_anyway(MemoryOwner::Buffer, 200_000);
    let refused = read_body(&gate, &InPlace, &gzipped, Body::from(packed.clone()), LIMIT).await;
    assert!(matches!(refused, Err(Error::NoMemory { .. })));
    assert_eq!(gate.budget.used(), others.bytes());
    drop(others);
    let body = read_body(&gate, &InPlace, &gzipped, Body::from(packed), LIMIT).await;
    let body = body.expect("all is free");
    assert_eq!(body.memory.bytes(), 90_000, "doubling took no more than is needed");
}

#[tokio::test]
async fn what_is_not_gzip_is_refused() {
    let gzipped = headers(&[(CONTENT_ENCODING, "gzip")]);
    let mut cut = gzip(&[b'x'; 1_000]);
    cut.truncate(cut.len() - 5);
    for body in [b"a x=1\n".to_vec(), cut] {
        let (refused, _) = read(1 << 20, &gzipped, Body::from(body)).await;
        assert!(matches!(refused, Err(Error::Inflate(_))));
    }
    let (refused, _) = read(1 << 20, &headers(&[(CONTENT_ENCODING, "zstd")]), Body::empty()).await;
    assert!(matches!(refused, Err(Error::Encoding(_))));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let broken = stream::iter([Ok(Bytes::from_static(b"a x")), Err(std::io::Error::other("gone"))]);
    let (refused, gate) = read(1 << 20, &HeaderMap::new(), Body::from_stream(broken)).await;
    assert!(matches!(refused, Err(Error::Body(_))));
    assert_eq!(gate.budget.used(), 0);
}

/// A body that brings a byte each time `pause` has gone by, without end.
fn trickle(pause: Duration) -> Body {
    let bytes = stream::unfold((), move |()| async move {
        tokio::time::sleep(pause).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
    });
    Body::from_stream(bytes)
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_in_time_gives_its_memory_back() {
    for (pause, after) in [(IDLE_TIMEOUT * 2, IDLE_TIMEOUT), (IDLE_TIMEOUT / 3, BODY_TIMEOUT_MIN)] {
        let announced = headers(&[(CONTENT_LENGTH, "50000")]);
        let (refused, gate) = read(1 << 20, &announced, trickle(pause)).await;
        let Err(Error::BodyTooSlow { waited, .. }) = refused else {
            panic!("a byte each {pause:?} is too slow");
        };
        assert_eq!((waited, gate.budget.used()), (after, 0));
    }
}

#[test]
fn a_large_body_has_more_time() {
    assert_eq!(time_for(64 << 10), Duration::from_secs(60));
    assert_eq!(time_for(64 << 20), Duration::from_secs(64));
    assert_eq!(time_for(512 << 20), Duration::from_secs(512));
}
