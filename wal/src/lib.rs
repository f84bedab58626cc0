//! The write-ahead log: bytes in, fsynced, and back after any crash.
//!
//! A request is appended as one *frame* and gets an LSN for each of its batches. The frames that
//! one fdatasync covers are a *group*; *segments* are the files they stand in. Whoever appends is
//! told by a [`CommitObserver`] when the frame is durable, and not before.
//!
//! ```text
//!   request tasks                     the log's thread                 /data/wal/
//!   ─────────────                     ────────────────                 ──────────
//!   Body::encode                                                       lock
//!   LogHandle::reserve ◀── Room                                        3-…07.wal   sealed, recovered
//!   LogHandle::append ───▶ Queue ───▶ gather a group                   4-…08.wal   sealed
//!                                     write ─▶ fdatasync ────────────▶ 4-…09.wal   open
//!   publisher ◀────────────────────── CommitObserver::committed        spare.tmp   zeros ◀─ its thread
//!   LogHandle::rotate ───▶            seal, name the spare             ballast     zeros
//!   LogHandle::drop_through ─────────────────────────────────────────▶ oldest first, one by one
//! ```
//!
//! # Finding the way
//!
//! | module | what |
//! |---|---|
//! | `format` | the bytes of segments, frames and bodies; `docs/wal-format.md` describes them |
//! | `scan` | a walk along one segment in bounded memory |
//! | [`classify`] | the pure decision: valid, clean end, torn tail, corrupt |
//! | `recovery` | makes a log whole and durable before anything in it is shown |
//! | `log` | handles, the queue, the thread, group commit, spares, a full disk |
//! | [`disk`] | the real disk, the modelled one, and what each error means |
//! | [`inspect`] | looks at a log, also beside the process that owns it |
//! | `invariants` | the rules, asserted in production |
//!
//! # What must hold
//!
//! * Nobody is told of a frame before the fdatasync of its bytes, and the fsync of its segment's
//!   name, have returned.
//! * At most one group is outstanding, so a crash can tear at most one, and any later frame proves
//!   that a damaged one was durable: torn tails are told from corruption instead of guessed.
//! * A failed sync ends the process and is never retried.
//! * A recovered segment is never appended to; the LSNs on disk have no gap; a number is used once.
//! * What does not fit on a full disk is cut off again, durably, and told as refused.
//!
//! # What it is not
//!
//! It knows no columns, no tables and no runtime: bodies are bytes, threads are given to it. It does
//! not decide when a segment may be dropped, and does not repair corruption. It does not hide
//! rot within its last group in the second before a seal; nothing on one disk can.
//!
//! # Use
//!
//! ```
//! use std::num::NonZeroU32;
//! use std::sync::{Arc, mpsc};
//!
//! use types::effect::{ManualClock, SeededRandomness, SystemThreads};
//! use types::{BatchId, Lsn, LsnRange};
//! use wal::disk::RealDisk;
//! use wal::{
//!     Append, Body, CommitObserver, Config, Deps, Error, ExitProcess, Group, Recovery,
//!     SealedSegment, Vouched,
//! };
//!
//! /// Answers each append with its LSNs, or with nothing if it was refused.
//! struct Answer;
//!
//! impl CommitObserver<mpsc::Sender<LsnRange>> for Answer {
//!     fn committed(&mut self, group: Group<mpsc::Sender<LsnRange>>) {
//!         for frame in group.frames {
//!             let _ = frame.payload.send(frame.lsns);
//!         }
//!     }
//!     fn refused(&mut self, _payload: mpsc::Sender<LsnRange>, _error: &Error) {}
//!     fn sealed(&mut self, _segment: &SealedSegment) {}
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let root = tempfile::tempdir()?;
//! # let dir = root.path().join("wal");
//! let config = Config { segment_size: 1 << 16, ..Config::default() };
//! let deps = Deps {
//!     disk: Arc::new(RealDisk),
//!     clock: Arc::new(ManualClock::default()),
//!     randomness: Arc::new(SeededRandomness::new(1)),
//!     threads: Arc::new(SystemThreads),
//!     fatal: Arc::new(ExitProcess),
//! };
//! let recovery = Recovery::open(&dir, config.clone(), deps, Vouched::by_snapshot(Lsn::ZERO))?;
//! for segment in recovery.segments() {
//!     for frame in recovery.frames(segment.seq)? {
//!         println!("{}", frame?.lsns);
//!     }
//! }
//! let epoch = recovery.epoch().next();
//! let log = recovery.start(epoch, Answer)?;
//!
//! let body = Body::encode(b"two batches".to_vec(), &config)?;
//! let space = log.reserve(body.frame_len())?;
//! let (payload, answer) = mpsc::channel();
//! let batches = NonZeroU32::new(2).ok_or("no batches")?;
//! let append = Append { body, batches, batch_id: BatchId::default(), payload, space };
//! log.append(append).map_err(|(error, _payload)| error)?;
//! assert_eq!(answer.recv()?, LsnRange::new(Lsn::new(1), Lsn::new(2)));
//! log.close()?;
//! # Ok(())
//! # }
//! ```

pub mod classify;
pub mod disk;
pub mod inspect;

mod config;
mod deps;
mod error;
mod fatal;
mod format;
mod frames;
#[cfg(test)]
mod harness;
mod invariants;
mod log;
mod recovery;
mod scan;
mod segment;
mod vouched;

pub use config::Config;
pub use deps::Deps;
pub use error::Error;
pub use fatal::{EXIT_INTERNAL, EXIT_IO, ExitProcess, Fatal};
pub use format::Body;
pub use frames::{Frame, Frames};
pub use log::{Append, CommitObserver, CommittedFrame, Group, LogHandle, LogState, Space};
pub use recovery::Recovery;
pub use segment::{KeptTail, SealedSegment, SegmentName, SegmentSummary, Torn, TornTails};
pub use vouched::Vouched;
