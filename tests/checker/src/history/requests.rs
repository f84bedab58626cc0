//! Requests, and by when they took effect if they did.

use crate::event::Outcome;

/// Nothing on the logical clock is later.
pub(crate) const NEVER: u64 = u64::MAX;

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) invoke: u64,
    pub(crate) end: Option<(u64, Outcome)>,
    /// Its writes: the register's number, and the write's number there.
    pub(crate) writes: Vec<(u32, u32)>,
    pub(crate) rows: u64,
    /// Some value that only it wrote was seen.
    pub(crate) seen: bool,
}

/// All requests, and the crashes that ended some of them.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    pub(super) list: Vec<Request>,
    /// In the order of time.
    pub(super) crashes: Vec<u64>,
}

impl Requests {
    pub(crate) fn get(&self, op: u32) -> &Request {
        &self.list[op as usize]
    }

    pub(super) fn get_mut(&mut self, op: u32) -> &mut Request {
        &mut self.list[op as usize]
    }

    pub(crate) fn is_acked(&self, op: u32) -> bool {
        self.acked_before(op, NEVER)
    }

    /// True if `op` was acknowledged before `time`.
    pub(crate) fn acked_before(&self, op: u32, time: u64) -> bool {
        matches!(self.get(op).end, Some((end, Outcome::Acked)) if end < time)
    }

    pub(crate) fn is_rejected(&self, op: u32) -> bool {
        matches!(self.get(op).end, Some((_, Outcome::Rejected)))
    }

    /// The time after which `op` does not take effect any more.
    pub(crate) fn bound(&self, op: u32) -> u64 {
        let request = self.get(op);
        if let Some((end, Outcome::Acked)) = request.end {
            return end;
        }
        let crash = self.crashes.partition_point(|crash| *crash < request.invoke);
        self.crashes.get(crash).copied().unwrap_or(NEVER)
    }
}
