//! `forebay write`: sends line protocol to a server, whole lines in batches, several at once.
//!
//! ```text
//!   Input ──bytes──▶ Reader ──lines──▶ Batches ──batches──▶ Sender ──▶ Tally
//!   plain, gzip      where each ends;  at most so many     one try    kept, bad,
//!                    stamped where it  lines, open for     after      bytes
//!                    has no time       at most a second    another
//!   └────── on a thread ───────────┘   └─ on another ─┘    └ as many at once as wanted ┘
//! ```
//!
//! Lines without a time are stamped when they are read, so that each try sends the same points and
//! a repetition changes nothing. A batch does not wait for lines that may never come: the input may
//! be a pipe that somebody else writes to now and then.

mod answer;
mod batches;
mod input;
mod lines;
mod progress;
mod reader;
mod sender;
mod tally;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use clap::{Args, ValueEnum};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use types::effect::Clock;

use self::batches::Batches;
use self::input::Input;
use self::progress::Progress;
use self::reader::{Reader, Stamps};
use self::sender::{Patience, Sender};
use self::tally::Tally;
use crate::cli::parse_duration;
use crate::command::host::{Host, HostFlags};
use crate::effect::{OsRandomness, SystemClock};
use crate::error::Error;
use crate::exit::Code;

/// A batch is closed so long after its first line, if no other line is there by then.
const OPEN_MAX: Duration = Duration::from_secs(1);
/// Lines that are read ahead of the batch they go into: few, because each may be long.
const LINES_AHEAD_MAX: usize = 64;

/// Flags of `forebay write`.
#[derive(Debug, Args)]
pub(crate) struct WriteFlags {
    /// The database; created if it is not there
    #[arg(short, long, value_name = "NAME")]
    database: String,

    /// What the times are counted in
    #[arg(long, value_enum, value_name = "UNIT", default_value = "auto")]
    precision: Precision,

    /// Requests at once; 1 keeps the order of the input, which matters where a point comes twice
    #[arg(long, value_name = "COUNT", default_value = "4")]
    concurrency: NonZeroUsize,

    /// Lines a request
    #[arg(long, value_name = "COUNT", default_value = "10000")]
    batch_lines: NonZeroUsize,

    /// How long a request is repeated before it is given up
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "300s")]
    retry_timeout: Duration,

    #[command(flatten)]
    host: HostFlags,

    /// Files of line protocol, plain or gzip; `-` or none is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What the times of lines are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    /// The server tells by the size of the number.
    Auto,
    /// Nanoseconds.
    #[value(name = "ns", alias = "nanosecond")]
    Nanosecond,
    /// Microseconds.
    #[value(name = "us", alias = "microsecond")]
    Microsecond,
    /// Milliseconds.
    #[value(name = "ms", alias = "millisecond")]
    Millisecond,
    /// Seconds.
    #[value(name = "s", alias = "second")]
    Second,
}

impl Precision {
    /// The word that the server knows.
    const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Nanosecond => "nanosecond",
            Self::Microsecond => "microsecond",
            Self::Millisecond => "millisecond",
            Self::Second => "second",
        }
    }

    /// A time in nanoseconds, counted as lines of this precision count it. Where the server tells
    /// by the number, present times in nanoseconds are told rightly.
    const fn count(self, time_ns: i64) -> i64 {
        time_ns
            / match self {
                Self::Auto | Self::Nanosecond => 1,
                Self::Microsecond => 1_000,
                Self::Millisecond => 1_000_000,
                Self::Second => 1_000_000_000,
            }
    }
}

/// Runs the command.
pub(crate) async fn run(flags: WriteFlags) -> Result<Code, Error> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let read = Arc::new(AtomicU64::new(0));
    let inputs = Input::open(&flags.files)?;
    let progress = Arc::new(Progress::new(input::total_bytes(&inputs), &read, &clock));
    let sender = Sender::new(
        Host::new(&flags.host)?,
        &[("db", &flags.database), ("precision", flags.precision.word())],
        Patience::new(flags.retry_timeout),
        Arc::new(OsRandomness),
        Arc::clone(&progress),
    );
    let stamps = Stamps::new(Arc::clone(&clock), flags.precision);
    let sending = Sending {
        reader: Reader { inputs, read, stamps },
        lines_max: flags.batch_lines,
        concurrency: flags.concurrency,
    };
    let mut tally = Tally::default();
    let sent = send_all(sending, &sender, &progress, &mut tally).await;
    progress.finish();
    report(&tally, clock.monotonic());
    sent?;
    Ok(if tally.is_complete() { Code::Success } else { Code::Failure })
}

/// What is sent, and in which portions.
#[derive(Debug)]
struct Sending {
    reader: Reader,
    lines_max: NonZeroUsize,
    concurrency: NonZeroUsize,
}

/// Sends what the reader finds until the first error, which leaves the rest unsent; `tally` has
/// what was settled before it.
#[allow(clippy::disallowed_methods, reason = "a command of the client, which nobody replays")]
async fn send_all(
    sending: Sending,
    sender: &Sender,
    progress: &Progress,
    tally: &mut Tally,
) -> Result<(), Error> {
    let Sending { reader, lines_max, concurrency } = sending;
    let (lines, received) = sync_channel(LINES_AHEAD_MAX);
    let reading = spawn_blocking(move || reader.read_all(&lines));
    let (batches, mut queue) = mpsc::channel(concurrency.get());
    let gathering = spawn_blocking(move || {
        let mut gathered = Batches::new(received, lines_max, OPEN_MAX);
        // Nobody sends any more if one cannot be handed over; the reason is on its way.
        gathered.all(|batch| batches.blocking_send(batch).is_ok())
    });
    stream::poll_fn(move |context| queue.poll_recv(context))
        .map(|batch| sender.send(batch))
        .buffer_unordered(concurrency.get())
        .try_for_each(|part| {
            tally.add(part);
            progress.show(tally);
            std::future::ready(Ok(()))
        })
        .await?;
    outcome(gathering).await;
    outcome(reading).await
}

/// What a thread returns; its panic goes on here.
async fn outcome<T>(thread: JoinHandle<T>) -> T {
    thread.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// Tells what was sent. Whether anybody listens changes nothing of it.
fn report(tally: &Tally, took: Duration) {
    let _ = tally.tell_bad_lines(&mut io::stderr().lock());
    let _ = writeln!(io::stdout(), "{}", tally.summary(took));
}

#[cfg(test)]
mod tests;
