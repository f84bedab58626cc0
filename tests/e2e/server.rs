//! A server of its own for each test, on a free port and in a directory of its own.

mod http;

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::LazyLock;
use std::thread::{self, JoinHandle};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) use http::wait_until;

/// The binary of this build, or another one: so that a release build is tried in the same way.
static FOREBAY: LazyLock<OsString> = LazyLock::new(|| {
    std::env::var_os("FOREBAY_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_forebay").into())
});

/// Warnings that a test may cause; any other, and every error, fails it.
const EXPECTED_WARNINGS: [&str; 1] = ["ending at once"];

/// A directory for the data of a server, which may be started in it more than once.
#[derive(Debug)]
pub(crate) struct DataDir(TempDir);

impl DataDir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Starts a server and waits until it is ready.
    pub(crate) fn serve(&self, flags: &[&str]) -> Server {
        Server::start(&self.path(), flags, Wait::UntilReady)
    }

    /// Starts a server that listens and may still replay its log.
    pub(crate) fn listen(&self, flags: &[&str]) -> Server {
        Server::start(&self.path(), flags, Wait::UntilListening)
    }
}

/// How far a server has to come before a test goes on.
#[derive(Clone, Copy, PartialEq)]
enum Wait {
    UntilListening,
    UntilReady,
}

/// A running server; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    url: String,
    /// Reads what the server logs until its end.
    log: Option<JoinHandle<Vec<String>>>,
}

impl Server {
    #[allow(clippy::disallowed_methods, reason = "the whole program is not replayed")]
    fn start(data_dir: &Path, flags: &[&str], wait: Wait) -> Self {
        let mut child = Command::new(&*FOREBAY)
            .args(["serve", "--bind", "127.0.0.1:0", "--log-format", "json", "--data-dir"])
            .arg(data_dir)
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stderr.take().expect("is piped")).lines();
        let (address, seen) = wait_for_start(&mut lines, wait);
        let log =
            thread::spawn(move || seen.into_iter().chain(lines.map_while(Result::ok)).collect());
        Self { child, url: format!("http://{address}"), log: Some(log) }
    }

    /// Begins a client command against this server; whoever has its pipes sees how it goes on.
    pub(crate) fn begin(&self, words: &[&str]) -> Child {
        Command::new(&*FOREBAY)
            .args(words)
            .env("FOREBAY_HOST", &self.url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts")
    }

    /// Runs a client command against this server.
    #[allow(clippy::disallowed_methods, reason = "the whole program is not replayed")]
    pub(crate) fn run(&self, words: &[&str], input: &[u8]) -> Output {
        let mut child = self.begin(words);
        let mut stdin = child.stdin.take().expect("is piped");
        let input = input.to_vec();
        // A command that ends early does not want the rest.
        let feeding = thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().expect("the command ends");
        feeding.join().expect("does not panic");
        output
    }

    /// What a client command that has to succeed prints.
    pub(crate) fn ok(&self, words: &[&str], input: &[u8]) -> String {
        let output = self.run(words, input);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {errors}");
        String::from_utf8(output.stdout).expect("is text")
    }

    /// Writes lines of line protocol that are all good.
    pub(crate) fn write(&self, database: &str, lines: &[u8]) {
        self.ok(&["write", "-d", database], lines);
    }

    /// The answer to a query, as CSV without its header.
    pub(crate) fn query(&self, database: &str, sql: &str) -> String {
        let answer = self.ok(&["query", "-d", database, "--format", "csv", sql], b"");
        answer.split_once('\n').map(|(_, rows)| rows.to_owned()).unwrap_or_default()
    }

    /// Kills the server as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("is running");
        self.ended();
    }

    /// Asks the server to end, and waits until it has.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(asked.success(), "the server takes signals");
        self.ended()
    }

    fn ended(&mut self) -> ExitStatus {
        let status = self.child.wait().expect("the server ends");
        let log = self.log.take().expect("is read once").join().expect("does not panic");
        let unexpected: Vec<_> = log.iter().filter(|line| !is_expected(line)).collect();
        assert!(unexpected.is_empty(), "{unexpected:#?}");
        status
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already unless the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the log until the server has come far enough; returns its address and what was read.
fn wait_for_start(lines: &mut Lines<BufReader<ChildStderr>>, wait: Wait) -> (String, Vec<String>) {
    let (mut seen, mut address) = (Vec::new(), None);
    let mut ready = wait == Wait::UntilListening;
    for line in lines.by_ref() {
        let line = line.expect("the log is text");
        let entry: Value = serde_json::from_str(&line).unwrap_or_default();
        let message = entry["message"].as_str().unwrap_or_default();
        if message == "listening" {
            address = entry["address"].as_str().map(ToOwned::to_owned);
        }
        ready |= message.ends_with("ready");
        seen.push(line);
        if let (Some(address), true) = (&address, ready) {
            return (address.clone(), seen);
        }
    }
    panic!("the server ended before it had started: {seen:#?}")
}

fn is_expected(line: &str) -> bool {
    let Ok(entry) = serde_json::from_str::<Value>(line) else { return false };
    match entry["level"].as_str() {
        Some("INFO" | "DEBUG" | "TRACE") => true,
        Some("WARN") => EXPECTED_WARNINGS.iter().any(|text| entry["message"] == *text),
        _ => false,
    }
}
