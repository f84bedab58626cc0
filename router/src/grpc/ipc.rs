//! Decodes Arrow IPC streams that strangers have sent.
//!
//! The library trusts what a message says about its own buffers, so each message is looked at
//! first: no compressed bodies, whose length before inflation is the sender's word alone, no buffer
//! outside of its body, and no views of more text than a request may have. What is left to go wrong
//! is contained.

mod views;

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::{MessageHeader, RecordBatch as BatchHeader, root_as_message};
use bytes::Bytes;

use self::views::Columns;

/// Says that a length follows; streams of before 2020 leave it out.
const CONTINUATION: u32 = 0xffff_ffff;

/// The text that the views of one request may stand for: no request can keep more.
pub(super) const VIEW_TEXT_BYTES_MAX: u64 = 1 << 30;

/// The batches of a stream. The text that its views stand for is taken from `text_left`.
///
/// # Errors
///
/// What is wrong with the stream, in words.
pub(super) fn decode(stream: Bytes, text_left: &mut u64) -> Result<Vec<RecordBatch>, String> {
    check_messages(&stream, text_left)?;
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_checked(stream)));
    match decoded {
        Ok(batches) => batches.map_err(|error| error.to_string()),
        Err(_) => Err("its messages contradict each other".to_owned()),
    }
}

fn decode_checked(stream: Bytes) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut decoder = StreamDecoder::new();
    let mut rest = Buffer::from(stream);
    let mut batches = Vec::new();
    while !rest.is_empty() {
        batches.extend(decoder.decode(&mut rest)?);
    }
    decoder.finish()?;
    Ok(batches)
}

/// Looks at all messages without following them.
fn check_messages(stream: &[u8], text_left: &mut u64) -> Result<(), String> {
    let mut rest = stream;
    let mut columns = Columns::default();
    while !rest.is_empty() {
        let mut len = read_u32(&mut rest)?;
        if len == CONTINUATION {
            len = read_u32(&mut rest)?;
        }
        if len == 0 {
            break;
        }
        let metadata = take(&mut rest, u64::from(len))?;
        let message = root_as_message(metadata).map_err(|error| error.to_string())?;
        let body_len = u64::try_from(message.bodyLength()).map_err(|_| cut_short())?;
        let body = take(&mut rest, body_len)?;
        match message.header_type() {
            MessageHeader::Schema => {
                columns = Columns::of(message.header_as_schema().ok_or_else(no_header)?)?;
            }
            MessageHeader::RecordBatch => {
                let batch = message.header_as_record_batch().ok_or_else(no_header)?;
                check_batch(batch, body_len)?;
                columns.take_rows(batch, body, text_left)?;
            }
            MessageHeader::DictionaryBatch => {
                let dictionary = message.header_as_dictionary_batch().ok_or_else(no_header)?;
                let batch = dictionary.data().ok_or_else(no_header)?;
                check_batch(batch, body_len)?;
                columns.take_dictionary(dictionary.id(), batch, body, text_left)?;
            }
            other => return Err(format!("it has a message of type {other:?}")),
        }
    }
    Ok(())
}

fn check_batch(batch: BatchHeader<'_>, body_len: u64) -> Result<(), String> {
    if batch.compression().is_some() {
        return Err("its bodies are compressed; compress the request instead".to_owned());
    }
    let fits = |offset: i64, len: i64| {
        let end = u64::try_from(offset).ok().zip(u64::try_from(len).ok());
        let end = end.and_then(|(offset, len)| offset.checked_add(len));
        end.is_some_and(|end| end <= body_len)
    };
    let buffers = batch.buffers().unwrap_or_default();
    if !buffers.iter().all(|buffer| fits(buffer.offset(), buffer.length())) {
        return Err("a buffer lies outside of its message".to_owned());
    }
    // No array that is taken has more values than bits, so this bounds what validation walks over.
    let rows_max = body_len.saturating_mul(8);
    let plausible = |count: i64| u64::try_from(count).is_ok_and(|count| count <= rows_max);
    let nodes = batch.nodes().unwrap_or_default();
    let all_plausible = nodes.iter().all(|node| {
        plausible(node.length())
            && plausible(node.null_count())
            && node.null_count() <= node.length()
    });
    if !plausible(batch.length()) || !all_plausible {
        return Err("it claims more rows than it has bytes for".to_owned());
    }
    Ok(())
}

fn read_u32(rest: &mut &[u8]) -> Result<u32, String> {
    let (head, tail) = rest.split_first_chunk().ok_or_else(cut_short)?;
    *rest = tail;
    Ok(u32::from_le_bytes(*head))
}

fn take<'a>(rest: &mut &'a [u8], len: u64) -> Result<&'a [u8], String> {
    let len = usize::try_from(len).map_err(|_| cut_short())?;
    let (head, tail) = rest.split_at_checked(len).ok_or_else(cut_short)?;
    *rest = tail;
    Ok(head)
}

fn no_header() -> String {
    "a message has no header".to_owned()
}

fn cut_short() -> String {
    "it is cut short".to_owned()
}
