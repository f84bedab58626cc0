//! The walk over all segments, oldest first.

use std::io;

use types::fault::{self, Bug};
use types::{Epoch, LogId, Lsn, LsnRange};

use super::verdict::{Place, Verdict, Voucher, Why};
use crate::disk::ReadAt;
use crate::format::{FrameHeader, Link, SEGMENT_HEADER_LEN, SegmentHeader};
use crate::scan::{Found, Start, Step, Window, find_frame, read_start, read_step};
use crate::segment::{SegmentName, SegmentSummary, Torn};
use crate::vouched::Vouched;

/// One segment's file: its name and its bytes.
#[derive(Debug)]
pub struct Image<'a, S: ReadAt + ?Sized> {
    /// The file's name.
    pub name: SegmentName,
    /// What is in it.
    pub bytes: &'a S,
}

/// A log, walked to its end or to the first corrupt byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// What the log amounts to.
    pub verdict: Verdict,
    /// Its segments, oldest first, as far as they were walked.
    pub segments: Vec<SegmentSummary>,
    /// The log's id, if a segment tells it.
    pub log: Option<LogId>,
    /// The highest epoch of a segment.
    pub epoch: Epoch,
    /// What the next frame carries; `None` if there is no frame.
    pub(crate) link: Option<Link>,
    /// True if the last frame is a seal.
    pub(crate) sealed: bool,
}

impl Classified {
    /// The last LSN in the log, if there is one.
    pub fn last_lsn(&self) -> Option<Lsn> {
        self.link.map(|link| link.lsn)
    }
}

/// Walks `images`, which are in the order of their names. Pure: it reads, and decides by what it
/// read and by what the catalog vouches for. Where nobody is asked, segments that were dropped are
/// not told from segments that are missing in front.
///
/// # Errors
///
/// Only those of reading; what is wrong with the bytes is in the verdict.
pub fn classify<S: ReadAt + ?Sized>(
    images: &[Image<'_, S>],
    vouched: Option<&Vouched>,
    raw_len_max: u32,
) -> io::Result<Classified> {
    let mut walk = Walk::new(vouched, raw_len_max);
    let mut verdict = Verdict::CleanEnd;
    let mut rest = images;
    while let Some((image, later)) = rest.split_first() {
        let ending = match walk.segment(image, later)? {
            corrupt @ Verdict::Corrupt { .. } => return Ok(walk.end(corrupt)),
            ending => walk.unfinished(&ending, later)?.unwrap_or(ending),
        };
        match ending {
            Verdict::Corrupt { .. } => return Ok(walk.end(ending)),
            // What follows a torn segment was never used, or the walk would have said corrupt.
            _ if matches!(verdict, Verdict::TornTail { .. }) => {}
            _ => verdict = ending,
        }
        rest = later;
    }
    let missing = walk.missing_at_end();
    Ok(walk.end(missing.unwrap_or(verdict)))
}

struct Walk<'v> {
    vouched: Option<&'v Vouched>,
    raw_len_max: u32,
    log: Option<LogId>,
    epoch: Epoch,
    link: Option<Link>,
    sealed: bool,
    segments: Vec<SegmentSummary>,
}

impl<'v> Walk<'v> {
    fn new(vouched: Option<&'v Vouched>, raw_len_max: u32) -> Self {
        let epoch = Epoch::ZERO;
        Self {
            vouched,
            raw_len_max,
            log: None,
            epoch,
            link: None,
            sealed: false,
            segments: Vec::new(),
        }
    }

    fn end(self, verdict: Verdict) -> Classified {
        let Self { segments, log, epoch, link, sealed, .. } = self;
        Classified { verdict, segments, log, epoch, link, sealed }
    }

