//! How much a zstd stream may inflate to, read off its blocks without inflating them (RFC 8878).
//!
//! ```text
//!   frame: ┌───────┬────────┬───────┬───┬───────┬──────────┐   block: ┌──────────┬─────────┐
//!          │ magic │ header │ block │ … │ block │ checksum │          │ head: 3  │ content │
//!          └───────┴────────┴───────┴───┴───────┴──────────┘          └──────────┴─────────┘
//! ```

/// What a frame begins with.
const MAGIC: u32 = 0xfd2f_b528;
/// What a frame begins with that decoders skip; the last four bits are the sender's.
const SKIPPABLE: u32 = 0x184d_2a50;
/// Leaves those bits out.
const SKIPPABLE_MASK: u32 = 0xffff_fff0;
/// No packed block inflates to more.
const BLOCK_BYTES_MAX: u64 = 128 << 10;
/// Bytes of a checksum.
const CHECKSUM_BYTES: usize = 4;

/// The most that `stream` inflates to; nothing if it is no zstd.
pub(super) fn inflated_max(stream: &[u8]) -> Option<u64> {
    let mut rest = stream;
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let magic = u32::from_le_bytes(take_array(&mut rest)?);
        if magic & SKIPPABLE_MASK == SKIPPABLE {
            let len = u32::from_le_bytes(take_array(&mut rest)?);
            take(&mut rest, usize::try_from(len).ok()?)?;
        } else if magic == MAGIC {
            sum = sum.saturating_add(frame(&mut rest)?);
        } else {
            return None;
        }
    }
    Some(sum)
}

/// Walks over a frame behind its magic number.
fn frame(rest: &mut &[u8]) -> Option<u64> {
    let [descriptor] = take_array::<1>(rest)?;
    let is_single_segment = descriptor & 0x20 != 0;
    let has_checksum = descriptor & 0x04 != 0;
    let window = usize::from(!is_single_segment);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 0x03)];
    let content_size = match descriptor >> 6 {
        0 => usize::from(is_single_segment),
        flag => 1_usize << flag,
    };
    take(rest, window + dictionary + content_size)?;
    let mut sum = 0_u64;
    loop {
        let (inflated, is_last) = block(rest)?;
        sum = sum.saturating_add(inflated);
        if is_last {
            break;
        }
    }
    if has_checksum {
        take(rest, CHECKSUM_BYTES)?;
    }
    Some(sum)
}

/// Walks over a block; says what it inflates to at most, and whether it is the last of its frame.
fn block(rest: &mut &[u8]) -> Option<(u64, bool)> {
    let [low, middle, high] = take_array::<3>(rest)?;
    let head = u32::from_le_bytes([low, middle, high, 0]);
    let size = head >> 3;
    let (content, inflated) = match (head >> 1) & 0x03 {
        0 => (size, u64::from(size)),
        // One byte, so many times.
        1 => (1, u64::from(size)),
        2 => (size, BLOCK_BYTES_MAX),
        _ => return None,
    };
    take(rest, usize::try_from(content).ok()?)?;
    Some((inflated, head & 1 == 1))
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: [u8; 13] =
        [0x28, 0xb5, 0x2f, 0xfd, 0x24, 0x00, 0x01, 0x00, 0x00, 0x99, 0xe9, 0xd8, 0x51];
    /// `a x=1`, with a checksum.
    const SHORT: [u8; 18] = [
        0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x29, 0x00, 0x00, 0x61, 0x20, 0x78, 0x3d, 0x31, 0x8a,
        0xb0, 0x50, 0x05,
    ];
    /// 300,000 zeros, without one: a packed block and two of one byte.
    const ZEROS: [u8; 27] = [
        0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x54, 0x00, 0x00, 0x10, 0x00, 0x00, 0x01, 0x00, 0xfb,
        0xff, 0x39, 0xc0, 0x02, 0x02, 0x00, 0x10, 0x00, 0x03, 0x9f, 0x04, 0x00,
    ];

    #[test]
    fn what_a_stream_inflates_to_is_known_without_inflating_it() {
        let mut skipped = vec![0x5f, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7];
        skipped.extend_from_slice(&SHORT);
        for (stream, expected) in [
            (EMPTY.to_vec(), 0),
            (SHORT.to_vec(), 5),
            (ZEROS.to_vec(), 300_000),
            ([ZEROS.as_slice(), SHORT.as_slice()].concat(), 300_005),
            (skipped, 5),
            (Vec::new(), 0),
        ] {
            assert_eq!(inflated_max(&stream), Some(expected), "{stream:x?}");
        }
    }

    #[test]
    fn what_is_no_stream_is_told() {
        for cut in 1..ZEROS.len() {
            assert_eq!(inflated_max(&ZEROS[..cut]), None, "cut off at {cut}");
        }
        assert_eq!(inflated_max(b"a x=1i 1"), None);
        let odd_block = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0x07, 0x00, 0x00];
        assert_eq!(inflated_max(&odd_block), None);
    }
}
