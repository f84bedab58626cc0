//! The name of a request in the answer and in the logs.

use types::effect::Randomness;

/// The header, or the metadata key, of the name.
pub(crate) const REQUEST_ID: &str = "x-request-id";

/// The longest name that is taken from a client.
const BYTES_MAX: usize = 128;

/// What a request is called: by its client, or else by this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestId(String);

impl RequestId {
    /// What the client calls the request, if that is short and can be printed; else a drawn name.
    pub(crate) fn new(given: Option<&str>, randomness: &dyn Randomness) -> Self {
        let fits = |text: &&str| {
            let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
            !text.is_empty() && text.len() <= BYTES_MAX && printable
        };
        match given.filter(fits) {
            Some(given) => Self(given.to_owned()),
            None => {
                let (high, low) = (randomness.next_u64(), randomness.next_u64());
                Self(types::RequestId::from_random(high, low).to_string())
            }
        }
    }

    /// The text, of which each character may stand in a header.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use types::effect::SeededRandomness;

    use super::*;

    fn check(given: Option<&str>, echoed: bool) {
        let id = RequestId::new(given, &SeededRandomness::new(1));
        assert_eq!(Some(id.as_str()) == given, echoed, "{given:?}");
        assert!(!id.as_str().is_empty());
    }

    #[test]
    fn a_good_name_is_echoed_and_another_is_drawn() {
        check(Some("trace-1/2"), true);
        check(Some(""), false);
        check(Some("two words"), false);
        check(Some("line\nbreak"), false);
        check(Some(&"x".repeat(129)), false);
        check(None, false);
    }
}
