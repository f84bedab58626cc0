//! How far a write is: a bar on a terminal, a line now and then elsewhere, on standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;
use types::effect::Clock;

use super::tally::{Tally, rate};

/// How often a line is written where there is no terminal.
const LINE_PERIOD: Duration = Duration::from_secs(5);
const BAR: &str = "{wide_bar} {bytes}/{total_bytes} {msg} {eta}";
const SPINNER: &str = "{spinner} {bytes} {msg}";

/// Shows progress.
#[derive(Debug)]
pub(super) struct Progress {
    /// Bytes of input that were read.
    read: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
    face: Face,
    /// When the next line is due.
    line_due: Mutex<Duration>,
}

#[derive(Debug)]
enum Face {
    Bar(ProgressBar),
    Lines,
}

impl Progress {
    /// Shows how much of `total` bytes is read, as `read` has it.
    pub(super) fn new(total: Option<u64>, read: &Arc<AtomicU64>, clock: &Arc<dyn Clock>) -> Self {
        let face = if io::stderr().is_terminal() { Face::Bar(bar(total)) } else { Face::Lines };
        Self {
            read: Arc::clone(read),
            line_due: Mutex::new(clock.monotonic() + LINE_PERIOD),
            clock: Arc::clone(clock),
            face,
        }
    }

    /// Shows what is settled.
    pub(super) fn show(&self, tally: &Tally) {
        let now = self.clock.monotonic();
        let rows = || format!("{} rows/s", HumanCount(rate(tally.kept(), now)));
        match &self.face {
            Face::Bar(bar) => {
                // Relaxed: some recent number will do.
                bar.set_position(self.read.load(Ordering::Relaxed));
                bar.set_message(rows());
            }
            Face::Lines if self.is_line_due(now) => {
                line(&format!("{} lines kept, {}", HumanCount(tally.kept()), rows()));
            }
            Face::Lines => {}
        }
    }

    /// Says why nothing moves.
    pub(super) fn waiting(&self, reason: &str) {
        match &self.face {
            Face::Bar(bar) => bar.set_message(format!("waiting: {reason}")),
            Face::Lines if self.is_line_due(self.clock.monotonic()) => {
                line(&format!("waiting: {reason}"));
            }
            Face::Lines => {}
        }
    }

    fn is_line_due(&self, now: Duration) -> bool {
        let mut due = self.line_due.lock();
        let is_due = now >= *due;
        if is_due {
            *due = now + LINE_PERIOD;
        }
        is_due
    }

    /// Takes the bar away: the report follows.
    pub(super) fn finish(&self) {
        if let Face::Bar(bar) = &self.face {
            bar.finish_and_clear();
        }
    }
}

fn line(text: &str) {
    // Whoever closed standard error does not want to know.
    let _ = writeln!(io::stderr(), "{text}");
}

fn bar(total: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let template = if total.is_some() { BAR } else { SPINNER };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        // A template that is wrong is found by the test below; a bar of another look will do.
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use types::effect::ManualClock;

    #[test]
    fn a_line_is_due_now_and_then() {
        let manual = Arc::new(ManualClock::default());
        let clock: Arc<dyn Clock> = Arc::clone(&manual) as _;
        let progress = Progress::new(None, &Arc::default(), &clock);
        assert!(!progress.is_line_due(clock.monotonic()));
        manual.advance(LINE_PERIOD);
        assert!(progress.is_line_due(clock.monotonic()));
        assert!(!progress.is_line_due(clock.monotonic()), "once a period");
    }

    #[test]
    fn the_templates_are_sound() {
        assert!(ProgressStyle::with_template(BAR).is_ok());
        assert!(ProgressStyle::with_template(SPINNER).is_ok());
    }
}
