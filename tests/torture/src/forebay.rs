//! A server under test: how it is started, heard and signalled, and how it ended.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::error::{During, Error};

/// Nothing that a scenario waits for may take longer: a guard against hanging, not a measurement.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The exit code of a server whose disk has failed: the only one with which a server may end by
/// itself that has started.
pub(crate) const EXIT_IO: i32 = 74;

/// The environment variable that switches a fault on.
const FAULT_VARIABLE: &str = "FOREBAY_FAULT";

/// How often it is looked whether a process has ended.
const PACE: Duration = Duration::from_millis(2);

/// Lines of the log that are told when something went wrong.
const TAIL: usize = 5;

/// How a server is started; any number of times.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    binary: PathBuf,
    data_dir: PathBuf,
    flags: Vec<String>,
    fault: Option<String>,
    /// A command that starts the server instead of it being started directly.
    prefix: Vec<OsString>,
}

impl Launch {
    pub(crate) fn new(binary: &Path, data_dir: &Path, flags: &[&str]) -> Self {
        Self {
            binary: binary.to_owned(),
            data_dir: data_dir.to_owned(),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            fault: None,
            prefix: Vec::new(),
        }
    }

    /// The same with one more flag.
    pub(crate) fn with(mut self, flag: &str, value: &str) -> Self {
        self.flags.extend([flag.to_owned(), value.to_owned()]);
        self
    }

    /// The same with a fault switched on.
    pub(crate) fn with_fault(mut self, fault: String) -> Self {
        self.fault = Some(fault);
        self
    }

    /// The same, started by another command, which has to become the server or be its tracer only.
    pub(crate) fn under(mut self, prefix: Vec<OsString>) -> Self {
        self.prefix = prefix;
        self
    }

    /// Starts it; it may not listen yet.
    pub(crate) fn start(&self) -> Result<Server, Error> {
        let mut words = self.prefix.clone();
        words.push(self.binary.clone().into_os_string());
        let fixed = ["serve", "--bind", "127.0.0.1:0", "--log-format", "json", "--data-dir"];
        words.extend(fixed.map(OsString::from));
        words.push(self.data_dir.clone().into_os_string());
        words.extend(self.flags.iter().map(OsString::from));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::piped()).env_remove(FAULT_VARIABLE);
        if let Some(fault) = &self.fault {
            command.env(FAULT_VARIABLE, fault);
        }
        let child = command.spawn().during(format!("start {}", words[0].display()))?;
        Ok(Server::hear(child))
    }

    /// Has such a server persist a database, however busy it is.
    pub(crate) fn persist(&self, url: &str, database: &str) -> Result<(), Error> {
        persist_patiently(&self.binary, url, database)
    }

    /// Starts it and waits until it takes writes and answers queries.
    pub(crate) fn start_ready(&self) -> Result<(Server, String), Error> {
        let mut server = self.start()?;
        let url = server.wait_ready()?;
        Ok((server, url))
    }
}

/// What a server has logged so far.
#[derive(Debug, Default)]
struct Heard {
    lines: Vec<String>,
    address: Option<String>,
    replayed: bool,
    over: bool,
}

#[derive(Debug, Default)]
struct Log {
    heard: Mutex<Heard>,
    changed: Condvar,
}

impl Log {
    fn listen(&self, stderr: ChildStderr) {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            let message = entry["message"].as_str().unwrap_or_default();
            let mut heard = self.heard.lock();
            if message == "listening" {
                heard.address = entry["address"].as_str().map(ToOwned::to_owned);
            }
            heard.replayed |= message.ends_with("ready");
            heard.lines.push(line);
            self.changed.notify_all();
        }
        self.heard.lock().over = true;
        self.changed.notify_all();
    }
}

/// A running server, or one that has ended; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pid: Pid,
    started: Instant,
    ended: Option<ExitStatus>,
    log: Arc<Log>,
}

impl Server {
    fn hear(mut child: Child) -> Self {
        let log = Arc::new(Log::default());
        if let Some(stderr) = child.stderr.take() {
            let log = Arc::clone(&log);
            thread::spawn(move || log.listen(stderr));
        }
        let pid = Pid::from_child(&child);
        Self { child, pid, started: Instant::now(), ended: None, log }
    }

