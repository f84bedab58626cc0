//! What lies in a log's directory, to be read.

use std::io;
use std::path::{Path, PathBuf};

use types::SegmentSeq;
use types::effect::{Access, Disk, DiskEntry, DiskFile};
use types::fault::{self, Bug};

use crate::classify::{Classified, Image, classify};
use crate::disk::{Operation, ReadAt};
use crate::error::Error;
use crate::segment::{KeptTail, SegmentName};
use crate::vouched::Vouched;

/// The segments of a directory in the order of their numbers, and what the other names tell.
pub(crate) struct Survey<'d> {
    dir: PathBuf,
    segments: Vec<(SegmentName, Source<'d>)>,
    highest_seq: Option<SegmentSeq>,
    unused: Vec<SegmentName>,
    kept: Vec<KeptTail>,
}

/// Where the bytes of a segment come from.
enum Source<'d> {
    /// An open file: its bytes are there even if its name goes away.
    Open(Box<dyn DiskFile>),
    /// A file that is opened for each call, so that a log of thousands of segments needs one
    /// descriptor. A call reads many pages, beside which that costs nothing.
    Closed { disk: &'d dyn Disk, path: PathBuf },
}

impl ReadAt for Source<'_> {
    fn len(&self) -> io::Result<u64> {
        match self {
            Self::Open(file) => file.len(),
            Self::Closed { disk, path } => disk.open(path, Access::Read)?.len(),
        }
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::Open(file) => file.read_at(bytes, offset),
            Self::Closed { disk, path } => disk.open(path, Access::Read)?.read_at(bytes, offset),
        }
    }
}

impl<'d> Survey<'d> {
    /// Lists `dir`, which the caller has locked: no segment goes away while it is read.
    pub(crate) fn by_owner(disk: &'d dyn Disk, dir: &Path) -> Result<Self, Error> {
        let (mut survey, names) = Self::list(disk, dir)?;
        let source = |name: SegmentName| Source::Closed { disk, path: dir.join(name.to_string()) };
        survey.segments = names.into_iter().map(|name| (name, source(name))).collect();
        Ok(survey)
    }

    /// Lists `dir` and opens its segments. One that vanishes meanwhile is left out: a reader beside
    /// a running log sees segments dropped.
    pub(crate) fn beside_owner(disk: &'d dyn Disk, dir: &Path) -> Result<Self, Error> {
        let (mut survey, names) = Self::list(disk, dir)?;
        for name in names {
            let path = dir.join(name.to_string());
            match disk.open(&path, Access::Read) {
                Ok(file) => survey.segments.push((name, Source::Open(file))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io(Operation::Open, &path)(error)),
            }
        }
        Ok(survey)
    }

    /// What the names in `dir` tell, and those of its segments in their order.
    fn list(disk: &dyn Disk, dir: &Path) -> Result<(Self, Vec<SegmentName>), Error> {
        let entries = disk.list(dir).map_err(Error::io(Operation::Read, dir))?;
        let names = entries.iter().filter(|entry| !entry.is_dir).map(|entry| entry.name.as_str());
        let survey = Self {
            dir: dir.to_owned(),
            segments: Vec::new(),
            highest_seq: names.clone().filter_map(SegmentName::seq_in).max(),
            unused: names.clone().filter_map(SegmentName::parse_unused).collect(),
            kept: entries.iter().filter(|entry| !entry.is_dir).filter_map(kept_tail).collect(),
        };
        let mut names: Vec<_> = names.filter_map(SegmentName::parse).collect();
        names.sort();
        Ok((survey, names))
    }

    /// The same without all other segments.
    pub(crate) fn only(mut self, seq: SegmentSeq) -> Self {
        self.segments.retain(|(name, _)| name.seq == seq);
        self
    }

    /// Walks the segments.
    pub(crate) fn classify(
        &self,
        vouched: Option<&Vouched>,
        raw_len_max: u32,
    ) -> Result<Classified, Error> {
        let images: Vec<_> =
            self.segments.iter().map(|(name, bytes)| Image { name: *name, bytes }).collect();
        classify(&images, vouched, raw_len_max).map_err(Error::io(Operation::Read, &self.dir))
    }

    /// A number above every number seen, so that none is used twice.
    pub(crate) fn next_seq(&self) -> SegmentSeq {
        match self.highest_seq {
            // The mistake: the number of the newest segment is taken for the next one.
            Some(newest) if fault::is_planted(Bug::ReuseSegmentId) => newest,
            highest => highest.unwrap_or(SegmentSeq::ZERO).next(),
        }
    }

    /// The torn tails that earlier recoveries kept, in the order of their files' names.
    pub(crate) fn kept(&self) -> &[KeptTail] {
        &self.kept
    }

    /// The segments that an earlier recovery found without frames, and that no start removed.
    pub(crate) fn unused(&self) -> &[SegmentName] {
        &self.unused
    }
}

fn kept_tail(entry: &DiskEntry) -> Option<KeptTail> {
    Some(KeptTail { segment: SegmentName::parse_torn(&entry.name)?, bytes: entry.len })
}
