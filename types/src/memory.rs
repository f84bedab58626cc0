//! One memory budget: bytes are reserved before they are used, and given back by being dropped.

mod shared;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

pub use shared::{SharedReservation, WeakReservation};

/// Who holds reserved bytes; a label of the metric that accounts for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemoryOwner {
    /// A request whose body is read, inflated or parsed.
    Request,
    /// Rows in the buffer tree.
    Buffer,
    /// A persist job that sorts and encodes.
    Persist,
    /// A running query.
    Query,
}

impl MemoryOwner {
    /// All owners, in the order of their metric.
    pub const ALL: [Self; 4] = [Self::Request, Self::Buffer, Self::Persist, Self::Query];

    /// The owner's name in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Buffer => "buffer",
            Self::Persist => "persist",
            Self::Query => "query",
        }
    }
}

/// Called with whoever held bytes until now, and how many: who waits for room can look again.
type ReleaseListener = Box<dyn Fn(MemoryOwner, u64) + Send + Sync>;

/// The bytes that this process may account for, and who has them.
pub struct MemoryBudget {
    limit: u64,
    used: [AtomicU64; MemoryOwner::ALL.len()],
    total: AtomicU64,
    /// The most that `total` ever was.
    high_water: AtomicU64,
    /// What requests may grow to, the buffer included.
    writes_max: AtomicU64,
    on_release: RwLock<Option<ReleaseListener>>,
}

impl MemoryBudget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: Default::default(),
            total: AtomicU64::new(0),
            high_water: AtomicU64::new(0),
            writes_max: AtomicU64::new(limit),
            on_release: RwLock::new(None),
        })
    }

    /// The limit in bytes.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes that queries may use, with what they keep alive in the buffer: a quarter.
    pub const fn query_share(&self) -> u64 {
        self.limit / 4
    }

    /// The bytes that all owners hold.
    pub fn used(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// The most bytes that all owners ever held at once.
    pub fn high_water(&self) -> u64 {
        self.high_water.load(Ordering::Relaxed)
    }

    /// The bytes that `owner` holds.
    pub fn used_by(&self, owner: MemoryOwner) -> u64 {
        self.used[owner as usize].load(Ordering::Relaxed)
    }

    /// The bytes that requests and the buffer hold.
    pub fn used_by_writes(&self) -> u64 {
        self.used_by(MemoryOwner::Request) + self.used_by(MemoryOwner::Buffer)
    }

    /// Has requests grow no further than until they and the buffer hold `bytes`, so that the floors
    /// of persist jobs and queries stay free.
    pub fn limit_writes_to(&self, bytes: u64) {
        self.writes_max.store(bytes, Ordering::Relaxed);
    }

    /// Has `listener` called after bytes were given back or passed on, with who held them until
    /// then and how many. There is one listener.
    pub fn on_release(&self, listener: impl Fn(MemoryOwner, u64) + Send + Sync + 'static) {
        *self.on_release.write() = Some(Box::new(listener));
    }

    /// Reserves `bytes` for `owner`, or nothing at all if they do not fit.
    pub fn try_reserve(self: &Arc<Self>, owner: MemoryOwner, bytes: u64) -> Option<Reservation> {
        self.try_take(owner, bytes).then(|| Reservation { budget: Arc::clone(self), owner, bytes })
    }

    /// Accounts for `bytes` that are there already, over the limit if need be: replay and persist
    /// never wait for memory that only they can free.
    pub fn reserve_anyway(self: &Arc<Self>, owner: MemoryOwner, bytes: u64) -> Reservation {
        let before = self.total.fetch_add(bytes, Ordering::Relaxed);
        self.note_taken(owner, before, bytes);
        Reservation { budget: Arc::clone(self), owner, bytes }
    }

    fn try_take(&self, owner: MemoryOwner, bytes: u64) -> bool {
        if owner == MemoryOwner::Request && !self.has_room_for_writes(bytes) {
            return false;
        }
        // Relaxed: the counters guard a quantity, not other memory.
        let taken = self.total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |total| {
            total.checked_add(bytes).filter(|sum| *sum <= self.limit)
        });
        if let Ok(before) = taken {
            self.note_taken(owner, before, bytes);
        }
        taken.is_ok()
    }

    fn note_taken(&self, owner: MemoryOwner, total_before: u64, bytes: u64) {
        self.used[owner as usize].fetch_add(bytes, Ordering::Relaxed);
        let total = total_before + bytes;
        // Most are below it, and need not write what all share.
        if total > self.high_water() {
            self.high_water.fetch_max(total, Ordering::Relaxed);
        }
    }

    /// Requests that ask at once may pass it together by a step each; the limit itself holds.
    fn has_room_for_writes(&self, bytes: u64) -> bool {
        let sum = self.used_by_writes().checked_add(bytes);
        sum.is_some_and(|sum| sum <= self.writes_max.load(Ordering::Relaxed))
    }

    fn give_back(&self, owner: MemoryOwner, bytes: u64) {
        if bytes == 0 {
            return;
        }
        self.used[owner as usize].fetch_sub(bytes, Ordering::Relaxed);
        self.total.fetch_sub(bytes, Ordering::Relaxed);
        self.announce(owner, bytes);
    }

    fn announce(&self, owner: MemoryOwner, bytes: u64) {
        if let Some(listener) = &*self.on_release.read() {
            listener(owner, bytes);
        }
    }
}

