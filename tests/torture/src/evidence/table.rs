//! Tables in Markdown, and numbers for people.

/// A table. A heading that ends with a colon has numbers below it, which stand at the right.
pub(super) fn table(headings: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = String::from("|");
    for heading in headings {
        text.push_str(&format!(" {} |", heading.trim_end_matches(':')));
    }
    text.push_str("\n|");
    for heading in headings {
        text.push_str(if heading.ends_with(':') { "--:|" } else { "---|" });
    }
    text.push('\n');
    for row in rows {
        text.push('|');
        for cell in row {
            let cell = cell.replace('\n', " ").replace('|', "\\|");
            text.push_str(&format!(" {cell} |"));
        }
        text.push('\n');
    }
    text
}

/// A count, with a comma before each three digits.
pub(super) fn whole(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A measured number, with as many digits as say something.
pub(super) fn measured(number: f64) -> String {
    match number.abs() {
        100.0.. => whole(number.abs().round() as u64),
        10.0.. => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// Bytes in MiB.
pub(super) fn mib(bytes: u64) -> String {
    measured(bytes as f64 / (1_u64 << 20) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_row() {
        let text = table(&["what", "count:"], [vec!["a|b".to_owned(), whole(1_234_567)]]);
        assert_eq!(text, "| what | count |\n|---|--:|\n| a\\|b | 1,234,567 |\n");
    }

    #[test]
    fn numbers_have_the_digits_that_say_something() {
        let texts = [0.123, 12.34, 1_234.5].map(measured);
        assert_eq!(texts, ["0.12", "12.3", "1,235"].map(str::to_owned));
        assert_eq!((whole(0), whole(999), mib(3 << 19)), ("0".into(), "999".into(), "1.50".into()));
    }
}
