//! Takes tags without a value out of a line: an empty tag and an absent one are the same, but the
//! parser refuses the empty one.
//!
//! ```text
//!   measurement,tag=value,empty= field=1i
//!                        └──────┘ is taken out
//! ```

/// `line` without its empty tags; nothing if it has none.
///
/// Only for a line that the parser has refused: it takes none that has an empty tag.
pub(crate) fn without_empty_tags(line: &str) -> Option<String> {
    let bytes = line.as_bytes();
    let mut kept = String::new();
    let mut kept_to = 0;
    let mut at = end_of(bytes, 0, |byte| byte == b',');
    while bytes.get(at) == Some(&b',') {
        let equals = end_of(bytes, at + 1, |byte| byte == b'=');
        if bytes.get(equals) != Some(&b'=') {
            break;
        }
        let end = end_of(bytes, equals + 1, |byte| byte == b',');
        let (has_name, is_empty) = (equals > at + 1, end == equals + 1);
        if has_name && is_empty {
            kept.push_str(&line[kept_to..at]);
            kept_to = end;
        }
        at = end;
    }
    (kept_to > 0).then(|| kept + &line[kept_to..])
}

/// Where the part that begins at `from` ends: at a byte of its own, or where all tags end.
fn end_of(bytes: &[u8], from: usize, is_end: impl Fn(u8) -> bool) -> usize {
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            // A backslash takes the meaning from whatever is next.
            b'\\' => at += 2,
            b' ' | b'\t' | b'\n' => break,
            byte if is_end(*byte) => break,
            _ => at += 1,
        }
    }
    at.min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, without: Option<&str>) {
        assert_eq!(without_empty_tags(line).as_deref(), without, "{line:?}");
    }

    #[test]
    fn empty_tags_are_taken_out_wherever_they_stand() {
        check("m,t= f=1", Some("m f=1"));
        check("m,t=,u=1 f=1 5", Some("m,u=1 f=1 5"));
        check("m,u=1,t= f=1", Some("m,u=1 f=1"));
        check("m,s=,u=ü,t=,v=1 f=\"a,b= c\"", Some("m,u=ü,v=1 f=\"a,b= c\""));
        check("m,t=", Some("m"));
        check("m\\,\\ x,t\\=\\,\\ ü= f=1", Some("m\\,\\ x f=1"));
        check("m,u=\\\\,t= f=1", Some("m,u=\\\\ f=1"));
    }

    #[test]
    fn what_is_not_empty_or_no_tag_stays() {
        check("m f=1", None);
        check("m f=,g= 5", None);
        check("m,t=a f=,g=", None);
        check("m,t=\\  f=1", None);
        check("m,t=\\, f=1", None);
        check("m,t=\\= f=1", None);
        check("m,t== f=1", None);
        check("m\\,t= f=1", None);
        check("m,= f=1", None);
        check("m,t f=1", None);
        check("m,t=\\", None);
        check("", None);
    }
}