impl fmt::Debug for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBudget")
            .field("limit", &self.limit)
            .field("used", &self.used())
            .finish_non_exhaustive()
    }
}

/// Reserved bytes; they travel with what they are reserved for and are given back on drop.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<MemoryBudget>,
    owner: MemoryOwner,
    bytes: u64,
}

impl Reservation {
    /// The bytes held.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// True if `more` bytes could be had once nobody else holds any.
    pub fn could_grow(&self, more: u64) -> bool {
        let max = match self.owner {
            MemoryOwner::Request => self.budget.writes_max.load(Ordering::Relaxed),
            _ => self.budget.limit,
        };
        self.bytes.checked_add(more).is_some_and(|sum| sum <= max.min(self.budget.limit))
    }

    /// Holds `more` bytes, or stays as it is and says no.
    #[must_use]
    pub fn try_grow(&mut self, more: u64) -> bool {
        let grown = self.budget.try_take(self.owner, more);
        if grown {
            self.bytes += more;
        }
        grown
    }

    /// Gives back all but `bytes`; does nothing if less is held.
    pub fn shrink_to(&mut self, bytes: u64) {
        if bytes < self.bytes {
            self.budget.give_back(self.owner, self.bytes - bytes);
            self.bytes = bytes;
        }
    }

    /// Holds exactly `bytes` from now on, over the limit if need be: for what is in memory anyway.
    pub fn set_anyway(&mut self, bytes: u64) {
        if bytes > self.bytes {
            let more = self.budget.reserve_anyway(self.owner, bytes - self.bytes);
            self.merge(more);
        } else {
            self.shrink_to(bytes);
        }
    }

    /// Accounts in the same budget for `bytes` of `owner` that are in memory anyway.
    #[must_use]
    pub fn beside(&self, owner: MemoryOwner, bytes: u64) -> Self {
        self.budget.reserve_anyway(owner, bytes)
    }

