//! Looks at a log without touching it, also beside the process that owns it.
//!
//! Nothing is locked and nothing is written. What vanishes meanwhile was dropped; what looks
//! corrupt is looked at again, because a group that is being written looks torn, and a group that
//! came after it would make the first look rotten.

use std::path::Path;

use types::effect::Disk;
use types::{BatchId, Epoch, LogId, Lsn, LsnRange, SegmentSeq};

use crate::classify::{Classified, Verdict};
use crate::error::Error;
use crate::frames::Frames;
use crate::recovery::Survey;
use crate::segment::{KeptTail, SegmentName, SegmentSummary};

/// Any length that the format allows: what the owner's limit is, is not known here.
const RAW_LEN_MAX: u32 = 1 << 31;

/// How often a log that looks corrupt is looked at again: twice alike is taken for true.
const LOOKS_MAX: usize = 5;

/// A log, as far as its bytes tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The log's id, if a segment tells it.
    pub log: Option<LogId>,
    /// What the bytes amount to, with nobody to vouch for more.
    pub verdict: Verdict,
    /// The segments, oldest first, up to the first corrupt byte.
    pub segments: Vec<SegmentSummary>,
    /// The torn tails that recoveries cut off and kept, the newest of them. They are no part of the
    /// log.
    pub kept_tails: Vec<KeptTail>,
}

/// One frame, with all that its header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameReport {
    /// Where it begins.
    pub offset: u64,
    /// Its bytes on disk, header included.
    pub bytes: u64,
    /// The epoch that wrote it.
    pub epoch: Epoch,
    /// The LSNs of its batches; `None` for a seal.
    pub lsns: Option<LsnRange>,
    /// The first LSN of its group.
    pub group_first_lsn: Lsn,
    /// The highest LSN known fsynced when it was written.
    pub durable_lsn: Lsn,
    /// The client's own id of the request.
    pub batch_id: BatchId,
    /// True if the body is compressed on disk.
    pub compressed: bool,
    /// The body, decompressed.
    pub body: Vec<u8>,
}

/// Lists the segments of the log in `dir`.
///
/// # Errors
///
/// [`Error::Io`] if the directory or a segment cannot be read. Corruption is in the report.
pub fn segments(disk: &dyn Disk, dir: &Path) -> Result<Report, Error> {
    let mut seen = look(disk, dir)?;
    for _ in 1..LOOKS_MAX {
        let Verdict::Corrupt { at: before, .. } = seen.verdict else {
            break;
        };
        seen = look(disk, dir)?;
        if matches!(seen.verdict, Verdict::Corrupt { at, .. } if at == before) {
            break;
        }
    }
    Ok(seen)
}

