//! Writes of line protocol.

use std::sync::Arc;

use types::{BatchId, DatabaseName, Position};

use super::{AnswerBy, CHECKS_MAX, Edge, on_cpu};
use crate::body::WriteBody;
use crate::error::Error;
use crate::line::BadLines;
use crate::plan::{Allowance, Checks, Plan, plan_lines};
use crate::precision::Precision;

/// A request to write lines.
#[derive(Debug)]
pub(crate) struct LineWrite {
    /// Where to.
    pub(crate) database: DatabaseName,
    /// What timestamps count.
    pub(crate) precision: Precision,
    /// Whether good lines are kept where others are bad.
    pub(crate) accept_partial: bool,
    /// The lines, and the memory that holds them.
    pub(crate) body: WriteBody,
    /// When its answer is due.
    pub(crate) answer_by: AnswerBy,
}

/// What became of a request's lines.
#[derive(Debug)]
pub(crate) struct Written {
    /// Where the kept lines are; nothing if none was kept.
    pub(crate) position: Option<Position>,
    /// The lines that were not kept because of what is in them.
    pub(crate) bad: BadLines,
    /// How many lines there were.
    pub(crate) lines: usize,
}

impl Edge {
    /// Writes lines; the good ones are durable and visible when this returns.
    ///
    /// # Errors
    ///
    /// What refuses the whole request; bad lines are no error here.
    ///
    /// # Cancel safety
    ///
    /// What the sink was given becomes durable and visible whether or not this future is dropped.
    pub(crate) async fn write_lines(self: &Arc<Self>, write: LineWrite) -> Result<Written, Error> {
        let mut write = write;
        let now_ns = self.deps().clock.now_ns();
        for _ in 0..CHECKS_MAX {
            // Nothing yet: it grows as the rows come.
            let beside = write.body.memory.bytes();
            let memory = Allowance::new(write.body.memory.split(0), beside);
            let plan = self.plan(&write, now_ns, memory).await?;
            self.metrics().parsed(plan.lines, plan.bad.count());
            let Plan { planned, bad, lines } = plan;
            if lines == 0 {
                return Err(Error::Empty);
            }
            let keeps = write.accept_partial || bad.is_empty();
            let Some(planned) = planned.filter(|_| keeps) else {
                return Ok(Written { position: None, bad, lines });
            };
            if let Some(position) = self.apply(planned, BatchId::default(), write.answer_by).await?
            {
                return Ok(Written { position: Some(position), bad, lines });
            }
        }
        Err(Error::SchemaKeepsChanging(CHECKS_MAX))
    }

    async fn plan(
        self: &Arc<Self>,
        write: &LineWrite,
        now_ns: i64,
        memory: Allowance,
    ) -> Result<Plan, Error> {
        let edge = Arc::clone(self);
        let view = self.view(&write.database);
        let body = write.body.bytes.clone();
        let precision = write.precision;
        let plan = move || {
            let started = edge.deps().clock.monotonic();
            let checks = Checks {
                view: &view,
                limits: &edge.config().limits,
                precision,
                now_ns,
                randomness: &*edge.deps().randomness,
            };
            let plan = plan_lines(checks, &body, memory);
            let time = edge.deps().clock.monotonic().saturating_sub(started);
            edge.metrics().parse_time(time);
            plan
        };
        on_cpu(self.deps().pool.as_ref(), write.body.bytes.len(), plan).await?
    }
}
