//! What can be set at the edge.

/// The most that one request and the catalog may hold; each is refused by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Databases; 1,000. Each costs memory in every node for ever.
    pub databases_max: usize,
    /// Tables of a database; 10,000.
    pub tables_max: usize,
    /// Columns of a table, `time` among them; 1,000.
    pub columns_max: usize,
    /// Tags of a line; 64.
    pub tags_max: usize,
    /// Bytes of a line; 1 MiB.
    pub line_bytes_max: usize,
    /// Bytes of one string value, of a tag or a field; 64 KiB.
    pub string_bytes_max: usize,
    /// Rows × columns of a request, summed over its tables; 100 million.
    pub cells_max: u64,
    /// Partitions of a request; 10,000.
    pub partitions_max: usize,
}

impl Default for Limits {
    /// The limits that the documentation names.
    fn default() -> Self {
        Self {
            databases_max: 1_000,
            tables_max: 10_000,
            columns_max: 1_000,
            tags_max: 64,
            line_bytes_max: 1 << 20,
            string_bytes_max: 64 << 10,
            cells_max: 100_000_000,
            partitions_max: 10_000,
        }
    }
}

/// Largest `body_bytes_max` that is taken: the text of one batch, which a body may make three times
/// as long, has to stay below the 2 GiB that offsets of Arrow strings reach.
pub const BODY_BYTES_CEILING: u64 = 512 << 20;

/// The configuration of the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The limits.
    pub limits: Limits,
    /// Bytes of a request's body, as it comes and inflated alike; 64 MiB. The whole body is in
    /// memory while it is parsed.
    pub body_bytes_max: u64,
}

impl Config {
    /// All faults of the configuration at once, in words; none if it can be used.
    pub fn validate(&self) -> Vec<String> {
        let limits = &self.limits;
        let mut faults: Vec<String> = [
            ("databases", limits.databases_max),
            ("tables a database", limits.tables_max),
            ("tags a line", limits.tags_max),
            ("line bytes", limits.line_bytes_max),
            ("string bytes", limits.string_bytes_max),
            ("partitions a request", limits.partitions_max),
        ]
        .into_iter()
        .filter(|(_, limit)| *limit == 0)
        .map(|(name, _)| format!("the limit of {name} must be at least 1"))
        .collect();
        if limits.columns_max < 2 {
            faults.push("the limit of columns a table must be at least 2".to_owned());
        }
        if limits.cells_max == 0 {
            faults.push("the limit of rows × columns a request must be at least 1".to_owned());
        }
        if self.body_bytes_max == 0 || self.body_bytes_max > BODY_BYTES_CEILING {
            faults.push(format!(
                "the largest body must have between 1 and {BODY_BYTES_CEILING} bytes, not {}",
                self.body_bytes_max
            ));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_limits_can_be_used_and_all_faults_are_told_at_once() {
        let mut config = Config { limits: Limits::default(), body_bytes_max: 64 << 20 };
        assert_eq!(config.validate(), Vec::<String>::new());
        config.limits.columns_max = 1;
        config.limits.tags_max = 0;
        config.body_bytes_max = BODY_BYTES_CEILING + 1;
        assert_eq!(config.validate().len(), 3);
    }
}
