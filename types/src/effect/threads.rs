//! Threads as an effect: the system's, or turns on the one thread of a simulation.
//!
//! What owns a thread for its whole life is a [`Worker`]: it makes one step at a time, and waits
//! between steps. So a thread of the system can be the loop around it, and so can a simulation that
//! decides who makes the next step.

mod turns;

use std::fmt::Debug;
use std::io;
use std::sync::mpsc::{Receiver, RecvError, TryRecvError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

pub use turns::Turns;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Something was done; there may be more.
    Worked,
    /// There is nothing to do, unless something arrives or so much time passes.
    Idle(Option<Duration>),
    /// The worker has come to its end.
    Ended,
}

/// What a thread runs, one step at a time.
pub trait Worker: Send {
    /// Does what is next. Does not wait for work, though it may wait for a disk.
    fn step(&mut self) -> Progress;

    /// Blocks until there may be work, at most for `patience`.
    fn wait(&mut self, patience: Option<Duration>);
}

/// A thread that was started.
pub trait Thread: Debug + Send {
    /// Blocks until its worker has ended.
    ///
    /// # Errors
    ///
    /// Fails if it ended by a panic.
    fn join(self: Box<Self>) -> Result<(), Panicked>;
}

/// A thread ended by a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// Starts threads.
pub trait Threads: Debug + Send + Sync {
    /// Starts a thread that steps `worker` to its end.
    ///
    /// # Errors
    ///
    /// As the system does when it has no thread to give.
    fn start(&self, name: &'static str, worker: Box<dyn Worker>) -> io::Result<Box<dyn Thread>>;

    /// Lets others make a step on the caller's thread, if they have none of their own. False if
    /// they have: then the caller may block until they have come far enough.
    fn lend(&self) -> bool;
}

/// Waits for what another thread sends. If the threads have none of their own, they make their steps
/// here until it is there.
///
/// # Errors
///
/// Fails if nobody is left to send anything.
pub fn receive<T>(threads: &dyn Threads, answers: &Receiver<T>) -> Result<T, RecvError> {
    loop {
        match answers.try_recv() {
            Ok(answer) => return Ok(answer),
            Err(TryRecvError::Disconnected) => return Err(RecvError),
            Err(TryRecvError::Empty) if threads.lend() => {}
            Err(TryRecvError::Empty) => return answers.recv(),
        }
    }
}

/// The system's threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemThreads;

impl Threads for SystemThreads {
    fn start(
        &self,
        name: &'static str,
        mut worker: Box<dyn Worker>,
    ) -> io::Result<Box<dyn Thread>> {
        let run = move || {
            loop {
                match worker.step() {
                    Progress::Worked => {}
                    Progress::Idle(patience) => worker.wait(patience),
                    Progress::Ended => return,
                }
            }
        };
        let thread = Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Box::new(SystemThread(thread)))
    }

    fn lend(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct SystemThread(JoinHandle<()>);

impl Thread for SystemThread {
    fn join(self: Box<Self>) -> Result<(), Panicked> {
        self.0.join().map_err(|_| Panicked)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    struct Sum {
        numbers: Receiver<u64>,
        arrived: Option<u64>,
        total: u64,
    }

    impl Worker for Sum {
        fn step(&mut self) -> Progress {
            match self.arrived.take().or_else(|| self.numbers.try_recv().ok()) {
                Some(0) => {
                    assert_eq!(self.total, 6, "all that came before the end");
                    Progress::Ended
                }
                Some(number) => {
                    self.total += number;
                    Progress::Worked
                }
                None => Progress::Idle(None),
            }
        }

        fn wait(&mut self, _patience: Option<Duration>) {
            self.arrived = self.numbers.recv().ok();
        }
    }

    #[test]
    fn a_worker_is_stepped_to_its_end_and_a_panic_is_told() {
        for (sent, ends) in [([1, 2, 3, 0], Ok(())), ([1, 2, 4, 0], Err(Panicked))] {
            let (sender, numbers) = channel();
            let sum = Sum { numbers, arrived: None, total: 0 };
            let thread = SystemThreads.start("sum", Box::new(sum)).expect("a thread starts");
            for number in sent {
                sender.send(number).expect("it is there");
            }
            assert_eq!(thread.join(), ends);
        }
    }

    /// Sends one number each time that it is lent a thread, and hangs up after the last.
    #[derive(Debug)]
    struct Counts(Mutex<(u64, Option<Sender<u64>>)>);

    impl Threads for Counts {
        fn start(&self, _: &'static str, _: Box<dyn Worker>) -> io::Result<Box<dyn Thread>> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn lend(&self) -> bool {
            let mut state = self.0.lock().expect("nobody panicked");
            let (number, sender) = &mut *state;
            match number.checked_sub(1) {
                Some(less) => {
                    *number = less;
                    let sent = sender.as_ref().map(|sender| sender.send(less));
                    sent.expect("it has not hung up").expect("somebody waits");
                }
                None => *sender = None,
            }
            true
        }
    }

    #[test]
    fn whoever_waits_lends_the_thread_until_there_is_an_answer_or_nobody_to_give_one() {
        let (sender, numbers) = channel();
        let counts = Counts(Mutex::new((2, Some(sender))));
        let received: Vec<_> = (0..3).map(|_| receive(&counts, &numbers)).collect();
        assert_eq!(received, [Ok(1), Ok(0), Err(RecvError)]);
    }

    #[test]
    fn whoever_waits_for_a_thread_of_the_system_blocks() {
        let (sender, numbers) = channel();
        std::thread::scope(|scope| {
            scope.spawn(move || sender.send(7).expect("somebody waits"));
            assert_eq!(receive(&SystemThreads, &numbers), Ok(7));
            assert_eq!(receive(&SystemThreads, &numbers), Err(RecvError));
        });
    }
}
