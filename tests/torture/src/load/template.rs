//! The text of a request, made once: a copy of it becomes any request by writing numbers into it.

use std::fmt::Write;

/// The first request; all have numbers with as many digits.
pub(super) const FIRST_REQUEST: u64 = 1_000_000;

const SERIES: u64 = 50;
/// 2020-01-01.
const EPOCH_SECONDS: u64 = 1_577_836_800;
const DAY_SECONDS: u64 = 86_400;
const NANOS: u64 = 1_000_000_000;
/// Requests go round these days, so that no partition gets very large.
const DAYS: u64 = 10;

/// Where the number of the request and the time are written.
const REQUEST_PLACE: &str = "0000000";
const TIME_PLACE: &str = "0000000000000000000";

/// The text, and where numbers stand in it.
#[derive(Debug)]
pub(super) struct Template {
    text: Vec<u8>,
    /// Of each row: where the number of its request begins, and where its time does.
    places: Vec<(usize, usize)>,
}

impl Template {
    /// A request of so many rows.
    pub(super) fn new(rows: u64) -> Self {
        let (mut text, mut places) = (String::new(), Vec::new());
        for row in 0..rows {
            // Text in memory takes all that is written to it.
            let _ = write!(text, "samples,host=h{} request=", row % SERIES);
            let request = text.len();
            text.push_str(REQUEST_PLACE);
            text.push('i');
            for field in 0..10 {
                let _ = write!(text, ",f{field}={}", value(row, field));
            }
            text.push(' ');
            places.push((request, text.len()));
            text.push_str(TIME_PLACE);
            text.push('\n');
        }
        Self { text: text.into_bytes(), places }
    }

    pub(super) fn rows(&self) -> u64 {
        self.places.len() as u64
    }

    /// The text of a request. Only its number and its times are its own.
    pub(super) fn body(&self, request: u64) -> Vec<u8> {
        let mut text = self.text.clone();
        let begun = (EPOCH_SECONDS + request % DAYS * DAY_SECONDS) * NANOS;
        let first = request.saturating_sub(FIRST_REQUEST) * self.rows();
        for (number, (at, time_at)) in (first..).zip(&self.places) {
            write_digits(&mut text[*at..*at + REQUEST_PLACE.len()], request);
            write_digits(&mut text[*time_at..*time_at + TIME_PLACE.len()], begun + number * 1_000);
        }
        text
    }
}

/// Ten fields of a row that no encoding makes small, as measured values are.
fn value(row: u64, field: u64) -> f64 {
    let mixed = (row * 10 + field + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed as f64 / u64::MAX as f64 * 100.0
}

/// Writes a number over all of `place`, with zeros before it.
fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(template: &Template, request: u64) -> String {
        String::from_utf8(template.body(request)).expect("is text")
    }

    #[test]
    fn each_row_of_each_request_is_a_point_of_its_own() {
        let template = Template::new(120);
        let text = lines(&template, FIRST_REQUEST) + &lines(&template, FIRST_REQUEST + 1);
        let mut points: Vec<_> = text
            .lines()
            .map(|line| {
                let (rest, time) = line.rsplit_once(' ').expect("has a time");
                (rest.split(' ').next().map(str::to_owned), time.to_owned())
            })
            .collect();
        assert_eq!(points.len(), 240);
        points.sort();
        points.dedup();
        assert_eq!(points.len(), 240);
    }

    #[test]
    fn numbers_are_written_where_they_belong() {
        let template = Template::new(2);
        let text = lines(&template, FIRST_REQUEST + 13);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("samples,host=h0 request=1000013i,f0="), "{text}");
        // The fourth day, and so many rows were sent before.
        assert!(lines[0].ends_with(" 1578096000000026000"), "{text}");
        assert!(lines[1].ends_with(" 1578096000000027000"), "{text}");
    }
}
