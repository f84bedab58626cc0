//! The first stage: sort and encode on the pool for it.

use std::sync::Arc;

use catalog::FileKind;
use types::fault::{self, Bug};
use types::{FileId, SortKey};

use super::{Machine, Stage};
use crate::cpu_pool::run;
use crate::error::Error;
use crate::format::encoder::Draft;
use crate::outcome::Outcome;

impl Machine {
    /// Makes a file under a new name.
    ///
    /// # Errors
    ///
    /// What is wrong with the job itself, a panic included.
    pub(super) async fn encode(
        &mut self,
        kind: FileKind,
        known: Option<SortKey>,
    ) -> Result<Stage, Error> {
        let snapshot = self.context.deps.catalog.snapshot();
        if let Some(version) = snapshot.dropped_at(self.job.table.id) {
            return Ok(Stage::Settled(Outcome::TableDropped { version }));
        }
        let context = Arc::clone(&self.context);
        let bytes = self.job.size_bytes();
        let turn = context.large_jobs.turn(bytes).await;
        let draft = self.draft(kind, known.clone().unwrap_or_default());
        let encoder = Arc::clone(&self.context.encoder);
        // The rows gathered into one batch, and their sorted copy; once encoded, only the file is
        // left. What frees memory never waits for memory.
        self.memory.set_anyway(2 * bytes);
        let begin = self.context.now();
        let cpu = self.context.deps.cpu.as_ref();
        let file = run(cpu, move || encoder.encode(&draft)).await;
        self.memory.set_anyway(file.as_ref().map_or(0, |file| file.bytes.len() as u64));
        drop(turn);
        let file = file?;
        self.context.metrics.encode_seconds.observe(self.context.seconds_since(begin));
        Ok(Stage::Upload { file, known })
    }

    fn draft(&self, kind: FileKind, known: SortKey) -> Draft {
        let randomness = &self.context.deps.randomness;
        let mut high = randomness.next_u64();
        if fault::is_planted(Bug::OrderByWallClock) {
            // The mistake begins here: ids that begin with the time, in milliseconds.
            let millis = self.context.deps.clock.now_ns() as u64 / 1_000_000;
            high = (millis << 16) | (high & 0xffff);
        }
        Draft {
            job: Arc::clone(&self.job),
            kind,
            origin: self.context.origin(),
            id: FileId::from_random(high, randomness.next_u64()),
            known,
            table: self.context.table_of(&self.job).map(|table| Arc::clone(&table.schema)),
        }
    }
}
