//! A small log, ways to damage it, and the judgement of what is read afterwards.

use types::Lsn;

use crate::classify::{Verdict, classify};
use crate::format::{Body, SegmentHeader};
use crate::harness::{Machine, evidence, id_of, images};
use crate::scan::{Start, Step, Window, read_start, read_step};
use crate::segment::SegmentName;
use crate::vouched::Vouched;

const RAW_LEN_MAX: u32 = 1 << 16;

pub(super) type Segments = Vec<(SegmentName, Vec<u8>)>;

/// Three segments; groups of one to three frames, so that vouchers differ. `sealed` leaves a seal
/// at the end; without it the newest segment ends in zeros.
pub(super) fn log(sealed: bool) -> Segments {
    let machine = Machine::new(1);
    let mut log = machine.start_alone();
    let mut id = 0;
    for segment in 0..3 {
        for group in 0..4_u64 {
            for _ in 0..=group % 3 {
                log.queue(id, 8 + (id as usize * 37) % 120, 1 + (id as u32) % 3).expect("room");
                id += 1;
            }
            log.settle();
        }
        if segment < 2 {
            log.rotate().expect("there are frames");
        }
    }
    if sealed {
        log.close();
    }
    let segments = machine.segments();
    assert_eq!(segments.len(), 3);
    segments
}

/// A segment behind `segments` that a start has begun: a header and zeros.
pub(super) fn begun_behind(segments: &Segments) -> (SegmentName, Vec<u8>) {
    let (newest, bytes) = segments.last().expect("there is one");
    let header = bytes.first_chunk().expect("there is a header");
    let header = SegmentHeader::decode(header).expect("it is whole");
    let header = SegmentHeader { seq: newest.seq.next(), salt: header.salt ^ 1, ..header };
    let mut bytes = header.encode();
    bytes.resize(1024, 0);
    (header.name(), bytes)
}

/// The ids in whole frames, by the verdict's own account of where they end; `None` if refused.
pub(super) fn read(segments: &Segments, vouched: Lsn) -> Option<Vec<u64>> {
    let vouched = Vouched::by_snapshot(vouched);
    let classified = classify(&images(segments), Some(&vouched), RAW_LEN_MAX).expect("memory");
    if matches!(classified.verdict, Verdict::Corrupt { .. }) {
        return None;
    }
    let mut ids = Vec::new();
    for summary in &classified.segments {
        let bytes = segments.iter().find(|(name, _)| *name == summary.name()).map(|(_, b)| b);
        read_segment(bytes.expect("it was walked"), summary.bytes, &mut ids);
    }
    Some(ids)
}

fn read_segment(bytes: &Vec<u8>, end: u64, ids: &mut Vec<u64>) {
    let mut window = Window::new(bytes).expect("memory");
    let Start::Header(header) = read_start(&mut window).expect("memory") else {
        return;
    };
    let mut at = 64;
    while at < end {
        let step = read_step(&mut window, at, header.salt, RAW_LEN_MAX).expect("memory");
        let Step::Frame(found) = step else { panic!("{step:?} before the end of whole frames") };
        if found.header.lsns().is_some() {
            let len = u64::from(found.header.comp_len);
            let body = window.vec(found.body_at(), len).expect("memory");
            let raw = Body::decode(body, found.header.raw_len, found.header.compressed);
            ids.push(id_of(&raw.expect("its checksum was right")));
        }
        at = found.end();
    }
}

/// Counts of what mutations came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcomes {
    /// All frames were read.
    pub(super) whole: u64,
    /// Refused as corrupt.
    pub(super) refused: u64,
    /// Frames are missing at the end that nothing in the bytes vouches for.
    pub(super) undecidable: u64,
    /// Anything else: frames missing in the middle, or frames that nobody wrote.
    pub(super) wrong: u64,
}

impl Outcomes {
    /// Judges one mutation of a log that held `all`.
    pub(super) fn count(&mut self, all: &[u64], seen: Option<&[u64]>) {
        match seen {
            None => self.refused += 1,
            Some(seen) if seen == all => self.whole += 1,
            Some(seen) if all.starts_with(seen) => self.undecidable += 1,
            Some(_) => self.wrong += 1,
        }
    }

    /// Tells them under this name.
    pub(super) fn tell(&self, name: &str) {
        let Self { whole, refused, undecidable, wrong } = *self;
        let counts = [
            ("whole", whole),
            ("refused", refused),
            ("undecidable", undecidable),
            ("wrong", wrong),
        ];
        evidence::tell(name, &counts);
    }
}
