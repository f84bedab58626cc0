//! The order of columns in a partition's Parquet files.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::ColumnName;

/// The tags of a partition's files, slowest first; `time` follows them and is not listed.
///
/// Tags stand by rising cardinality when a partition is first persisted; later ones are added at
/// the end, before `time`. Nulls sort first, so a file that lacks a later tag is still sorted under
/// the longer key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SortKey(Vec<ColumnName>);

impl SortKey {
    /// A key of these tags, slowest first.
    pub fn new(tags: Vec<ColumnName>) -> Self {
        Self(tags)
    }

    /// The tags, slowest first.
    pub fn tags(&self) -> &[ColumnName] {
        &self.0
    }

    /// True if every one of `tags` is in the key, so that rows with them leave it alone.
    pub fn covers<'a>(&self, tags: impl IntoIterator<Item = &'a ColumnName>) -> bool {
        tags.into_iter().all(|tag| self.0.contains(tag))
    }

    /// This key with those of `tags` that it lacks at the end, in the order given.
    #[must_use]
    pub fn extended(&self, tags: impl IntoIterator<Item = ColumnName>) -> Self {
        let mut key = self.0.clone();
        for tag in tags {
            if !key.contains(&tag) {
                key.push(tag);
            }
        }
        Self(key)
    }
}

impl fmt::Display for SortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for tag in &self.0 {
            write!(f, "{tag}, ")?;
        }
        f.write_str("time")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(name: &str) -> ColumnName {
        ColumnName::new(name).expect("a good name")
    }

    #[test]
    fn later_tags_go_before_time() {
        let key = SortKey::new(vec![tag("region"), tag("host")]);
        assert!(key.covers([&tag("host")]));
        assert!(!key.covers([&tag("rack")]));
        let longer = key.extended([tag("host"), tag("rack")]);
        assert_eq!(longer.to_string(), "region, host, rack, time");
    }
}