    /// Takes `bytes` (or as many as there are) out into a reservation of their own.
    #[must_use]
    pub fn split(&mut self, bytes: u64) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { budget: Arc::clone(&self.budget), owner: self.owner, bytes }
    }

    /// Adds `other` to this reservation; both must be of one budget.
    pub fn merge(&mut self, mut other: Self) {
        debug_assert!(Arc::ptr_eq(&self.budget, &other.budget), "reservations of two budgets");
        let bytes = std::mem::take(&mut other.bytes);
        self.budget.used[other.owner as usize].fetch_sub(bytes, Ordering::Relaxed);
        self.budget.used[self.owner as usize].fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
    }

    /// The same bytes in the hands of `owner`.
    #[must_use]
    pub fn transfer(mut self, owner: MemoryOwner) -> Self {
        self.pass_to(owner);
        self
    }

    fn pass_to(&mut self, owner: MemoryOwner) {
        let before = self.owner;
        self.budget.used[before as usize].fetch_sub(self.bytes, Ordering::Relaxed);
        self.budget.used[owner as usize].fetch_add(self.bytes, Ordering::Relaxed);
        self.owner = owner;
        // Who waits for room for writes may find it now.
        self.budget.announce(before, self.bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.give_back(self.owner, self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn bytes_are_never_promised_twice() {
        let budget = MemoryBudget::new(100);
        let mut first = budget.try_reserve(MemoryOwner::Request, 60).expect("there is room");
        assert!(budget.try_reserve(MemoryOwner::Request, 41).is_none());
        assert!(first.try_grow(40));
        assert!(!first.try_grow(1));
        assert!(!first.try_grow(u64::MAX), "a sum over u64 is refused, not wrapped");
        drop(first);
        assert_eq!((budget.used(), budget.high_water()), (0, 100));
        drop(budget.reserve_anyway(MemoryOwner::Persist, 101));
        assert_eq!((budget.used(), budget.high_water()), (0, 101), "what is over it shows, too");
    }

    #[test]
    fn bytes_move_between_owners_and_none_is_lost() {
        let budget = MemoryBudget::new(100);
        let mut request = budget.try_reserve(MemoryOwner::Request, 50).expect("there is room");
        let part = request.split(20).transfer(MemoryOwner::Buffer);
        assert_eq!(budget.used_by(MemoryOwner::Request), 30);
        assert_eq!(budget.used_by(MemoryOwner::Buffer), 20);
        request.merge(part);
        assert_eq!((request.bytes(), budget.used_by(MemoryOwner::Buffer)), (50, 0));
        request.set_anyway(120);
        assert_eq!(budget.used(), 120);
        request.shrink_to(10);
        drop(request);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn requests_do_not_grow_into_the_floors_of_others() {
        let budget = MemoryBudget::new(100);
        budget.limit_writes_to(50);
        let mut request = budget.try_reserve(MemoryOwner::Request, 20).expect("there is room");
        let buffered = budget.reserve_anyway(MemoryOwner::Buffer, 20);
        assert!(!request.try_grow(11));
        assert!(request.try_grow(10));
        assert!(budget.try_reserve(MemoryOwner::Query, 50).is_some());
        drop(buffered);
        assert!(request.try_grow(20));
    }

    #[test]
    fn shared_bytes_count_until_the_last_holder_lets_go() {
        let budget = MemoryBudget::new(100);
        let reserved = budget.try_reserve(MemoryOwner::Buffer, 30).expect("there is room");
        let partition = SharedReservation::new(reserved);
        let reader = partition.clone();
        partition.pass_to(MemoryOwner::Query);
        drop(partition);
        assert_eq!((budget.used_by(MemoryOwner::Query), reader.bytes()), (30, 30));
        drop(reader);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_release_is_announced_with_who_held_it() {
        let budget = MemoryBudget::new(10);
        let told = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&told);
        budget.on_release(move |owner, bytes| seen.lock().push((owner, bytes)));
        drop(budget.try_reserve(MemoryOwner::Query, 5));
        let buffered = budget.try_reserve(MemoryOwner::Buffer, 7).expect("there is room");
        let read = buffered.transfer(MemoryOwner::Query);
        drop(read);
        let (query, buffer) = (MemoryOwner::Query, MemoryOwner::Buffer);
        assert_eq!(*told.lock(), [(query, 5), (buffer, 7), (query, 7)]);
    }
}
