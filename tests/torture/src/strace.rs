//! Faults of system calls, injected by `strace`.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::error::{During, Error};

/// The command in front of a server whose `when`th sync fails, counted for each thread.
pub(crate) fn failing_sync(when: u64, trace: &Path) -> Vec<OsString> {
    injecting(&format!("fdatasync,fsync:error=EIO:when={when}"), "fdatasync,fsync", trace)
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
    pub(crate) fn failing_sync(process: u32, when: u64, trace: &Path) -> Result<Self, Error> {
        let inject = format!("inject=fdatasync,fsync:error=EIO:when={when}");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-e", "trace=fdatasync,fsync", "-e", &inject, "-o"]).arg(trace);
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
    // --seccomp-bpf only the calls in question stop.
    let words = ["strace", "-D", "-f", "--seccomp-bpf", "-qq"].map(OsString::from);
    let inject = format!("inject={fault}");
    let rest = ["-e", &format!("trace={calls}"), "-e", &inject, "-o"].map(OsString::from);
    words.into_iter().chain(rest).chain([trace.as_os_str().to_owned()]).collect()
}
