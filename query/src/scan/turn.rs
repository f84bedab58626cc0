//! A partition's turn: what there is to read, and which of it has to be merged.

use std::ops::RangeInclusive;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use futures::{StreamExt, TryStreamExt, stream};
use types::fault::{self, Bug};
use types::seam::TableReader;
use types::{Chunk, Lsn, SortKey, Term};

use super::visit::Visit;
use crate::error::Error;
use crate::merge::{KeyColumns, merge};
use crate::source::{BatchStream, Reading, Source, SourceRows};

/// What a scan reads of one partition.
#[derive(Debug)]
pub(super) struct Turn {
    /// Every tag that a row of the partition may have, slowest first.
    key: SortKey,
    /// Sources of different groups have no time in common, so no point either.
    groups: Vec<Vec<Source>>,
}

impl Turn {
    /// Takes the chunks that no file has, once and now, and puts them between the files.
    pub(super) fn take(
        visit: &Visit,
        reader: &dyn TableReader,
        reading: &Reading,
    ) -> Result<Self, Error> {
        let chunks = reader.take(visit.id, &visit.in_files)?;
        let mut key = visit.sort_key.extended(reading.schema.tags().cloned());
        // A batch that was published after this query's version may have tags that the version
        // does not know. They tell its points apart all the same.
        for chunk in &chunks {
            key = key.extended(chunk.batch.tags());
        }
        let chunks = with_times(chunks, reading);
        let mut sources: Vec<Source> = visit.files.iter().map(Source::file).collect();
        reading.metrics.files.add(sources.len());
        let places: Vec<_> = sources.iter().map(|source| source.place).collect();
        sources.extend(between_files(chunks, visit.term, &places));
        let groups = groups(sources);
        for group in &groups {
            let metrics = &reading.metrics;
            let counter =
                if group.len() == 1 { &metrics.sources_alone } else { &metrics.sources_merged };
            counter.add(group.len());
        }
        Ok(Self { key, groups })
    }

    /// The points of the partition with the columns of `output`, in no order.
    pub(super) fn stream(self, reading: &Reading, output: &SchemaRef) -> BatchStream {
        let Self { key, groups } = self;
        let (reading, output) = (reading.clone(), SchemaRef::clone(output));
        let opened = stream::iter(groups).then(move |group| {
            let (reading, key, output) = (reading.clone(), key.clone(), SchemaRef::clone(&output));
            async move { open_group(group, &reading, &key, &output).await }
        });
        opened.try_flatten().boxed()
    }
}

async fn open_group(
    mut group: Vec<Source>,
    reading: &Reading,
    key: &SortKey,
    output: &SchemaRef,
) -> Result<BatchStream, Error> {
    if group.len() > 1 {
        return open_merge(group, reading, key, output).await;
    }
    match group.pop() {
        None => Ok(stream::empty().boxed()),
        Some(source) if output.fields().is_empty() => {
            let rows = source.count(reading, key).await?;
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let counted =
                RecordBatch::try_new_with_options(SchemaRef::clone(output), Vec::new(), &options)?;
            Ok(stream::iter([Ok(counted)]).boxed())
        }
        Some(source) => source.open(reading, key, output).await,
    }
}

async fn open_merge(
    group: Vec<Source>,
    reading: &Reading,
    key: &SortKey,
    output: &SchemaRef,
) -> Result<BatchStream, Error> {
    let columns = KeyColumns::new(output, key);
    let mut opened = Vec::with_capacity(group.len());
    for source in group {
        opened.push(source.open(reading, key, columns.read()).await?);
    }
    merge(opened, &columns, reading.memory_account())
}

/// The chunks that may hold what the query wants, with the range of their times.
fn with_times(chunks: Vec<Chunk>, reading: &Reading) -> Vec<(Chunk, RangeInclusive<i64>)> {
    let timed = chunks.into_iter().filter_map(|chunk| {
        let times = chunk.batch.time_range()?;
        Some((chunk, times))
    });
    let timed: Vec<_> = timed.collect();
    let times: Vec<_> = timed.iter().map(|(_, times)| times.clone()).collect();
    let kept = reading.predicate.may_match(&times).into_iter();
    timed.into_iter().zip(kept).filter_map(|(chunk, kept)| kept.then_some(chunk)).collect()
}

/// Chunks as sources: those that no file's place lies between are one.
///
/// Persist jobs may end in any order, so a file may be newer than chunks whose job still runs. Such
/// chunks must not be brought together with those after the file: an old value would pass for a
/// newer one than the file's.
fn between_files(
    mut chunks: Vec<(Chunk, RangeInclusive<i64>)>,
    term: Term,
    files: &[(Term, Lsn)],
) -> Vec<Source> {
    // By the clock, what is in no file yet is the newest: the mistake that can be planted.
    let newest = fault::is_planted(Bug::OrderByWallClock).then_some(Lsn::new(u64::MAX));
    let place = |chunk: &Chunk| (term, newest.unwrap_or(chunk.lsns.first()));
    let files_before = |chunk: &Chunk| files.iter().filter(|file| **file < place(chunk)).count();
    chunks.sort_by_key(|(chunk, _)| place(chunk));
    let runs = chunks.chunk_by(|(a, _), (b, _)| files_before(a) == files_before(b));
    let source = |run: &[(Chunk, RangeInclusive<i64>)]| {
        let start = run.iter().map(|(_, times)| *times.start()).min()?;
        let end = run.iter().map(|(_, times)| *times.end()).max()?;
        let (first, _) = run.first()?;
        let chunks = run.iter().map(|(chunk, _)| chunk.clone());
        Some(Source {
            place: place(first),
            rows: SourceRows::Buffer(chunks.collect()),
            time: start..=end,
        })
    };
    runs.filter_map(source).collect()
}

/// Puts sources together whose times overlap, each group in the order of values.
pub(super) fn groups(mut sources: Vec<Source>) -> Vec<Vec<Source>> {
    sources.sort_by_key(|source| *source.time.start());
    let mut groups: Vec<Vec<Source>> = Vec::new();
    let mut end = None;
    for source in sources {
        let source_end = *source.time.end();
        match groups.last_mut() {
            Some(group) if end >= Some(*source.time.start()) => group.push(source),
            _ => groups.push(vec![source]),
        }
        end = end.max(Some(source_end));
    }
    for group in &mut groups {
        group.sort_by_key(|source| source.place);
    }
    groups
}
