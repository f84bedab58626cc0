//! The few statements of InfluxQL that clients send before they write.

use types::DatabaseName;

use crate::error::Error;

/// A statement that is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// `CREATE DATABASE name`
    CreateDatabase(DatabaseName),
    /// `SHOW DATABASES`
    ShowDatabases,
}

impl Statement {
    /// Reads one statement, with or without a semicolon after it.
    ///
    /// # Errors
    ///
    /// For every other statement, naming what to use instead.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim().trim_end_matches(';').trim_end();
        let (first, rest) = word(text);
        let (second, rest) = word(rest);
        let is = |first_is: &str, second_is: &str| {
            first.eq_ignore_ascii_case(first_is) && second.eq_ignore_ascii_case(second_is)
        };
        if is("SHOW", "DATABASES") && rest.is_empty() {
            return Ok(Self::ShowDatabases);
        }
        if is("CREATE", "DATABASE") {
            let name = identifier(rest).ok_or_else(|| {
                let told = "CREATE DATABASE takes one name here, and no WITH";
                Error::Parameter(told.to_owned())
            })?;
            return Ok(Self::CreateDatabase(DatabaseName::new(&name)?));
        }
        Err(Error::Parameter(
            "of InfluxQL only CREATE DATABASE and SHOW DATABASES are understood; \
             queries are written in SQL and sent to /api/v3/query_sql"
                .to_owned(),
        ))
    }
}

/// Splits off the first word.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_start())
}

/// The one identifier that `text` is, bare or in double quotes.
fn identifier(text: &str) -> Option<String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let is_bare = |next: char| next.is_ascii_alphanumeric() || next == '_';
        return (!text.is_empty() && text.chars().all(is_bare)).then(|| text.to_owned());
    };
    let mut name = String::new();
    let mut chars = quoted.chars();
    while let Some(next) = chars.next() {
        match next {
            '"' => return chars.as_str().is_empty().then_some(name),
            '\\' => name.push(match chars.next()? {
                'n' => '\n',
                other => other,
            }),
            other => name.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&Statement>) {
        assert_eq!(Statement::parse(text).ok().as_ref(), expected, "{text}");
    }

    fn creates(name: &str) -> Statement {
        let name = DatabaseName::new(name).expect("a good name");
        Statement::CreateDatabase(name)
    }

    #[test]
    fn clients_can_start() {
        check("SHOW DATABASES", Some(&Statement::ShowDatabases));
        check(" show  databases ;", Some(&Statement::ShowDatabases));
        check("CREATE DATABASE telegraf", Some(&creates("telegraf")));
        check("create database \"my db\";", Some(&creates("my db")));
        check(r#"CREATE DATABASE "a\"b""#, Some(&creates("a\"b")));
    }

    #[test]
    fn other_statements_are_refused() {
        for text in [
            "",
            ";",
            "SELECT * FROM cpu",
            "SHOW MEASUREMENTS",
            "DROP DATABASE x",
            "CREATE DATABASE",
            "CREATE DATABASE a b",
            "CREATE DATABASE a; DROP DATABASE b",
            "CREATE DATABASE \"a",
            "CREATE DATABASE \"a\" WITH DURATION 1d",
        ] {
            check(text, None);
        }
    }
}
