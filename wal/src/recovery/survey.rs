//! What lies in a log's directory, opened to be read.

use std::io;
use std::path::{Path, PathBuf};

use types::SegmentSeq;
use types::effect::{Access, Disk, DiskFile};

use crate::classify::{Classified, Image, classify};
use crate::disk::Operation;
use crate::error::Error;
use crate::segment::SegmentName;
use crate::vouched::Vouched;

/// The segments of a directory in the order of their numbers, and the highest number seen in any
/// name.
pub(crate) struct Survey {
    dir: PathBuf,
    segments: Vec<(SegmentName, Box<dyn DiskFile>)>,
    highest_seq: Option<SegmentSeq>,
}

impl Survey {
    /// Lists `dir` and opens its segments. One that vanishes meanwhile is left out: a reader beside
    /// a running log sees segments dropped.
    pub(crate) fn of(disk: &dyn Disk, dir: &Path) -> Result<Self, Error> {
        let entries = disk.list(dir).map_err(Error::io(Operation::Read, dir))?;
        let names = entries.iter().filter(|entry| !entry.is_dir).map(|entry| entry.name.as_str());
        let highest_seq = names.clone().filter_map(SegmentName::seq_in).max();
        let mut names: Vec<_> = names.filter_map(SegmentName::parse).collect();
        names.sort();
        let mut segments = Vec::with_capacity(names.len());
        for name in names {
            let path = dir.join(name.to_string());
            match disk.open(&path, Access::Read) {
                Ok(file) => segments.push((name, file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io(Operation::Open, &path)(error)),
            }
        }
        Ok(Self { dir: dir.to_owned(), segments, highest_seq })
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
        self.highest_seq.unwrap_or(SegmentSeq::ZERO).next()
    }
}
