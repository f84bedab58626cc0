//! Partition keys: the UTC day of `time`.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Nanoseconds of a day.
pub const DAY_NS: i64 = 86_400_000_000_000;

/// The key that all rows of a partition share: their UTC day, as `2013-01-31`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartitionKey(Arc<str>);

impl PartitionKey {
    /// The key of the day of `time_ns`.
    pub fn of_time(time_ns: i64) -> Self {
        Self::of_day(day_of(time_ns))
    }

    /// The key of the day that is `day` days after 1970-01-01.
    pub fn of_day(day: i64) -> Self {
        let (year, month, day) = civil_from_days(day);
        Self(Arc::from(format!("{year:04}-{month:02}-{day:02}")))
    }

    /// A key as it was stored.
    pub fn from_stored(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The text of the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The day of `time_ns` as days after 1970-01-01, by which rows are gathered before a key is made.
pub const fn day_of(time_ns: i64) -> i64 {
    time_ns.div_euclid(DAY_NS)
}

/// The proleptic Gregorian date of a day number.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
const fn civil_from_days(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(time_ns: i64, day: &str) {
        assert_eq!(PartitionKey::of_time(time_ns).as_str(), day);
    }

    #[test]
    fn keys_are_utc_days() {
        check(0, "1970-01-01");
        check(-1, "1969-12-31");
        check(1_357_020_000_000_000_000, "2013-01-01");
        check(951_782_399_999_999_999, "2000-02-28");
        check(951_782_400_000_000_000, "2000-02-29");
        check(i64::MIN, "1677-09-21");
        check(i64::MAX, "2262-04-11");
    }
}
