//! Bytes that grow no further than a limit and a reservation let them.

use std::time::Duration;

use bytes::Bytes;
use types::Reservation;

use super::WriteBody;
use crate::error::Error;

/// Bytes that are read or inflated, and the memory that covers their room.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    memory: Reservation,
    /// What the same request holds in other reservations.
    beside: u64,
    /// How the error calls what is too large.
    state: &'static str,
    limit: u64,
}

impl Buffer {
    pub(super) const fn new(memory: Reservation, state: &'static str, limit: u64) -> Self {
        Self { bytes: Vec::new(), memory, beside: 0, state, limit }
    }

    /// The same request holds so much elsewhere: it counts when a request is told that it can never
    /// fit.
    pub(super) const fn has_beside(&mut self, bytes: u64) {
        self.beside = bytes;
    }

    pub(super) const fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) const fn memory_bytes(&self) -> u64 {
        self.memory.bytes()
    }

    /// All is here: gives back what was reserved for more, and makes a reservation of nothing for
    /// what comes next.
    pub(super) fn complete(&mut self) -> Reservation {
        self.memory.shrink_to(self.bytes.capacity() as u64);
        self.memory.split(0)
    }

    /// Adds bytes. Memory for them is had by `take`, which says whether it was.
    pub(super) fn extend(
        &mut self,
        more: &[u8],
        take: impl Fn(&mut Reservation, u64) -> bool,
    ) -> Result<(), Error> {
        let needed = self.bytes.len() as u64 + more.len() as u64;
        if needed > self.limit {
            return Err(Error::BodyTooLarge { state: self.state, limit: self.limit });
        }
        if needed > self.bytes.capacity() as u64 {
            // Twice as many if they can be had, so that copying what is there stays cheap.
            let wished = needed.saturating_mul(2).min(self.limit);
            let grown = self.grow_to(wished, &take) || self.grow_to(needed, &take);
            grown.then_some(()).ok_or_else(|| self.no_memory(needed))?;
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    /// Makes room for `needed` bytes altogether, at once and for no more.
    pub(super) fn make_room(
        &mut self,
        needed: u64,
        take: impl Fn(&mut Reservation, u64) -> bool,
    ) -> Result<(), Error> {
        let grown = needed <= self.bytes.capacity() as u64 || self.grow_to(needed, &take);
        grown.then_some(()).ok_or_else(|| self.no_memory(needed))
    }

    /// Has room for `capacity` bytes if there is memory for them.
    fn grow_to(&mut self, capacity: u64, take: &impl Fn(&mut Reservation, u64) -> bool) -> bool {
        let missing = capacity.saturating_sub(self.memory.bytes());
        let covered = missing == 0 || take(&mut self.memory, missing);
        if covered {
            let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        covered
    }

    fn no_memory(&self, needed: u64) -> Error {
        let missing = needed.saturating_sub(self.memory.bytes());
        Error::no_memory(&self.memory, self.beside, missing)
    }

    /// The bytes and the memory that they occupy, which is no more than that.
    pub(super) fn into_parts(mut self) -> (Bytes, Reservation) {
        // Cut off in place: what doubling took too much is wanted for the rows.
        self.bytes.shrink_to_fit();
        self.memory.shrink_to(self.bytes.capacity() as u64);
        (Bytes::from(self.bytes), self.memory)
    }

    pub(super) fn finish(self, sent_in: Duration) -> WriteBody {
        let (bytes, memory) = self.into_parts();
        WriteBody { bytes, memory, sent_in }
    }
}
