//! Tag sets, each once.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::hash::{BuildHasher, RandomState as StdRandomState};
use std::sync::LazyLock;

use ahash::RandomState;
use hashbrown::HashTable;

use crate::name::ColumnName;

/// Keyed per process, so that nobody can craft tag sets that collide. The order of series never
/// depends on it: they are numbered as they come.
static HASHER: LazyLock<RandomState> = LazyLock::new(|| {
    let seed = |lane: u64| StdRandomState::new().hash_one(lane);
    RandomState::with_seeds(seed(0), seed(1), seed(2), seed(3))
});

/// A canonical tag set: names and values as netstrings, in name order, empty values left out.
///
/// `host=a,rack=` is `4:host1:a`. Two tag sets are one exactly if their texts are equal, whatever
/// the names and values contain (D. J. Bernstein, "Netstrings", 1997).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TagSet<'a>(&'a str);

impl<'a> TagSet<'a> {
    /// The canonical text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Takes a stored text for a tag set if it is canonical.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut last_name = None;
        let mut rest = text;
        while !rest.is_empty() {
            let (name, after_name) = netstring(rest)?;
            let (value, after_value) = netstring(after_name)?;
            let rises = last_name.is_none_or(|last| last < name);
            if !rises || value.is_empty() || ColumnName::new(name).is_err() {
                return None;
            }
            last_name = Some(name);
            rest = after_value;
        }
        Some(Self(text))
    }

    /// The tags in name order.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (name, after_name) = netstring(rest)?;
            let (value, after_value) = netstring(after_name)?;
            rest = after_value;
            Some((name, value))
        })
    }

    /// The value of the tag called `name`.
    pub fn value(self, name: &str) -> Option<&'a str> {
        self.iter().find(|(tag, _)| *tag == name).map(|(_, value)| value)
    }
}

/// Splits off the first netstring of `text`.
fn netstring(text: &str) -> Option<(&str, &str)> {
    let (len, rest) = text.split_once(':')?;
    // One number has one text, so that one tag set has one canonical form.
    let canonical =
        len.bytes().all(|byte| byte.is_ascii_digit()) && (len == "0" || !len.starts_with('0'));
    let len = canonical.then(|| len.parse().ok()).flatten()?;
    rest.split_at_checked(len)
}

/// Makes canonical tag sets; keeps its memory between them.
#[derive(Debug, Default)]
pub struct TagSetBuilder {
    text: String,
}

impl TagSetBuilder {
    /// The canonical form of `tags`, which are sorted in place. Of a name that comes twice only one
    /// may have a value; who reads input has to refuse others.
    pub fn build(&mut self, tags: &mut [(&str, &str)]) -> TagSet<'_> {
        tags.sort_unstable();
        self.text.clear();
        for (name, value) in tags.iter().filter(|(_, value)| !value.is_empty()) {
            // Writing to a string cannot fail.
            let _ = write!(self.text, "{}:{name}{}:{value}", name.len(), value.len());
        }
        TagSet(&self.text)
    }
}

/// The distinct tag sets of a batch, numbered from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesSet {
    text: String,
    /// Where each series ends in `text`.
    ends: Vec<u32>,
}

impl SeriesSet {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The tag set with this number.
    ///
    /// # Panics
    ///
    /// If there is none with this number.
    pub fn get(&self, series: u32) -> TagSet<'_> {
        let at = series as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        TagSet(&self.text[start..self.ends[at] as usize])
    }

    /// All tag sets in the order of their numbers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = TagSet<'_>> {
        (0..self.ends.len()).map(|at| self.get(at as u32))
    }

    /// The names of all tags that occur, in name order.
    pub fn tags(&self) -> Vec<ColumnName> {
        let names: BTreeSet<&str> =
            self.iter().flat_map(TagSet::iter).map(|(name, _)| name).collect();
        // Each name was checked when its tag set was made.
        names.into_iter().filter_map(|name| ColumnName::new(name).ok()).collect()
    }

    /// The value of the tag called `name` in each series.
    pub fn tag_values(&self, name: &str) -> Vec<Option<&str>> {
        self.iter().map(|tags| tags.value(name)).collect()
    }

    /// Adds a tag set that is known to be new.
    pub(crate) fn push(&mut self, tags: TagSet<'_>) -> u32 {
        let series = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.text.push_str(tags.as_str());
        let end = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        assert!(end < u32::MAX, "the tag sets of one batch must stay below 4 GiB");
        self.ends.push(end);
        series
    }

    /// The bytes held in memory.
    pub fn size_bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<u32>()
    }
}

/// Numbers tag sets as they come, each once.
#[derive(Debug, Default)]
pub(crate) struct SeriesIndex {
    set: SeriesSet,
    numbers: HashTable<u32>,
}

impl SeriesIndex {
    /// The number of `tags`, a new one if they were not seen before.
    pub(crate) fn number(&mut self, tags: TagSet<'_>) -> u32 {
        let Self { set, numbers } = self;
        let hash = HASHER.hash_one(tags.as_str());
        if let Some(known) = numbers.find(hash, |series| set.get(*series) == tags) {
            return *known;
        }
        let series = set.push(tags);
        numbers.insert_unique(hash, series, |known| HASHER.hash_one(set.get(*known).as_str()));
        series
    }

    pub(crate) const fn set(&self) -> &SeriesSet {
        &self.set
    }

    pub(crate) fn into_set(self) -> SeriesSet {
        self.set
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.set.size_bytes() + self.numbers.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tags: &[(&str, &str)], canonical: &str) {
        let mut builder = TagSetBuilder::default();
        assert_eq!(builder.build(&mut tags.to_vec()).as_str(), canonical);
        let parsed = TagSet::parse(canonical).expect("a canonical text");
        let kept: Vec<_> = parsed.iter().collect();
        let mut expected: Vec<_> = tags.iter().copied().filter(|(_, v)| !v.is_empty()).collect();
        expected.sort_unstable();
        assert_eq!(kept, expected);
    }

    #[test]
    fn equal_tag_sets_have_one_text() {
        check(&[], "");
        check(&[("host", "a"), ("az", "1")], "2:az1:14:host1:a");
        check(&[("host", "a"), ("rack", "")], "4:host1:a");
        check(&[("ü", "5:x"), ("a", "ß")], "1:a2:ß2:ü3:5:x");
    }

    #[test]
    fn other_texts_are_not_taken() {
        for text in
            ["4:host", "4:host0:", "1:b1:x1:a1:x", "1:a1:x1:a1:y", "9:a", "x", "0:1:a", "1:ü1:x"]
        {
            assert_eq!(TagSet::parse(text), None, "{text}");
        }
    }

    #[test]
    fn series_are_numbered_as_they_come() {
        let mut builder = TagSetBuilder::default();
        let mut index = SeriesIndex::default();
        for round in 0..2 {
            for host in 0..1_000_u32 {
                let name = host.to_string();
                let tags = builder.build(&mut [("host", name.as_str())]);
                assert_eq!(index.number(tags), host, "in round {round}");
            }
        }
        let set = index.into_set();
        assert_eq!(set.len(), 1_000);
        assert_eq!(set.get(999).value("host"), Some("999"));
        assert_eq!(set.tags().len(), 1);
    }
}