/// As [`segments`], and decodes each body too.
///
/// # Errors
///
/// As [`segments`], and [`Error::Corrupt`] for a body that does not decode.
pub fn verify(disk: &dyn Disk, dir: &Path) -> Result<Report, Error> {
    let report = segments(disk, dir)?;
    for segment in &report.segments {
        match read(disk, dir, segment) {
            Ok(mut frames) => frames.try_for_each(|frame| frame.map(drop))?,
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}

/// Reads the frames of one segment, seals included, up to where they end now.
///
/// # Errors
///
/// [`Error::NoSuchSegment`] if no file has the number, [`Error::Io`] if it cannot be read.
pub fn frames(disk: &dyn Disk, dir: &Path, seq: SegmentSeq) -> Result<FrameReports, Error> {
    let survey = Survey::beside_owner(disk, dir)?.only(seq);
    let classified = survey.classify(None, RAW_LEN_MAX)?;
    let path = |name: SegmentName| dir.join(name.to_string());
    match (classified.segments.first(), classified.verdict) {
        (Some(segment), _) => read(disk, dir, segment),
        (None, Verdict::Corrupt { at, why }) => {
            Err(Error::Corrupt { path: path(at.segment), offset: at.offset, why })
        }
        (None, _) => Err(Error::NoSuchSegment { seq }),
    }
}

/// The frames of one segment. Ends behind the first that is damaged.
#[derive(Debug)]
pub struct FrameReports {
    frames: Option<Frames>,
}

impl FrameReports {
    fn next_report(frames: &mut Frames) -> Result<Option<FrameReport>, Error> {
        let Some(found) = frames.step()? else {
            return Ok(None);
        };
        let body = frames.body(&found)?;
        Ok(Some(FrameReport {
            offset: found.at,
            bytes: found.header.frame_len(),
            epoch: found.header.epoch,
            lsns: found.header.lsns(),
            group_first_lsn: found.header.group_first_lsn,
            durable_lsn: found.header.durable_lsn,
            batch_id: found.header.batch_id,
            compressed: found.header.compressed,
            body,
        }))
    }
}

impl Iterator for FrameReports {
    type Item = Result<FrameReport, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = Self::next_report(self.frames.as_mut()?).transpose();
        if matches!(next, Some(Err(_))) {
            self.frames = None;
        }
        next
    }
}

fn look(disk: &dyn Disk, dir: &Path) -> Result<Report, Error> {
    let survey = Survey::beside_owner(disk, dir)?;
    let Classified { verdict, segments, log, .. } = survey.classify(None, RAW_LEN_MAX)?;
    Ok(Report { log, verdict, segments, kept_tails: survey.kept().to_vec() })
}

fn read(disk: &dyn Disk, dir: &Path, segment: &SegmentSummary) -> Result<FrameReports, Error> {
    if segment.lsns.is_none() {
        // It may have no header to begin with.
        return Ok(FrameReports { frames: None });
    }
    let path = dir.join(segment.name().to_string());
    let frames = Frames::open(disk, &path, segment.bytes, RAW_LEN_MAX)?;
    Ok(FrameReports { frames: Some(frames) })
}

fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{DIR, Machine};

    fn dir() -> &'static Path {
        Path::new(DIR)
    }

    #[test]
    fn a_running_log_is_seen_whole_and_left_as_it_is() {
        let machine = Machine::new(1);
        let mut log = machine.start_alone();
        log.append(1, 100);
        log.rotate().expect("a frame");
        log.append(2, 100);
        log.rotate().expect("a frame");
        let oldest = log.running.state().sealed[0].seq;
        log.running.drop_through(oldest).expect("dropped");
        log.append(3, 100);
        let before = machine.segments();
        let report = verify(&machine.disk, dir()).expect("it can be read");
        assert_eq!(report.verdict, Verdict::CleanEnd);
        assert_eq!(report.log, Some(log.log));
        assert_eq!(report.segments.iter().map(|segment| segment.frames).sum::<u64>(), 2);
        assert_eq!(machine.segments(), before);
        log.append(4, 100);
    }

    #[test]
    fn frames_are_told_with_their_seals() {
        let machine = Machine::new(2);
        let mut log = machine.start_alone();
        log.append(1, 100);
        let seq = log.rotate().expect("a frame").seq;
        let reports: Vec<_> = frames(&machine.disk, dir(), seq)
            .expect("it is there")
            .collect::<Result<_, _>>()
            .expect("whole frames");
        assert_eq!(reports.len(), 2);
        assert_eq!(reports[0].body, crate::harness::body_of(1, 100));
        assert_eq!((reports[1].lsns, reports[1].durable_lsn), (None, Lsn::new(1)));
        let missing = frames(&machine.disk, dir(), SegmentSeq::new(77));
        assert!(matches!(missing, Err(Error::NoSuchSegment { .. })));
    }

    #[test]
    fn tails_that_were_cut_off_are_told_also_when_their_segment_is_gone() {
        let machine = Machine::new(2);
        machine.start_alone().append(1, 100);
        let name = "7-00000000000000000009.wal.torn";
        machine.disk.plant(&dir().join(name), b"torn");
        let report = segments(&machine.disk, dir()).expect("it can be read");
        assert_eq!(report.segments.len(), 1);
        let kept: Vec<_> =
            report.kept_tails.iter().map(|kept| (kept.file_name(), kept.bytes)).collect();
        assert_eq!(kept, [(name.to_owned(), 4)]);
    }

    #[test]
    fn corruption_is_reported_with_what_came_before_it() {
        let machine = Machine::new(3);
        let mut log = machine.start_alone();
        for id in 0..3 {
            log.append(id, 100);
            log.rotate().expect("a frame");
        }
        let (name, mut bytes) = machine.segments()[1].clone();
        bytes[170] ^= 1;
        machine.disk.plant(&dir().join(name.to_string()), &bytes);
        let report = segments(&machine.disk, dir()).expect("it can be read");
        assert!(matches!(report.verdict, Verdict::Corrupt { at, .. } if at.segment == name));
        assert_eq!(report.segments.len(), 2);
    }
}