    /// Waits until it listens; returns its address as a URL. It may still replay its log.
    pub(crate) fn wait_listening(&mut self) -> Result<String, Error> {
        self.wait_for("the server listens", |heard| heard.address.is_some())
    }

    /// Waits until its log is replayed too.
    pub(crate) fn wait_ready(&mut self) -> Result<String, Error> {
        self.wait_for("the server is ready", |heard| heard.address.is_some() && heard.replayed)
    }

    fn wait_for(&mut self, what: &str, holds: impl Fn(&Heard) -> bool) -> Result<String, Error> {
        let deadline = Instant::now() + PATIENCE;
        let log = Arc::clone(&self.log);
        let mut heard = log.heard.lock();
        while !holds(&heard) {
            if heard.over {
                let told = tail(&heard.lines);
                drop(heard);
                let code = self.wait_end(PATIENCE)?.and_then(|status| status.code());
                return Err(Error::Ended { told, code });
            }
            if log.changed.wait_until(&mut heard, deadline).timed_out() {
                return Err(Error::Late { what: what.to_owned(), patience: PATIENCE });
            }
        }
        Ok(format!("http://{}", heard.address.as_deref().unwrap_or_default()))
    }

    /// Since when it is there.
    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    /// Its process, as `/proc` calls it.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, unless it has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            // It is not waited for yet, so the number is still its own.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().during("wait for the server")?;
        }
        Ok(self.ended)
    }

    /// Waits for its end, for so long at most.
    pub(crate) fn wait_end(&mut self, patience: Duration) -> Result<Option<ExitStatus>, Error> {
        let deadline = Instant::now() + patience;
        while self.ended()?.is_none() && Instant::now() < deadline {
            thread::sleep(PACE);
        }
        if self.ended.is_some() {
            self.hear_all();
        }
        Ok(self.ended)
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) -> Result<ExitStatus, Error> {
        self.signal(Signal::KILL);
        self.wait_end(PATIENCE)?.ok_or(Error::Late {
            what: "the end of a killed server".to_owned(),
            patience: PATIENCE,
        })
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn terminate(&mut self) -> Result<ExitStatus, Error> {
        self.signal(Signal::TERM);
        self.wait_end(PATIENCE)?
            .ok_or(Error::Late { what: "a shutdown".to_owned(), patience: PATIENCE })
    }

    /// Waits until what it said before its end has been read. A tracer may keep the pipe open for
    /// a moment longer, and no more is wanted than what is there.
    fn hear_all(&self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        let mut heard = self.log.heard.lock();
        while !heard.over {
            if self.log.changed.wait_until(&mut heard, deadline).timed_out() {
                return;
            }
        }
    }

    /// Lines of its log that contain `text`.
    pub(crate) fn lines_with(&self, text: &str) -> Vec<String> {
        let heard = self.log.heard.lock();
        heard.lines.iter().filter(|line| line.contains(text)).cloned().collect()
    }

    /// The last lines of its log.
    pub(crate) fn told(&self) -> String {
        tail(&self.log.heard.lock().lines)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.ended.is_none() {
            // It has ended already unless the scenario has failed.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn tail(lines: &[String]) -> String {
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

/// The largest resident size that a process has had, in bytes.
pub(crate) fn peak_rss(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

/// Asks a server to persist a database. True if it has.
pub(crate) fn persist(binary: &Path, url: &str, database: &str) -> Result<bool, Error> {
    let mut command = Command::new(binary);
    command.args(["persist", "-d", database, "--timeout", "60s"]).env("FOREBAY_HOST", url);
    let output = command.output().during("run forebay persist")?;
    Ok(output.status.success())
}

/// Has a server persist a database, however busy it is.
pub(crate) fn persist_patiently(binary: &Path, url: &str, database: &str) -> Result<(), Error> {
    const AGAIN: Duration = Duration::from_millis(200);
    let begun = Instant::now();
    while !persist(binary, url, database)? {
        if begun.elapsed() > PATIENCE {
            let what = format!("persisting the database {database}");
            return Err(Error::Late { what, patience: PATIENCE });
        }
        thread::sleep(AGAIN);
    }
    Ok(())
}
