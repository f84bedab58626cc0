//! Faults on demand, under the feature `faults` only: bugs that are planted, and points at which the
//! process ends.
//!
//! A suite of crash tests that has never failed proves nothing. So the mistakes that it is there to
//! find are in the program, at the places where they would be made, and one of them can be chosen by
//! a switch that is read once at start. Without the feature [`is_planted`] is `false` and [`reach`]
//! does nothing, both at compile time.

mod bug;
mod point;

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

pub use bug::Bug;
pub use point::Point;

/// True if this program was built with the feature.
pub const COMPILED_IN: bool = cfg!(feature = "faults");

/// The one switch of this process.
static SWITCH: OnceLock<Switch> = OnceLock::new();

/// How often the point of [`Switch::End`] has been reached.
static REACHED: AtomicU64 = AtomicU64::new(0);

/// What is switched on, written `bug:<name>` or `end:<name>:<count>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// This bug is planted.
    Plant(Bug),
    /// The process ends, as by `kill -9`, when it reaches this point for the `count`th time, counted
    /// from 1.
    End {
        /// Where.
        point: Point,
        /// At which time.
        count: u64,
    },
}

/// A switch that cannot be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SwitchError {
    /// The text names no switch.
    Unknown(String),
    /// This program was built without the feature `faults`.
    NotCompiledIn,
    /// One was set before.
    AlreadySet,
}

impl fmt::Display for SwitchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(text) => write!(f, "no fault is called {text:?}"),
            Self::NotCompiledIn => f.write_str("this build has no faults to switch on"),
            Self::AlreadySet => f.write_str("a fault is switched on already"),
        }
    }
}

impl std::error::Error for SwitchError {}

impl FromStr for Switch {
    type Err = SwitchError;

    fn from_str(text: &str) -> Result<Self, SwitchError> {
        let unknown = || SwitchError::Unknown(text.to_owned());
        match text.split_once(':') {
            Some(("bug", name)) => Bug::named(name).map(Self::Plant).ok_or_else(unknown),
            Some(("end", rest)) => {
                let (name, count) = rest.split_once(':').unwrap_or((rest, "1"));
                let point = Point::named(name).ok_or_else(unknown)?;
                let count = count.parse().ok().filter(|count| *count > 0).ok_or_else(unknown)?;
                Ok(Self::End { point, count })
            }
            _ => Err(unknown()),
        }
    }
}

/// Sets the switch of this process, once.
///
/// # Errors
///
/// [`SwitchError::NotCompiledIn`] without the feature, [`SwitchError::AlreadySet`] the second time.
pub fn set(switch: Switch) -> Result<(), SwitchError> {
    if !COMPILED_IN {
        return Err(SwitchError::NotCompiledIn);
    }
    SWITCH.set(switch).map_err(|_| SwitchError::AlreadySet)
}

/// True if `bug` is planted in this process.
#[inline]
pub fn is_planted(bug: Bug) -> bool {
    COMPILED_IN && SWITCH.get() == Some(&Switch::Plant(bug))
}

/// Ends the process here if it was asked for.
#[inline]
pub fn reach(point: Point) {
    if !COMPILED_IN {
        return;
    }
    if let Some(Switch::End { point: at, count }) = SWITCH.get()
        && *at == point
        && REACHED.fetch_add(1, Ordering::Relaxed) + 1 == *count
    {
        // As by a kill: nothing is flushed, nothing dropped, no handler runs.
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_read_by_its_name() {
        for bug in Bug::ALL {
            assert_eq!(format!("bug:{}", bug.name()).parse(), Ok(Switch::Plant(bug)));
        }
        for point in Point::ALL {
            let switch = Switch::End { point, count: 3 };
            assert_eq!(format!("end:{}:3", point.name()).parse(), Ok(switch));
        }
        for text in ["", "bug", "bug:", "bug:none", "end:none:1", "end:put-before:0", "kill:1"] {
            assert_eq!(text.parse::<Switch>(), Err(SwitchError::Unknown(text.to_owned())));
        }
    }

    #[test]
    fn names_are_unique() {
        let names = Bug::ALL.map(Bug::name).into_iter().chain(Point::ALL.map(Point::name));
        let distinct: std::collections::BTreeSet<_> = names.clone().collect();
        assert_eq!(distinct.len(), names.count());
    }
}
