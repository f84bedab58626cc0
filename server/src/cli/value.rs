//! Sizes and times with units, as flags take them.

use std::time::Duration;

use bytesize::ByteSize;

/// Reads a size such as `64MiB`, `1.5GB` or `4096`.
pub(crate) fn parse_size(text: &str) -> Result<ByteSize, String> {
    text.parse().map_err(|_| "a size is a number with a unit, such as 64MiB".to_owned())
}

/// A time longer than all that anybody means, and short enough to be added to any moment.
const DURATION_MAX: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Reads a time such as `300s`, `5m` or `1h 30m`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = |error| format!("a time is a number with a unit, such as 300s: {error}");
    let time = humantime::parse_duration(text).map_err(wrong)?;
    if time > DURATION_MAX {
        return Err("a time is at most 100 years".to_owned());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_size(text: &str, expect: Option<u64>) {
        assert_eq!(parse_size(text).ok().map(|size| size.as_u64()), expect, "{text}");
    }

    #[test]
    fn sizes_have_units() {
        check_size("64MiB", Some(64 << 20));
        check_size("64 MiB", Some(64 << 20));
        check_size("4GiB", Some(4 << 30));
        check_size("1.5KiB", Some(1536));
        check_size("1MB", Some(1_000_000));
        check_size("4096", Some(4096));
        check_size("", None);
        check_size("MiB", None);
        check_size("-1MiB", None);
        check_size("64 miles", None);
    }

    #[test]
    fn times_have_units() {
        assert_eq!(parse_duration("300s"), Ok(Duration::from_secs(300)));
        assert_eq!(parse_duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("100years"), Ok(Duration::from_secs(3_155_760_000)));
        for wrong in ["", "300", "soon", "-5s", "101years", "18446744073709551615s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
