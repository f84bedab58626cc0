//! Faults of system calls, injected by `strace`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::error::{During, Error};

/// How a sync fails, in the words of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncError {
    /// The disk could not do it.
    Io,
    /// A signal came. What became of the pages is not known, so it is no better.
    Interrupted,
}

impl SyncError {
    fn at(self, when: u64) -> String {
        let name = match self {
            Self::Io => "EIO",
            Self::Interrupted => "EINTR",
        };
        format!("fdatasync,fsync:error={name}:when={when}")
    }
}

/// The command in front of a server whose `when`th sync fails, counted for each thread.
pub(crate) fn failing_sync(error: SyncError, when: u64, trace: &Path) -> Vec<OsString> {
    injecting(&error.at(when), "fdatasync,fsync", trace)
}

/// A tracer of a server that runs already; it ends with the server.
#[derive(Debug)]
pub(crate) struct Attached(Child);

impl Attached {
    /// Has the `when`th sync from now on fail, counted for each thread. Returns once that holds.
    ///
    /// # Errors
    ///
    /// [`Error`] if `strace` cannot be started.
    pub(crate) fn failing_sync(
        process: u32,
        (error, when): (SyncError, u64),
        trace: &Path,
    ) -> Result<Self, Error> {
        let inject = format!("inject={}", error.at(when));
        let mut strace = Command::new("strace");
        strace.args(["-f", "-y", "-ttt"]);
        strace.args(["-e", "trace=fdatasync,fsync", "-e", &inject, "-o"]).arg(trace);
        strace.args(["-p", &process.to_string()]).stderr(Stdio::piped());
        let mut child = strace.spawn().during(format!("attach strace to process {process}"))?;
        if let Some(told) = child.stderr.take() {
            let mut told = BufReader::new(told);
            // It says so once it has all threads, and goes on to tell of new ones: a pipe that
            // nobody reads would be its end.
            let _ = told.read_line(&mut String::new());
            thread::spawn(move || io::copy(&mut told, &mut io::sink()));
        }
        Ok(Self(child))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // It has ended with the server, unless something else has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The command in front of a server whose log is on a slow disk.
pub(crate) fn slow_sync(delay: Duration, trace: &Path) -> Vec<OsString> {
    injecting(&format!("fdatasync:delay_enter={}", delay.as_micros()), "fdatasync", trace)
}

fn injecting(fault: &str, calls: &str, trace: &Path) -> Vec<OsString> {
    // With -D the tracer steps aside: the process that was started is the server itself. With
    // --seccomp-bpf only the calls in question stop. With -y and -ttt the trace has paths and times.
    let words = ["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-y", "-ttt"].map(OsString::from);
    let inject = format!("inject={fault}");
    let rest = ["-e", &format!("trace={calls}"), "-e", &inject, "-o"].map(OsString::from);
    words.into_iter().chain(rest).chain([trace.as_os_str().to_owned()]).collect()
}

/// When the sync failed after which a server has to end, since 1970: the first one of its log or its
/// catalog, for those of other files may be done again. Nothing if none was made to fail.
pub(crate) fn failed_at(trace: &Path) -> Result<Option<Duration>, Error> {
    let text = fs::read_to_string(trace).during(format!("read {}", trace.display()))?;
    let failed = failed_syncs(&text);
    let fatal = failed.iter().find(|(_, path)| is_promised(path)).or(failed.last());
    Ok(fatal.map(|(at, _)| *at))
}

/// True if the file is one on which promises are kept. A spare is none yet: that it could not be
/// synced counts when it is needed.
fn is_promised(path: &str) -> bool {
    let of_log = ["/data/wal", "/data/catalog"].iter().any(|dir| path.contains(dir));
    of_log && !path.ends_with("/spare.tmp")
}

/// The syncs that were made to fail: when, and of which file.
fn failed_syncs(trace: &str) -> Vec<(Duration, &str)> {
    // A call that others interrupt has two lines, and the path is in the first.
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut failed = Vec::new();
    for line in trace.lines() {
        let Some((thread, line)) = line.split_once(' ') else { continue };
        let Some((at, call)) = line.trim_start().split_once(' ') else { continue };
        let path = match call.starts_with("<... ") {
            true => begun.remove(thread).unwrap_or_default(),
            false => path_of(call),
        };
        if call.ends_with("<unfinished ...>") {
            begun.insert(thread, path);
        }
        let at = at.parse::<f64>().ok().and_then(|at| Duration::try_from_secs_f64(at).ok());
        if let (Some(at), true) = (at, call.ends_with("(INJECTED)")) {
            failed.push((at, path));
        }
    }
    failed
}

/// What stands behind the descriptor.
fn path_of(call: &str) -> &str {
    let path = call.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    path.map_or("", |(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "\
7  100.000001 fdatasync(9</a/data/wal/1-1.wal>) = 0
8  100.100000 fsync(11</a/data/objects/x.parquet>) = -1 EIO (Input/output error) (INJECTED)
7  100.200000 fdatasync(9</a/data/wal/1-1.wal> <unfinished ...>
8  100.250000 fdatasync(3</a/data/wal/spare.tmp>) = -1 EIO (Input/output error) (INJECTED)
7  100.300000 <... fdatasync resumed>) = -1 EIO (Input/output error) (INJECTED)
8  100.500000 fsync(12</a/data/objects/y.parquet>) = -1 EIO (Input/output error) (INJECTED)
";

    #[test]
    fn the_sync_that_ends_a_server_is_found_among_others() {
        let failed = failed_syncs(TRACE);
        let paths: Vec<_> = failed.iter().map(|(_, path)| path.rsplit('/').next()).collect();
        let names = ["x.parquet", "spare.tmp", "1-1.wal", "y.parquet"];
        assert_eq!(paths, names.map(Some));
        let promised: Vec<_> = failed.iter().filter(|(_, path)| is_promised(path)).collect();
        assert_eq!(promised, [&(Duration::from_millis(100_300), "/a/data/wal/1-1.wal")]);
        assert!(failed_syncs("7  1.0 +++ exited with 74 +++\n7\n").is_empty());
    }
}
