//! Goal: what is refused is told, and nothing else is lost.
//! Method: send what is wrong beside what is right, and look at messages and exit codes.

use crate::server::DataDir;

#[test]
fn a_bad_line_is_told_with_its_place_and_the_others_are_kept() {
    let dir = DataDir::new();
    let server = dir.serve(&[]);
    let output =
        server.run(&["write", "-d", "home"], b"room t=1 5\n# a note\nroom t=x 6\nroom t=2 7\n");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.starts_with("-:3: "), "{told}");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(report.starts_with("2 lines kept, 1 bad"), "{report}");
    assert_eq!(server.query("home", "SELECT count(*) FROM room"), "2\n");
    assert!(server.terminate().success());
}

#[test]
fn a_query_that_cannot_be_answered_says_why() {
    let dir = DataDir::new();
    let server = dir.serve(&[]);
    let output = server.run(&["query", "-d", "nowhere", "SELECT 1"], b"");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("nowhere"), "{told}");
    assert!(server.terminate().success());
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let dir = DataDir::new();
    let server = dir.serve(&[]);
    let data = dir.path().display().to_string();
    let second = server.run(&["serve", "--bind", "127.0.0.1:0", "--data-dir", &data], b"");
    assert!(!second.status.success(), "two servers on one directory");
    let told = String::from_utf8_lossy(&second.stderr);
    assert!(told.contains("in use by another process"), "{told}");
    assert!(server.terminate().success());
}
