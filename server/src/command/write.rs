//! `forebay write`: sends line protocol to a server, whole lines in batches, several at once.
//!
//! ```text
//!   Input ──bytes──▶ Lines ──lines──▶ Batches ──batches──▶ Sender ──▶ Tally
//!   plain, gzip      where each ends,  stamped, at most    one try    kept, bad,
//!                    has it a time?    so many lines       after      bytes
//!                                                          another
//!   └──────────── on a thread of its own ─────┘ └── as many at once as wanted ──┘
//! ```
//!
//! Lines without a time are stamped before the first try, so that each try sends the same points
//! and a repetition changes nothing.

mod answer;
mod batches;
mod input;
mod lines;
mod progress;
mod sender;
mod tally;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use clap::{Args, ValueEnum};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use types::effect::Clock;

use self::batches::{Batch, Batches};
use self::input::Input;
use self::progress::Progress;
use self::sender::{Patience, Sender};
use self::tally::Tally;
use crate::cli::parse_duration;
use crate::command::host::{Host, HostFlags};
use crate::effect::{OsRandomness, SystemClock};
use crate::error::Error;
use crate::exit::Code;

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
    let reader = Reader {
        inputs,
        read,
        precision: flags.precision,
        lines_max: flags.batch_lines,
        clock: Arc::clone(&clock),
    };
    let mut tally = Tally::default();
    let sent = send_all(reader, &sender, flags.concurrency, &progress, &mut tally).await;
    progress.finish();
    report(&tally, clock.monotonic())?;
    sent?;
    Ok(if tally.is_complete() { Code::Success } else { Code::Failure })
}

/// Sends what `reader` finds until the first error, which leaves the rest unsent; `tally` has what
/// was settled before it.
async fn send_all(
    reader: Reader,
    sender: &Sender,
    concurrency: NonZeroUsize,
    progress: &Progress,
    tally: &mut Tally,
) -> Result<(), Error> {
    let (batches, mut queue) = mpsc::channel(concurrency.get());
    let reading = tokio::task::spawn_blocking(move || reader.read_all(&batches));
    let settled = stream::poll_fn(move |context| queue.poll_recv(context))
        .map(|batch| sender.send(batch))
        .buffer_unordered(concurrency.get());
    let sent = settled
        .try_for_each(|part| {
            tally.add(part);
            progress.show(tally);
            std::future::ready(Ok(()))
        })
        .await;
    sent?;
    reading.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// Reads the inputs one after the other.
#[derive(Debug)]
struct Reader {
    inputs: Vec<Input>,
    /// Bytes read so far, for whoever shows progress.
    read: Arc<AtomicU64>,
    precision: Precision,
    lines_max: NonZeroUsize,
    clock: Arc<dyn Clock>,
}

impl Reader {
    fn read_all(self, queue: &mpsc::Sender<Batch>) -> Result<(), Error> {
        for input in self.inputs {
            let path: Arc<std::path::Path> = Arc::from(input.path.as_path());
            let text = input.into_text(&self.read)?;
            let mut batches = Batches::new(text, path, self.lines_max);
            loop {
                let now = self.precision.count(self.clock.now_ns());
                let Some(batch) = batches.next(now)? else { break };
                if queue.blocking_send(batch).is_err() {
                    // Nobody sends any more; the reason is on its way to the caller.
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn report(tally: &Tally, took: Duration) -> Result<(), Error> {
    let told = tally.tell_bad_lines(&mut io::stderr().lock());
    told.and_then(|()| writeln!(io::stdout(), "{}", tally.summary(took)))
        .map_err(|source| Error::Output { source })
}

#[cfg(test)]
mod tests;
