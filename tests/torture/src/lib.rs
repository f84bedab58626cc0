//! Hurts a real server on a real file system, and looks whether it kept what it promised.
//!
//! Each scenario starts the binary under test, keeps it busy, hurts it in one way, and asks the
//! ledger of the crate `checker` about all that is answered afterwards. It needs root on Linux, with
//! loop devices, `strace` and Python 3; nothing outlives it but the directory of a run in which
//! something was found.
//!
//! | scenario | how it hurts |
//! |---|---|
//! | [`kills`](scenario::kills) | `kill -9` at any moment, and at named points |
//! | [`power`](scenario::power) | the file system is shut down as by a power cut |
//! | [`eio`](scenario::eio) | a sync fails once, and then the power |
//! | [`slow_disk`](scenario::slow_disk) | each sync takes its time |
//! | [`full_disk`](scenario::full_disk) | the disk is full, by writes or by others |
//! | [`pause`](scenario::pause) | the process is stopped for seconds |
//! | [`rot`](scenario::rot) | bits flip while no server runs |
//! | [`memory`](scenario::memory) | ten loads at once in a small cgroup |
//! | [`overload`](scenario::overload) | twice the rate that it can take |
//! | [`outage`](scenario::outage) | no object store, or no catalog, for minutes |
//! | [`recovery`](scenario::recovery) | a large log to read after a kill |
//! | [`fsync`](scenario::fsync) | not at all: the log's syncs beside a raw loop |
//!
//! ```text
//!   scenario ── starts ▶ forebay ◀── clients of workload, or of load
//!      │                    ▲              │
//!      └── hurts ───────────┘              ▼
//!          kill, power cut, strace,     checker: what may be seen
//!          full disk, cgroup, rot
//! ```

#![allow(clippy::disallowed_methods, reason = "real processes, whose effects nobody passes in")]

mod afterlife;
mod away;
mod bench;
mod cgroup;
mod error;
pub mod evidence;
mod flights;
mod forebay;
mod http;
mod load;
mod loop_mount;
mod metrics;
mod newcomer;
mod power_cut;
mod program;
mod reading;
pub mod report;
pub mod scenario;
mod settings;
mod sibling;
mod strace;
mod work_dir;
mod workload;

pub use error::Error;
pub use settings::Settings;
