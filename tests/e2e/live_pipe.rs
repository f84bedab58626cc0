//! Goal: a pipe that stays open is written as its lines come, and for as long as they are taken.
//! Method: keep standard input open, and look at the server and at how the command ends.

use std::io::Write;
use std::process::{Child, ChildStdin};

use crate::server::{DataDir, Server, wait_until};

fn begin(server: &Server, database: &str) -> (Child, ChildStdin) {
    let mut writing = server.begin(&["write", "-d", database]);
    let pipe = writing.stdin.take().expect("is piped");
    (writing, pipe)
}

#[test]
fn lines_are_sent_while_the_pipe_is_open_and_each_has_its_own_time() {
    let dir = DataDir::new();
    let server = dir.serve(&[]);
    let (writing, mut pipe) = begin(&server, "home");
    pipe.write_all(b"room t=1\nroom t=2\n").expect("is read");
    let count = ["query", "-d", "home", "--format", "csv", "SELECT count(*) FROM room"];
    wait_until("both lines are there", || server.run(&count, b"").stdout.ends_with(b"\n2\n"));
    drop(pipe);
    let output = writing.wait_with_output().expect("ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(server.terminate().success());
}

#[test]
fn a_refusal_ends_the_command_though_the_pipe_is_open() {
    let dir = DataDir::new();
    let server = dir.serve(&[]);
    let (mut writing, mut pipe) = begin(&server, &"d".repeat(65));
    pipe.write_all(b"room t=1\n").expect("is read");
    assert_eq!(writing.wait().expect("ends").code(), Some(1));
    drop(pipe);
    assert!(server.terminate().success());
}

#[test]
fn a_bad_line_is_a_failure_though_nobody_reads_the_report() {
    let dir = DataDir::new();
    let server = dir.serve(&[]);
    let (mut writing, mut pipe) = begin(&server, "home");
    drop((writing.stdout.take(), writing.stderr.take()));
    pipe.write_all(b"room t=x 5\n").expect("is read");
    drop(pipe);
    assert_eq!(writing.wait().expect("ends").code(), Some(1));
    assert!(server.terminate().success());
}
