//! Chooses the sort key of a job's file.

use std::collections::{BTreeMap, HashSet};

use types::{ColumnName, SortKey, TableSchema};

use crate::job::PersistJob;

/// True if rows of `job` leave a partition's sort key `known` as it is.
///
/// The names of the table's tags usually tell; only a partition that lacks some of them is looked
/// at series by series, until the first tag that is new to the key.
pub(crate) fn covers(known: &SortKey, schema: &TableSchema, job: &PersistJob) -> bool {
    known.covers(schema.tags()) || covers_rows(known, job)
}

fn covers_rows(known: &SortKey, job: &PersistJob) -> bool {
    let names: HashSet<&str> = known.tags().iter().map(ColumnName::as_str).collect();
    job.batches().all(|batch| {
        let mut series = batch.series().iter();
        series.all(|tags| tags.iter().all(|(name, _)| names.contains(name)))
    })
}

/// The key under which the rows of `job` are sorted in a partition whose key is `known`.
///
/// Tags that the key lacks follow it by rising cardinality, by name where that is equal: the first
/// columns then change least from row to row, which is what runs and statistics live from. A
/// partition that has no key yet is one whose key lacks them all.
pub(crate) fn choose(known: &SortKey, job: &PersistJob) -> SortKey {
    if covers_rows(known, job) {
        return known.clone();
    }
    let mut by_cardinality: Vec<(usize, ColumnName)> = distinct_values(job)
        .into_iter()
        .filter_map(|(name, values)| Some((values.len(), ColumnName::new(name).ok()?)))
        .collect();
    by_cardinality.sort_unstable();
    known.extended(by_cardinality.into_iter().map(|(_, name)| name))
}

/// The values of each tag in all of the job, each once.
fn distinct_values(job: &PersistJob) -> BTreeMap<&str, HashSet<&str>> {
    let mut distinct: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for batch in job.batches() {
        for (name, value) in batch.series().iter().flat_map(|tags| tags.iter()) {
            distinct.entry(name).or_default().insert(value);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{job_of, tag};

    fn key(tags: &[&str]) -> SortKey {
        SortKey::new(tags.iter().map(|name| tag(name)).collect())
    }

    fn check(known: &[&str], series: &[&[(&str, &str)]], expected: &[&str]) {
        // Two chunks, so that cardinality is seen to be of the whole job.
        let (first, second) = series.split_at(series.len() / 2);
        let job = job_of(&[first, second]);
        let known = key(known);
        assert_eq!(choose(&known, &job), key(expected));
        assert_eq!(covers_rows(&known, &job), known == key(expected));
    }

    #[test]
    fn tags_stand_by_rising_cardinality_and_ties_by_name() {
        check(
            &[],
            &[
                &[("host", "a"), ("rack", "1"), ("az", "x"), ("cell", "x")],
                &[("host", "b"), ("rack", "2"), ("az", "x"), ("cell", "x")],
                &[("host", "c"), ("rack", "1"), ("az", "x"), ("cell", "x")],
            ],
            &["az", "cell", "rack", "host"],
        );
    }

    #[test]
    fn a_known_key_is_kept_and_new_tags_follow_it() {
        let series: &[&[(&str, &str)]] = &[
            &[("host", "a"), ("rack", "1"), ("az", "x")],
            &[("host", "b"), ("rack", "2"), ("az", "x")],
        ];
        check(&["host"], series, &["host", "az", "rack"]);
        check(&["rack", "host", "az"], series, &["rack", "host", "az"]);
        check(&["gone", "host", "az", "rack"], series, &["gone", "host", "az", "rack"]);
    }

    #[test]
    fn rows_without_tags_need_no_key() {
        check(&[], &[&[], &[]], &[]);
    }
}
