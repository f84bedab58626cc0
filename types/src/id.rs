//! Newtypes for every id and count, so that no two can be swapped.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::partition::PartitionKey;

/// Declares a counter-like newtype over `u64` with the same small face everywhere.
macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// The smallest value; nothing real has it unless its documentation says so.
            pub const ZERO: Self = Self(0);

            /// Wraps a raw number.
            pub const fn new(raw: u64) -> Self {
                Self(raw)
            }

            /// The raw number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The next value.
            ///
            /// # Panics
            ///
            /// On overflow of a `u64`, which no run of this program can reach.
            #[must_use]
            pub const fn next(self) -> Self {
                match self.0.checked_add(1) {
                    Some(raw) => Self(raw),
                    None => panic!(concat!(stringify!($name), " overflowed a u64")),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

pub(crate) use counter;

counter! {
    /// Rises when another log takes over a partition; it leads the order of values. 0 for now.
    Term
}
counter! {
    /// Rises at every opening of a log; every frame and every catalog commit carries it.
    Epoch
}
counter! {
    /// The number in a segment's file name; never used twice in one log.
    SegmentSeq
}
counter! {
    /// Rises by one with each catalog commit; an empty catalog has [`CatalogVersion::ZERO`].
    CatalogVersion
}
counter! {
    /// Rises with each change of one table's columns; [`SchemaVersion::ZERO`] is a table that does
    /// not exist yet. Persist commits do not touch it.
    SchemaVersion
}

/// Declares an id drawn at random by whoever creates the thing it names.
///
/// Ids are drawn, not counted, so that a writer can name a new table before it is committed; a
/// conditional commit settles who won.
macro_rules! drawn_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Wraps a raw number.
            pub const fn new(raw: u64) -> Self {
                Self(raw)
            }

            /// The raw number.
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:016x})"), self.0)
            }
        }
    };
}

drawn_id! {
    /// Names a database for ever: dropped and created anew, it gets another.
    DatabaseId
}
drawn_id! {
    /// Names a table for ever: dropped and created anew, it gets another.
    TableId
}

/// Names a partition; derived from its table and key, so that none need be committed to begin one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartitionId(u128);

impl PartitionId {
    /// The id of the partition of `table` with `key`: the first 16 bytes of
    /// SHA-256(table id, big endian ‖ key), so that no client can craft two that meet.
    pub fn of(table: TableId, key: &PartitionKey) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(table.get().to_be_bytes());
        hasher.update(key.as_str().as_bytes());
        let digest = hasher.finalize();
        let mut head = [0; 16];
        head.copy_from_slice(&digest[..16]);
        Self(u128::from_be_bytes(head))
    }

    /// The raw number.
    pub const fn get(self) -> u128 {
        self.0
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartitionId({self})")
    }
}

/// Declares a 16-byte identity.
macro_rules! sixteen_bytes {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps the raw bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// A version 4 identity from two random numbers.
            pub const fn from_random(high: u64, low: u64) -> Self {
                let raw = ((high as u128) << 64) | low as u128;
                Self(uuid::Builder::from_random_bytes(raw.to_be_bytes()).into_uuid())
            }

            /// The raw bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// True for sixteen zero bytes, which stand for "none".
            pub const fn is_nil(&self) -> bool {
                self.0.is_nil()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

sixteen_bytes! {
    /// Identifies one log; each of its segments says to which log it belongs.
    LogId
}
sixteen_bytes! {
    /// A client's own id of a request, carried in its frame; nil where it gave none.
    BatchId
}
sixteen_bytes! {
    /// The name of one Parquet file; an attempt to write it anew draws another.
    FileId
}
sixteen_bytes! {
    /// Names a catalog command, so that one that is sent twice is applied once.
    RequestId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partition_ids_depend_on_table_and_key() {
        let key = PartitionKey::of_time(0);
        let other_day = PartitionKey::of_time(86_400_000_000_000);
        let id = PartitionId::of(TableId::new(1), &key);
        assert_eq!(id, PartitionId::of(TableId::new(1), &key));
        assert_ne!(id, PartitionId::of(TableId::new(2), &key));
        assert_ne!(id, PartitionId::of(TableId::new(1), &other_day));
    }

    #[test]
    fn identities_print_as_uuids() {
        let id = FileId::from_random(1, 2);
        assert_eq!(id.to_string().len(), 36);
        assert!(!id.is_nil());
        assert!(BatchId::default().is_nil());
    }
}
