//! `forebay query`: sends SQL, streams the answer to standard output.

use std::io::{self, IsTerminal, Write};

use clap::{Args, ValueEnum};
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::json;

use crate::command::host::{Host, HostFlags};
use crate::error::Error;
use crate::exit::Code;

/// Flags of `forebay query`.
#[derive(Debug, Args)]
pub(crate) struct QueryFlags {
    /// The database
    #[arg(short, long, value_name = "NAME")]
    database: String,

    /// How the answer looks [default: pretty on a terminal, jsonl elsewhere]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    #[command(flatten)]
    host: HostFlags,

    /// What to ask
    #[arg(value_name = "SQL")]
    sql: String,
}

/// How an answer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for people; held until it is complete.
    Pretty,
    /// One array of objects.
    Json,
    /// One object a line.
    Jsonl,
    /// Comma-separated values with a header.
    Csv,
    /// A Parquet file.
    Parquet,
    /// A stream of Arrow's IPC format.
    Arrow,
}

impl Format {
    /// The format where none is asked for.
    const fn of(terminal: bool) -> Self {
        if terminal { Self::Pretty } else { Self::Jsonl }
    }

    /// The word that the server knows.
    const fn word(self) -> &'static str {
        match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }

    /// True if people can read it.
    const fn is_text(self) -> bool {
        !matches!(self, Self::Parquet | Self::Arrow)
    }
}

/// Runs the command.
pub(crate) async fn run(flags: QueryFlags) -> Result<Code, Error> {
    let terminal = io::stdout().is_terminal();
    let format = flags.format.unwrap_or(Format::of(terminal));
    if terminal && !format.is_text() {
        let word = format.word();
        let fault = format!("--format {word}: send it to a file, with > answer.{word}");
        return Err(Error::BadFlags { faults: vec![fault] });
    }
    let host = Host::new(&flags.host)?;
    let answer = ask(&host, &flags.database, &flags.sql, format).await?;
    let mut out = io::stdout().lock();
    copy(&host, answer, format, &mut out).await?;
    Ok(Code::Success)
}

async fn ask(host: &Host, database: &str, sql: &str, format: Format) -> Result<Response, Error> {
    let body = json!({ "db": database, "q": sql, "format": format.word() });
    let request = host
        .post("/api/v3/query_sql", &[])
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(body.to_string());
    let answer = request.send().await.map_err(|error| host.lost(error))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let body = answer.bytes().await.map_err(|error| host.lost(error))?;
    Err(host.refused(status, &body))
}

/// Copies the answer as it comes. An answer that ends early is an error: the server could not
/// finish it.
async fn copy(
    host: &Host,
    mut answer: Response,
    format: Format,
    out: &mut impl Write,
) -> Result<(), Error> {
    let output = |source| Error::Output { source };
    let mut last = b'\n';
    while let Some(part) = answer.chunk().await.map_err(|error| host.lost(error))? {
        out.write_all(&part).map_err(output)?;
        last = part.last().copied().unwrap_or(last);
    }
    // A prompt should not stand behind the last row.
    if last != b'\n' && format.is_text() {
        out.write_all(b"\n").map_err(output)?;
    }
    out.flush().map_err(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::host::scripted::{Reply, Script};

    async fn check(format: Format, replies: Vec<Reply>) -> (Result<String, String>, String) {
        let script = Script::start(replies).await;
        let host = script.host();
        let mut out = Vec::new();
        let copied = match ask(&host, "nyc", "SELECT 1", format).await {
            Ok(answer) => copy(&host, answer, format, &mut out).await,
            Err(error) => Err(error),
        };
        let requests = script.requests();
        let text = String::from_utf8_lossy(&out).into_owned();
        let ended = copied.map(|()| text).map_err(|error| types::error::chain(&error));
        (ended, requests.concat())
    }

    #[tokio::test]
    async fn the_answer_is_copied_and_ends_with_a_new_line() {
        let (text, request) = check(Format::Csv, vec![Reply::ok("a\n1")]).await;
        assert_eq!(text, Ok("a\n1\n".to_owned()));
        assert!(request.starts_with("POST /api/v3/query_sql"), "{request}");
        assert!(request.contains(r#""db":"nyc","format":"csv","q":"SELECT 1""#), "{request}");
    }

    #[tokio::test]
    async fn parquet_is_copied_byte_by_byte() {
        let (text, _) = check(Format::Parquet, vec![Reply::ok("PAR1")]).await;
        assert_eq!(text, Ok("PAR1".to_owned()));
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_the_words_of_the_server() {
        let refusal = Reply::new(404, r#"{"error":"there is no database nyc"}"#);
        let (text, _) = check(Format::Json, vec![refusal]).await;
        let message = text.expect_err("was refused");
        assert!(message.ends_with("refused: there is no database nyc"), "{message}");
    }

    #[tokio::test]
    async fn a_server_that_is_not_ready_is_to_be_tried_again() {
        let script = Script::start(vec![Reply::new(503, r#"{"error":"replaying"}"#)]).await;
        let error = ask(&script.host(), "nyc", "SELECT 1", Format::Csv).await;
        assert_eq!(error.expect_err("was refused").code(), Code::TryAgain);
    }

    #[tokio::test]
    async fn an_answer_that_ends_early_is_a_failure() {
        let (text, _) = check(Format::Jsonl, vec![Reply::ok("{}\n").cut_off()]).await;
        assert!(text.expect_err("ended early").contains("no answer from"));
    }

    #[test]
    fn people_get_a_table_and_programs_get_lines() {
        assert_eq!(Format::of(true), Format::Pretty);
        assert_eq!(Format::of(false), Format::Jsonl);
    }
}
