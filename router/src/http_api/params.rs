//! The parameters of a request, from its URL or from a form.

use http::Uri;
use types::DatabaseName;

use crate::error::Error;

/// Parameters in the order in which they came. Unknown ones are nobody's business here: clients
/// send some that only other servers know.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// The parameters of a URL.
    pub(super) fn of_uri(uri: &Uri) -> Self {
        Self::of_form(uri.query().unwrap_or_default().as_bytes())
    }

    /// The parameters of a form.
    pub(super) fn of_form(form: &[u8]) -> Self {
        Self(form_urlencoded::parse(form).into_owned().collect())
    }

    /// Adds the parameters of `other`, which count where these say nothing.
    pub(super) fn or(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The first parameter called `name` that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut named = self.0.iter().filter(|(key, _)| key == name);
        let found = named.find(|(_, value)| !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// The database that the parameter called `name` names.
    pub(super) fn database(&self, name: &str) -> Result<DatabaseName, Error> {
        let missing = || Error::Parameter(format!("the parameter {name:?} is missing"));
        Ok(DatabaseName::new(self.get(name).ok_or_else(missing)?)?)
    }

    /// The parameter called `name` as yes or no.
    pub(super) fn flag(&self, name: &str, without: bool) -> Result<bool, Error> {
        match self.get(name) {
            None => Ok(without),
            Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(other) => {
                let told = format!("the parameter {name:?} must be true or false, not {other:?}");
                Err(Error::Parameter(told))
            }
        }
    }
}
