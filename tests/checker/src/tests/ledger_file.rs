//! A ledger in a file judges after the harness's restart as it would have without.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

fn file() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("ledger");
    (dir, path)
}

fn open(path: &Path) -> Ledger {
    Ledger::in_file(path).expect("a ledger")
}

#[test]
fn what_was_done_before_a_restart_counts() {
    let (_dir, path) = file();
    let ledger = open(&path);
    acked(&ledger, vec![point(1)]);
    sent(&ledger, vec![row("s", 1, &[("a", 2)])], Outcome::Rejected);
    let _ = ledger.invoke(vec![row("s", 2, &[("a", 3)])]);
    let counts = ledger.counts();
    drop(ledger);

    let ledger = open(&path);
    assert_eq!(ledger.counts(), counts);
    assert_eq!(ledger.next_value(), 4);
    assert_fault(&seen(&ledger, vec![]), "lost");
    let rejected = row("s", 1, &[("a", 2)]);
    assert_fault(&seen(&ledger, vec![point(1), rejected]), "phantom");
    assert_clean(&seen(&ledger, vec![point(1), row("s", 2, &[("a", 3)])]));
}

#[test]
fn what_was_seen_before_a_restart_counts() {
    let (_dir, path) = file();
    let ledger = open(&path);
    let op = ledger.invoke(vec![point(1)]);
    assert_clean(&seen(&ledger, vec![point(1)]));
    sent(&ledger, vec![row("s", 1, &[("a", 2)])], Outcome::Unknown);
    drop(ledger);

    let ledger = open(&path);
    ledger.end(op, Outcome::Unknown);
    ledger.crashed();
    assert_fault(&seen(&ledger, vec![]), "regressed");
    assert_clean(&seen(&ledger, vec![point(1)]));
    drop(ledger);

    let ledger = open(&path);
    assert_fault(&seen(&ledger, vec![point(1), row("s", 1, &[("a", 2)])]), "phantom");
}

#[test]
fn a_torn_last_line_is_cut_off() {
    let (_dir, path) = file();
    acked(&open(&path), vec![point(1)]);
    let whole = fs::read(&path).expect("is there");
    for torn in [&b"{\"inv"[..], b"{", &whole[..whole.len() / 3], b"\0\0\0"] {
        let mut file = OpenOptions::new().append(true).open(&path).expect("is there");
        file.write_all(torn).expect("is written");
        drop(file);
        let ledger = open(&path);
        assert_eq!(fs::read(&path).expect("is there"), whole);
        assert_fault(&seen(&ledger, vec![]), "lost");
        drop(ledger);
        fs::write(&path, &whole).expect("is written");
    }
    acked(&open(&path), vec![point(2)]);
    assert_fault(&seen(&open(&path), vec![point(1)]), "stale");
}

#[test]
fn a_line_that_is_none_is_refused() {
    let (_dir, path) = file();
    for text in [
        "no line of ours\n",
        "{\"end\":{\"at\":1,\"op\":0,\"outcome\":\"acked\"}}\n",
        "{\"invoke\":{\"at\":1,\"op\":5,\"rows\":[]}}\n",
    ] {
        fs::write(&path, text).expect("is written");
        let error = Ledger::in_file(&path).expect_err("is refused");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{text}");
        assert!(error.to_string().contains("line 1"), "{error}");
    }
}
