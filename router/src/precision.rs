//! What a timestamp counts, in the words of each generation of the write API.

const NS_PER_US: i64 = 1_000;
const NS_PER_MS: i64 = 1_000_000;
const NS_PER_S: i64 = 1_000_000_000;

/// Below this distance from 1970 a number counts seconds (until 2128), below a thousand times it
/// milliseconds, below a million times it microseconds: the thresholds of InfluxDB 3.
const AUTO_SECONDS_BELOW: u64 = 5_000_000_000;

/// What a timestamp counts since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    /// Each timestamp's magnitude tells.
    Auto,
    /// Nanoseconds.
    Nanosecond,
    /// Microseconds.
    Microsecond,
    /// Milliseconds.
    Millisecond,
    /// Seconds.
    Second,
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
}

impl Precision {
    /// The precision that `/api/v3/write_lp` calls `text`; without one, `auto`.
    pub(crate) fn of_v3(text: Option<&str>) -> Option<Self> {
        match text.unwrap_or("auto") {
            "auto" => Some(Self::Auto),
            "nanosecond" | "ns" => Some(Self::Nanosecond),
            "microsecond" | "us" => Some(Self::Microsecond),
            "millisecond" | "ms" => Some(Self::Millisecond),
            "second" | "s" => Some(Self::Second),
            _ => None,
        }
    }

    /// The precision that `/api/v2/write` calls `text`; without one, nanoseconds.
    pub(crate) fn of_v2(text: Option<&str>) -> Option<Self> {
        match text.unwrap_or("ns") {
            "ns" => Some(Self::Nanosecond),
            "us" => Some(Self::Microsecond),
            "ms" => Some(Self::Millisecond),
            "s" => Some(Self::Second),
            _ => None,
        }
    }

    /// The precision that `/write` calls `text`; without one, nanoseconds.
    pub(crate) fn of_v1(text: Option<&str>) -> Option<Self> {
        match text.unwrap_or("n") {
            "n" | "ns" => Some(Self::Nanosecond),
            "u" | "us" | "µ" => Some(Self::Microsecond),
            "ms" => Some(Self::Millisecond),
            "s" => Some(Self::Second),
            "m" => Some(Self::Minute),
            "h" => Some(Self::Hour),
            _ => None,
        }
    }

    /// `timestamp` in nanoseconds, if it lies between 1677-09-21 and 2262-04-11.
    pub(crate) fn to_ns(self, timestamp: i64) -> Option<i64> {
        let unit = match self {
            Self::Auto => Self::guess(timestamp),
            precision => precision,
        };
        timestamp.checked_mul(unit.nanoseconds())
    }

    const fn nanoseconds(self) -> i64 {
        match self {
            Self::Auto | Self::Nanosecond => 1,
            Self::Microsecond => NS_PER_US,
            Self::Millisecond => NS_PER_MS,
            Self::Second => NS_PER_S,
            Self::Minute => 60 * NS_PER_S,
            Self::Hour => 3_600 * NS_PER_S,
        }
    }

    const fn guess(timestamp: i64) -> Self {
        let distance = timestamp.unsigned_abs();
        if distance < AUTO_SECONDS_BELOW {
            Self::Second
        } else if distance < AUTO_SECONDS_BELOW * 1_000 {
            Self::Millisecond
        } else if distance < AUTO_SECONDS_BELOW * 1_000_000 {
            Self::Microsecond
        } else {
            Self::Nanosecond
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(precision: Option<Precision>, timestamp: i64, ns: Option<i64>) {
        let precision = precision.expect("a known word");
        assert_eq!(precision.to_ns(timestamp), ns, "{timestamp} as {precision:?}");
    }

    #[test]
    fn the_magnitude_tells_the_unit() {
        let auto = Precision::of_v3(None);
        for sign in [1, -1] {
            check(auto, sign * 4_999_999_999, Some(sign * 4_999_999_999 * NS_PER_S));
            check(auto, sign * 5_000_000_000, Some(sign * 5_000_000_000 * NS_PER_MS));
            check(auto, sign * 4_999_999_999_999, Some(sign * 4_999_999_999_999 * NS_PER_MS));
            check(auto, sign * 5_000_000_000_000, Some(sign * 5_000_000_000_000 * NS_PER_US));
            check(
                auto,
                sign * 4_999_999_999_999_999,
                Some(sign * 4_999_999_999_999_999 * NS_PER_US),
            );
            check(auto, sign * 5_000_000_000_000_000, Some(sign * 5_000_000_000_000_000));
        }
        check(auto, i64::MIN, Some(i64::MIN));
        check(auto, i64::MAX, Some(i64::MAX));
    }

    #[test]
    fn each_generation_has_its_words() {
        for (word, ns) in [("ns", 7), ("us", 7_000), ("ms", 7_000_000), ("s", 7_000_000_000)] {
            check(Precision::of_v3(Some(word)), 7, Some(ns));
            check(Precision::of_v2(Some(word)), 7, Some(ns));
        }
        for (word, ns) in [
            ("n", 7),
            ("u", 7_000),
            ("ms", 7_000_000),
            ("s", 7_000_000_000),
            ("m", 420_000_000_000),
            ("h", 25_200_000_000_000),
        ] {
            check(Precision::of_v1(Some(word)), 7, Some(ns));
        }
        for (word, ns) in [
            ("nanosecond", 7),
            ("microsecond", 7_000),
            ("millisecond", 7_000_000),
            ("second", 7_000_000_000),
            ("auto", 7_000_000_000),
        ] {
            check(Precision::of_v3(Some(word)), 7, Some(ns));
        }
        check(Precision::of_v2(None), 7, Some(7));
        check(Precision::of_v1(None), 7, Some(7));
        assert_eq!(Precision::of_v2(Some("auto")), None);
        assert_eq!(Precision::of_v3(Some("h")), None);
        assert_eq!(Precision::of_v1(Some("d")), None);
    }

    #[test]
    fn what_leaves_the_range_of_time_is_refused() {
        check(Precision::of_v2(Some("s")), 9_223_372_036, Some(9_223_372_036_000_000_000));
        check(Precision::of_v2(Some("s")), 9_223_372_037, None);
        check(Precision::of_v1(Some("h")), -2_562_048, None);
    }
}
