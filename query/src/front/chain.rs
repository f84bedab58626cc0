//! The text of an error with its causes.

use std::error::Error;

/// The longest text that is told: gRPC sends it in a header, of which clients take 8 KiB and more.
const TEXT_BYTES_MAX: usize = 4096;

/// The error and its causes in one text, for who has to act on it.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = types::error::chain(error);
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

#[cfg(test)]
mod tests {
    use datafusion::error::DataFusionError;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let inner = DataFusionError::Plan("no column x".to_owned());
        let error = crate::Error::Invalid(Box::new(inner));
        let text = chain(&error);
        assert_eq!(text.matches("no column x").count(), 1, "{text}");
        assert!(text.starts_with("the query is not valid: "), "{text}");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let error = std::io::Error::other("ü".repeat(TEXT_BYTES_MAX));
        assert_eq!(chain(&error).len(), TEXT_BYTES_MAX);
    }
}
