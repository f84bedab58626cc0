//! Splitting and parsing, against the words of the format and against the parser's own splitter.

use proptest::prelude::*;

use super::*;

/// Splits `body` and compares with lines as `number:text`.
fn check(body: &str, expected: &[&str]) {
    let lines: Vec<String> = split(body.as_bytes())
        .map(|line| format!("{}:{}", line.number, String::from_utf8_lossy(line.bytes)))
        .collect();
    assert_eq!(lines, expected, "{body:?}");
}

#[test]
fn comments_and_blank_lines_are_skipped_and_counted() {
    check("", &[]);
    check("\n \t\n# only = \"a comment\n", &[]);
    check("a v=1\n\n#x\n  b v=1\n", &["1:a v=1", "4:b v=1"]);
    check("# it\"s = \"open\na v=1", &["2:a v=1"]);
    check("a v=1\r\n\r\nb v=2\r\n", &["1:a v=1", "3:b v=2"]);
}

#[test]
fn a_newline_inside_a_string_does_not_end_the_line() {
    check("a s=\"x\ny\"\nb v=1", &["1:a s=\"x\ny\"", "3:b v=1"]);
    check("a s=\"x\\\"\ny\"\nb v=1", &["1:a s=\"x\\\"\ny\"", "3:b v=1"]);
    check("a,t=\"x\nb v=1", &["1:a,t=\"x", "2:b v=1"]);
}

#[test]
fn an_unclosed_string_takes_the_rest_of_the_body() {
    check("a v=1\nb s=\"x\nc v=1\n", &["1:a v=1", "2:b s=\"x\nc v=1\n"]);
}

#[test]
fn values_have_their_types() {
    let line =
        Line::parse("m\\ 1,a\\,b=x\\ y i=-1i,u=18446744073709551615u,f=1.5e3,b=T,s=\"q\\\"\" 7");
    let line = line.expect("a good line");
    assert_eq!(line.table(), "m 1");
    assert_eq!(line.tags().collect::<Vec<_>>(), [("a,b", "x y")]);
    assert_eq!(
        line.fields().collect::<Vec<_>>(),
        [
            ("i", FieldValue::I64(-1)),
            ("u", FieldValue::U64(u64::MAX)),
            ("f", FieldValue::F64(1_500.0)),
            ("b", FieldValue::Bool(true)),
            ("s", FieldValue::Utf8("q\"")),
        ]
    );
    assert_eq!(line.timestamp(), Some(7));
}

/// Bodies made of the characters that mean something, and a few that do not.
fn body() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            Just(' '),
            Just('\n'),
            Just('"'),
            Just('\\'),
            Just('='),
            Just(','),
            Just('#'),
            Just('1'),
            Just('i'),
            Just('a'),
            Just('ü'),
            any::<char>(),
        ],
        0..80,
    )
    .prop_map(String::from_iter)
}

fn without_indents(text: &str) -> String {
    let mut kept = String::new();
    for next in text.chars() {
        let at_start = kept.is_empty() || kept.ends_with('\n');
        if !(at_start && matches!(next, ' ' | '\t')) {
            kept.push(next);
        }
    }
    kept
}

proptest! {
    #[test]
    fn b20_no_bytes_make_splitter_or_parser_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        text in body(),
    ) {
        for input in [bytes.as_slice(), text.as_bytes()] {
            let mut last_number = 0;
            for line in split(input) {
                prop_assert!(line.number > last_number);
                last_number = line.number;
                if let Ok(line) = std::str::from_utf8(line.bytes) {
                    let _ = Line::parse(line);
                }
            }
        }
    }

    /// Without comments, carriage returns and indented lines, whose handling differs on purpose,
    /// lines are the same as those of the parser's splitter.
    #[test]
    fn lines_are_those_of_the_reference(text in body()) {
        let text = without_indents(&text.replace(['#', '\r'], "a"));
        let ours: Vec<&[u8]> = split(text.as_bytes()).map(|line| line.bytes).collect();
        let blank = [' ', '\t', '\n'];
        let reference: Vec<&[u8]> = influxdb_line_protocol::split_lines(&text)
            .map(|line| line.trim_start_matches(blank).as_bytes())
            .filter(|line| !line.is_empty())
            .collect();
        prop_assert_eq!(ours, reference);
    }
}
