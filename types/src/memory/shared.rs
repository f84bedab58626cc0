//! A reservation for what is shared: the bytes count until the last who has it lets go.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::{MemoryOwner, Reservation};

/// Bytes of something that several hold, such as a chunk that a query still reads when its partition
/// has let go of it. Clones are one reservation. The default accounts for nothing.
#[derive(Clone, Debug, Default)]
pub struct SharedReservation(Option<Arc<Mutex<Reservation>>>);

impl SharedReservation {
    /// Shares `reservation`.
    pub fn new(reservation: Reservation) -> Self {
        Self(Some(Arc::new(Mutex::new(reservation))))
    }

    /// The bytes held, whoever holds them.
    pub fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |shared| shared.lock().bytes())
    }

    /// Has the bytes count as those of `owner`.
    pub fn pass_to(&self, owner: MemoryOwner) {
        if let Some(shared) = &self.0 {
            shared.lock().pass_to(owner);
        }
    }

    /// The same reservation, without keeping it.
    pub fn downgrade(&self) -> WeakReservation {
        WeakReservation(self.0.as_ref().map_or_else(Weak::new, Arc::downgrade))
    }
}

/// A shared reservation that others keep, as long as they do.
#[derive(Clone, Debug, Default)]
pub struct WeakReservation(Weak<Mutex<Reservation>>);

impl WeakReservation {
    /// The reservation, if anybody still has it.
    pub fn upgrade(&self) -> Option<SharedReservation> {
        self.0.upgrade().map(|shared| SharedReservation(Some(shared)))
    }
}
