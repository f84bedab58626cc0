//! Reads the inputs line by line, and stamps each line without a time when it was read.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::SyncSender;

use types::effect::Clock;

use super::Precision;
use super::input::Input;
use super::lines::{Holds, Line, Lines};
use crate::error::Error;

/// A line on its way into a batch.
#[derive(Clone, Debug)]
pub(super) struct Stamped {
    /// The line, which holds something.
    pub(super) line: Line,
    /// The input that it comes from.
    pub(super) path: Arc<Path>,
    /// Its time, where it has none of its own.
    pub(super) time: Option<i64>,
}

/// Reads the inputs one after the other, on a thread of its own: one of them may be a pipe that
/// brings a line now and then.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) inputs: Vec<Input>,
    /// Bytes read so far, for whoever shows progress.
    pub(super) read: Arc<AtomicU64>,
    pub(super) stamps: Stamps,
}

impl Reader {
    /// Hands all lines over, until nobody takes them any more.
    pub(super) fn read_all(mut self, queue: &SyncSender<Stamped>) -> Result<(), Error> {
        for input in self.inputs {
            let path: Arc<Path> = Arc::from(input.path.as_path());
            let text = input.into_text(&self.read)?;
            if read(text, &path, &mut self.stamps, queue)? == Taken::NoMore {
                // The reason is on its way to the caller.
                break;
            }
        }
        Ok(())
    }
}

/// Whether lines are still wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    All,
    NoMore,
}

/// Hands over the lines of one input that hold something.
pub(super) fn read(
    text: impl BufRead,
    path: &Arc<Path>,
    stamps: &mut Stamps,
    queue: &SyncSender<Stamped>,
) -> Result<Taken, Error> {
    let mut lines = Lines::new(text);
    let failed = |source| Error::Input { path: path.to_path_buf(), source };
    while let Some(line) = lines.next().map_err(failed)? {
        if line.holds == Holds::Nothing {
            continue;
        }
        let time = (line.holds == Holds::Untimed).then(|| stamps.next());
        if queue.send(Stamped { line, path: Arc::clone(path), time }).is_err() {
            return Ok(Taken::NoMore);
        }
    }
    Ok(Taken::All)
}

/// Times for lines that have none: the clock's, and never one twice, so that lines that are read
/// together stay points of their own.
#[derive(Debug)]
pub(super) struct Stamps {
    clock: Arc<dyn Clock>,
    precision: Precision,
    last_ns: i64,
}

impl Stamps {
    /// Times of `clock`, counted in `precision`. Where that is coarse, several are one.
    pub(super) fn new(clock: Arc<dyn Clock>, precision: Precision) -> Self {
        Self { clock, precision, last_ns: i64::MIN }
    }

    fn next(&mut self) -> i64 {
        self.last_ns = self.clock.now_ns().max(self.last_ns.saturating_add(1));
        self.precision.count(self.last_ns)
    }
}

#[cfg(test)]
mod tests {
    use types::effect::ManualClock;

    use super::*;

    #[test]
    fn no_time_is_given_twice() {
        let clock = Arc::new(ManualClock::at(7));
        let mut stamps = Stamps::new(Arc::clone(&clock) as _, Precision::Nanosecond);
        assert_eq!((stamps.next(), stamps.next()), (7, 8));
        clock.advance(std::time::Duration::from_nanos(100));
        assert_eq!((stamps.next(), stamps.next()), (107, 108));
    }
}
