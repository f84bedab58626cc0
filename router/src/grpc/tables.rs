//! Counts the tables of a message before it is decoded: one that is empty takes two bytes on the
//! way, and many times as much once it is decoded.

/// The field of a write request that its tables are in.
const TABLES_FIELD: u64 = 2;
/// The longest encoding of a number.
const VARINT_BYTES_MAX: usize = 10;

/// How many tables `message` has, as far as it can be read: who decodes it reads no further.
pub(super) fn count(message: &[u8]) -> usize {
    let mut rest = message;
    let mut count = 0;
    while let Some(field) = skip_field(&mut rest) {
        count += usize::from(field == TABLES_FIELD);
    }
    count
}

/// Skips a field; says which it was.
fn skip_field(rest: &mut &[u8]) -> Option<u64> {
    let key = varint(rest)?;
    let len = match key & 0x07 {
        0 => {
            varint(rest)?;
            0
        }
        1 => 8,
        2 => usize::try_from(varint(rest)?).ok()?,
        5 => 4,
        // A group begins or ends: what is in it is counted too, which is too much rather than too
        // little.
        3 | 4 => 0,
        _ => return None,
    };
    let (_, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(key >> 3)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for at in 0..VARINT_BYTES_MAX {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::proto::{TableBatch, WriteRequest};

    fn request(tables: usize) -> Vec<u8> {
        let table = TableBatch {
            table: "t".repeat(200),
            schema_version: Some(1 << 40),
            arrow_ipc: vec![0x12; 300].into(),
        };
        let request = WriteRequest {
            database: "db".to_owned(),
            tables: vec![table; tables],
            batch_id: vec![7; 16],
        };
        request.encode_to_vec()
    }

    #[test]
    fn tables_are_counted_as_they_are_decoded() {
        for tables in [0, 1, 300] {
            assert_eq!(count(&request(tables)), tables);
        }
        assert_eq!(count(&[0x12_u8, 0].repeat(1_000)), 1_000);
        assert_eq!(count(&[0x23, 0x24, 0x12, 0]), 1, "behind a group that nobody knows");
        let unknown = [0x80, 0x01, 5, 0x91, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 0x12, 0];
        assert_eq!(count(&unknown), 1, "behind a number and eight bytes that nobody knows");
    }

    #[test]
    fn what_is_cut_short_or_odd_ends_the_count() {
        let whole = request(2);
        assert_eq!(count(&whole[..whole.len() / 2]), 1);
        assert_eq!(count(&[0x17, 0x12, 0]), 0, "there is no such kind of field");
        assert_eq!(count(&[0xff; 20]), 0, "a number without end");
        assert_eq!(count(&[]), 0);
    }
}
