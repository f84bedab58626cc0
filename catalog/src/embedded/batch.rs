//! Commands that are judged one after the other and become durable together.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::command::Command;
use crate::config::Limits;
use crate::error::Error;
use crate::machine::Effect;
use crate::record::Record;
use crate::snapshot::Snapshot;
use crate::write::Committed;

/// Commands of one frame at most: what one fsync makes durable, and what one refusal turns away.
const COMMANDS_MAX: usize = 1_000;

/// Bytes of commands of one frame, unless a single command is larger.
const BYTES_MAX: usize = 4 << 20;

/// Where the answer to one command goes.
type Answer = oneshot::Sender<Result<Committed, Error>>;

/// A command that is queued.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) command: Command,
    pub(super) encoded: Vec<u8>,
    pub(super) answer: Answer,
}

/// The newest state, durable up to `base`, and who waits for the rest of it.
///
/// An answer never tells more than is durable: what was judged against `base` alone is answered at
/// once, and whatever comes after the first accepted command, refusals too, waits for it.
#[derive(Debug)]
pub(super) struct Batch {
    base: Arc<Snapshot>,
    next: Snapshot,
    record: Record,
    waiting: Vec<(Answer, Result<Effect, Error>)>,
}

impl Batch {
    /// Nothing yet, on top of the durable `base`.
    pub(super) fn on(base: &Arc<Snapshot>) -> Self {
        Self {
            base: Arc::clone(base),
            next: Snapshot::clone(base),
            record: Record::default(),
            waiting: Vec::new(),
        }
    }

    /// True if one more command may be judged.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < COMMANDS_MAX && self.record.len() < BYTES_MAX
    }

    /// True if nothing has to become durable.
    pub(super) const fn is_empty(&self) -> bool {
        self.record.commands() == 0
    }

    /// The state with all accepted commands.
    pub(super) const fn next(&self) -> &Snapshot {
        &self.next
    }

    /// Judges a command against the newest state.
    pub(super) fn judge(&mut self, pending: Pending, limits: &Limits) {
        let Pending { command, encoded, answer } = pending;
        let outcome = self.next.apply(&command, limits);
        if matches!(outcome, Ok(Effect::Changed(_))) {
            self.record.push(&encoded);
        } else if self.is_empty() {
            return reply(answer, outcome, &self.base);
        }
        self.waiting.push((answer, outcome));
    }

    /// Takes the record out, to be appended.
    pub(super) fn take_record(&mut self) -> Record {
        std::mem::take(&mut self.record)
    }

    /// Ends as a state that is durable; the answers are given once it is published.
    pub(super) fn into_durable(self) -> (Arc<Snapshot>, Answers) {
        (Arc::new(self.next), Answers(self.waiting))
    }

    /// Ends with nothing kept: all get the error that `error` makes. Also those that were refused,
    /// because what they were judged against has not come about.
    pub(super) fn fail(self, error: impl Fn() -> Error) {
        for (answer, _) in self.waiting {
            // Whoever sent the command may have gone away.
            let _ = answer.send(Err(error()));
        }
    }
}

/// Answers that wait for their state to be published.
#[derive(Debug)]
pub(super) struct Answers(Vec<(Answer, Result<Effect, Error>)>);

impl Answers {
    /// Gives all answers, in the order of the commands.
    pub(super) fn give(self, root: &Arc<Snapshot>) {
        for (answer, outcome) in self.0 {
            reply(answer, outcome, root);
        }
    }
}

fn reply(answer: Answer, outcome: Result<Effect, Error>, root: &Arc<Snapshot>) {
    let committed = outcome.map(|effect| Committed {
        version: effect.version(),
        snapshot: Arc::clone(root),
        repeated: effect.is_repeated(),
    });
    // Whoever sent the command may have gone away; it has happened all the same.
    let _ = answer.send(committed);
}

#[cfg(test)]
mod tests {
    use types::RequestId;

    use super::*;
    use crate::command::Action;
    use crate::conformance::{create, database, open_log};
    use crate::record;

    type Answered = oneshot::Receiver<Result<Committed, Error>>;

    fn judge(batch: &mut Batch, n: u64, action: Action) -> Answered {
        let command = Command { request: RequestId::from_random(1, n), action };
        let encoded = record::encode(&command).expect("encodes");
        let (answer, answered) = oneshot::channel();
        batch.judge(Pending { command, encoded, answer }, &Limits::default());
        answered
    }

    #[test]
    fn what_was_judged_against_durable_state_alone_is_answered_at_once() {
        let mut batch = Batch::on(&Arc::default());
        let mut refused = judge(&mut batch, 1, open_log(0));
        assert!(matches!(refused.try_recv(), Ok(Err(Error::Fenced { .. }))));
        assert!(batch.is_empty());
    }

    #[test]
    fn a_refusal_does_not_tell_of_what_is_not_durable() {
        let mut batch = Batch::on(&Arc::default());
        let mut accepted = judge(&mut batch, 1, open_log(1));
        let mut refused = judge(&mut batch, 2, open_log(1));
        let mut repeated = judge(&mut batch, 1, open_log(1));
        assert_eq!(batch.take_record().commands(), 1);
        for waiting in [&mut accepted, &mut refused, &mut repeated] {
            assert!(matches!(waiting.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
        }
        let (root, answers) = batch.into_durable();
        answers.give(&root);
        assert!(matches!(accepted.try_recv(), Ok(Ok(Committed { repeated: false, .. }))));
        assert!(matches!(refused.try_recv(), Ok(Err(Error::Fenced { .. }))));
        assert!(matches!(repeated.try_recv(), Ok(Ok(Committed { repeated: true, .. }))));
    }

    #[test]
    fn what_was_judged_against_a_commit_that_failed_is_not_refused_for_it() {
        let base = Arc::<Snapshot>::default();
        let mut batch = Batch::on(&base);
        let accepted = judge(&mut batch, 1, create(database(1), &[]));
        let refused = judge(&mut batch, 2, open_log(0));
        let again = judge(&mut batch, 1, create(database(1), &[]));
        batch.fail(|| Error::Busy { reason: "the disk is full".to_owned() });
        for mut answered in [accepted, refused, again] {
            assert!(matches!(answered.try_recv(), Ok(Err(Error::Busy { .. }))));
        }
        assert_eq!(base.version().get(), 0);
    }
}
