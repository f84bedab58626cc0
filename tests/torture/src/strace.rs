//! Faults of system calls, injected by `strace`.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// The command in front of a server whose `when`th sync fails, counted for each thread.
pub(crate) fn failing_sync(when: u64, trace: &Path) -> Vec<OsString> {
    injecting(&format!("fdatasync,fsync:error=EIO:when={when}"), "fdatasync,fsync", trace)
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
