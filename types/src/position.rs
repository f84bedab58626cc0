//! The read-your-writes position: what a write returns and a query may carry.

use std::fmt;
use std::str::FromStr;

use crate::id::{Epoch, LogId};
use crate::lsn::Lsn;

/// A place in a log up to which a query wants to see. Opaque to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The log.
    pub log: LogId,
    /// The opening of the log in which the write was acknowledged.
    pub epoch: Epoch,
    /// The last LSN of the write.
    pub lsn: Lsn,
}

/// A text that is not a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a position that a write returned")]
pub struct PositionError;

/// Version of the text form, its first character.
const TEXT_VERSION: &str = "1";

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TEXT_VERSION}.{}.{:x}.{:x}", self.log, self.epoch.get(), self.lsn.get())
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or(PositionError);
        let (version, log, epoch, lsn) = (part()?, part()?, part()?, part()?);
        if version != TEXT_VERSION || part().is_ok() {
            return Err(PositionError);
        }
        let log = uuid::Uuid::try_parse(log).map_err(|_| PositionError)?;
        let number = |hex| u64::from_str_radix(hex, 16).map_err(|_| PositionError);
        Ok(Self {
            log: LogId::from_bytes(log.into_bytes()),
            epoch: Epoch::new(number(epoch)?),
            lsn: Lsn::new(number(lsn)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_is_read_back() {
        let position = Position {
            log: LogId::from_random(1, 2),
            epoch: Epoch::new(3),
            lsn: Lsn::new(1 << 60),
        };
        assert_eq!(position.to_string().parse(), Ok(position));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "1", "2.x.1.1", "1.00000000-0000-0000-0000-000000000000.1.g", "1.a.b.c.d"]
        {
            assert_eq!(text.parse::<Position>(), Err(PositionError), "{text}");
        }
    }
}