    /// Walks one segment; `later` are those behind it.
    fn segment<S: ReadAt + ?Sized>(
        &mut self,
        image: &Image<'_, S>,
        later: &[Image<'_, S>],
    ) -> io::Result<Verdict> {
        let mut window = Window::new(image.bytes)?;
        let header = match read_start(&mut window)? {
            Start::Header(header) => header,
            Start::Unused => return self.unused(image.name, &mut window),
            Start::Bad(fault) => return Ok(corrupt(image.name, 0, Why::of_header(fault))),
        };
        if let Some(why) = self.why_not_next(image.name, &header) {
            return Ok(corrupt(image.name, 0, why));
        }
        self.log = Some(header.log);
        self.epoch = header.epoch;
        self.frames(&mut window, &header, later)
    }

    /// A file that has no header: never used, whatever there is of it was promised to nobody.
    fn unused<R: ReadAt>(
        &mut self,
        name: SegmentName,
        window: &mut Window<R>,
    ) -> io::Result<Verdict> {
        let mut summary = empty_summary(name, 0);
        summary.torn = torn_at(window, 0)?;
        self.segments.push(summary);
        Ok(match summary.torn {
            Some(_) => Verdict::TornTail { at: Place { segment: name, offset: 0 } },
            None => Verdict::CleanEnd,
        })
    }

    fn why_not_next(&self, name: SegmentName, header: &SegmentHeader) -> Option<Why> {
        let before = self.segments.last().map(SegmentSummary::name);
        if let Some(before) = before.filter(|before| before.seq == name.seq) {
            return Some(Why::SameNumber(before));
        }
        if header.name() != name {
            return Some(Why::WrongName(header.name()));
        }
        if self.log.is_some_and(|log| log != header.log) {
            return Some(Why::AnotherLog);
        }
        (header.epoch < self.epoch).then_some(Why::EpochFell(self.epoch))
    }

    fn frames<S: ReadAt + ?Sized>(
        &mut self,
        window: &mut Window<&S>,
        header: &SegmentHeader,
        later: &[Image<'_, S>],
    ) -> io::Result<Verdict> {
        let name = header.name();
        let mut summary = empty_summary(name, SEGMENT_HEADER_LEN as u64);
        loop {
            let at = summary.bytes;
            let step = read_step(window, at, header.salt, self.raw_len_max)?;
            let ending = match step {
                Step::Frame(found) => match self.why_not_following(&found, header) {
                    None => {
                        self.follow(&found, &mut summary);
                        continue;
                    }
                    Some(why) => corrupt(name, at, why),
                },
                Step::End => Verdict::Valid,
                Step::Zeros => Verdict::CleanEnd,
                Step::Nonsense => corrupt(name, at, Why::Nonsense),
                Step::TooLong(raw_len) => {
                    corrupt(name, at, Why::TooLong { raw_len, max: self.raw_len_max })
                }
                Step::Bad { flaw, header: bad } => {
                    let first_lsn = bad.map(|bad| bad.first_lsn);
                    match self.voucher(window, at, first_lsn, header, later)? {
                        Some(voucher) => corrupt(name, at, Why::Rotten { flaw, voucher }),
                        None => self.torn(window, &mut summary)?,
                    }
                }
            };
            self.segments.push(summary);
            return Ok(ending);
        }
    }

    fn torn<R: ReadAt>(
        &self,
        window: &mut Window<R>,
        summary: &mut SegmentSummary,
    ) -> io::Result<Verdict> {
        summary.torn = torn_at(window, summary.bytes)?;
        let at = Place { segment: summary.name(), offset: summary.bytes };
        Ok(Verdict::TornTail { at })
    }

    /// Why a whole frame cannot stand behind the one before it.
    fn why_not_following(&self, found: &Found, segment: &SegmentHeader) -> Option<Why> {
        let FrameHeader { epoch, prev, first_lsn, .. } = found.header;
        if epoch != segment.epoch {
            return Some(Why::WrongEpoch(epoch));
        }
        let Some(link) = self.link else {
            // Only what the catalog knows can have been dropped.
            let known = self.vouched?.lsn;
            let gap = Why::LsnGap { expected: known.next(), found: first_lsn };
            return (prev.lsn > known).then_some(gap);
        };
        if prev.lsn != link.lsn {
            return Some(Why::LsnGap { expected: link.lsn.next(), found: first_lsn });
        }
        (prev.chain != link.chain).then_some(Why::BrokenChain)
    }

    fn follow(&mut self, found: &Found, summary: &mut SegmentSummary) {
        self.link = Some(found.link);
        self.sealed = found.header.seal;
        summary.bytes = found.end();
        if let Some(lsns) = found.header.lsns() {
            summary.frames = summary.frames.saturating_add(1);
            summary.lsns = Some(summary.lsns.map_or(lsns, |before| before.hull(lsns)));
        }
    }

    /// A segment is sealed before the next one gets its name, or on a full disk cut off behind its
    /// last frame; one without frames is out of the way by then. Zeros where a begun segment stands
    /// behind are what a lost write looks like.
    fn unfinished<S: ReadAt + ?Sized>(
        &self,
        ending: &Verdict,
        later: &[Image<'_, S>],
    ) -> io::Result<Option<Verdict>> {
        let Some(segment) = self.segments.last() else {
            return Ok(None);
        };
        let has_frames = segment.bytes > SEGMENT_HEADER_LEN as u64;
        let is_finished = match ending {
            Verdict::Valid => has_frames,
            Verdict::CleanEnd => has_frames && self.sealed,
            Verdict::TornTail { .. } => false,
            Verdict::Corrupt { .. } => true,
        };
        if is_finished {
            return Ok(None);
        }
        let why = if has_frames { Why::Unsealed } else { Why::Emptied };
        let next = first_begun(later)?;
        Ok(next.map(|next| corrupt(segment.name(), segment.bytes, why(next))))
    }

    /// Who knows that the bad frame at `at` was durable; `None` if nobody does. `first_lsn` is what
    /// its own header says, if that is whole.
    fn voucher<S: ReadAt + ?Sized>(
        &self,
        window: &mut Window<&S>,
        at: u64,
        first_lsn: Option<Lsn>,
        segment: &SegmentHeader,
        later: &[Image<'_, S>],
    ) -> io::Result<Option<Voucher>> {
        let expected = self.link.map(|link| link.lsn.next()).or(first_lsn);
        let known = self.vouched.map_or(Lsn::ZERO, |vouched| vouched.lsn);
        if expected.is_some_and(|expected| known >= expected) {
            return Ok(Some(Voucher::Catalog(known)));
        }
        // Its own header, if that is whole, says nothing of a later sync.
        let behind = at.saturating_add(1);
        let wanted = |header: &FrameHeader| proves(header, expected, known);
        if !fault::is_planted(Bug::TornMiddleAsEnd)
            && let Some((offset, _)) = find_frame(window, behind, segment, wanted)?
        {
            return Ok(Some(Voucher::Frame(Place { segment: segment.name(), offset })));
        }
        Ok(first_begun(later)?.map(Voucher::Segment))
    }

    /// A log that ends cleanly before what the catalog knows to be in it.
    fn missing_at_end(&self) -> Option<Verdict> {
        let (link, known) = (self.link?, self.vouched?.lsn);
        let last = self.segments.iter().rev().find(|segment| segment.lsns.is_some())?;
        let why = Why::Missing { expected: link.lsn.next(), known };
        (known > link.lsn).then_some(corrupt(last.name(), last.bytes, why))
    }
}

/// The first of `images` that has a header.
fn first_begun<S: ReadAt + ?Sized>(images: &[Image<'_, S>]) -> io::Result<Option<SegmentName>> {
    for image in images {
        if let Start::Header(_) = read_start(&mut Window::new(image.bytes)?)? {
            return Ok(Some(image.name));
        }
    }
    Ok(None)
}

/// True if a frame behind a bad one shows that the bad one was durable.
///
/// Where the LSN expected is not known, because the bad frame would be the first of all, a frame
/// that begins a group shows that the bad one belongs to an earlier group, and one that follows an
/// LSN which the catalog knows shows that the catalog knows the bad one too.
fn proves(header: &FrameHeader, expected: Option<Lsn>, known: Lsn) -> bool {
    match expected {
        Some(expected) => header.durable_lsn >= expected || header.first_lsn == expected,
        None => header.first_lsn == header.group_first_lsn || header.prev.lsn <= known,
    }
}

fn corrupt(segment: SegmentName, offset: u64, why: Why) -> Verdict {
    Verdict::Corrupt { at: Place { segment, offset }, why }
}

fn empty_summary(name: SegmentName, bytes: u64) -> SegmentSummary {
    let lsns: Option<LsnRange> = None;
    SegmentSummary { seq: name.seq, epoch: name.epoch, lsns, frames: 0, bytes, torn: None }
}

fn torn_at<R: ReadAt>(window: &mut Window<R>, at: u64) -> io::Result<Option<Torn>> {
    let end = window.nonzero_end(at)?;
    Ok(end.checked_sub(at).filter(|bytes| *bytes > 0).map(|bytes| Torn { at, bytes }))
}
