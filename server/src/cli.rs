//! The command line: the commands, their help, and the environment variable of each flag.

mod value;

use clap::{Arg, ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use value::{parse_duration, parse_size};

use crate::command::persist::PersistFlags;
use crate::command::query::QueryFlags;
use crate::command::wal::WalFlags;
use crate::command::write::WriteFlags;
use crate::config::ServeFlags;

/// Each flag `--some-flag` is also read from `FOREBAY_SOME_FLAG`.
const ENVIRONMENT_PREFIX: &str = "FOREBAY_";

const AFTER_HELP: &str = "\
Each flag has an environment variable: --data-dir is FOREBAY_DATA_DIR. A flag wins over it.
Sizes take units (64MiB), times too (300s). --help-all shows every flag and says more.";

/// Ingests time series: durable and visible before the answer, sorted Parquet in your own bucket.
#[derive(Debug, Parser)]
#[command(name = "forebay", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server: takes writes, answers queries, persists to the object store
    Serve(Box<ServeFlags>),
    /// Send line protocol, plain or gzip, from files or standard input
    Write(WriteFlags),
    /// Ask a question in SQL
    Query(QueryFlags),
    /// Wait until all that was acknowledged is in Parquet files
    Persist(PersistFlags),
    /// Look into the directory of a log, also beside a running server
    Wal(WalFlags),
}

/// Reads the command line and the environment; ends the process with code 2 if it cannot, with 0
/// after showing help.
pub(crate) fn parse() -> Cli {
    let matches = command().get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The command line as clap sees it.
pub(crate) fn command() -> clap::Command {
    let command = Cli::command()
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .arg(help_flag("help", ArgAction::HelpShort, "Print help").short('h'))
        .arg(help_flag("help-all", ArgAction::HelpLong, "Print help with all flags"));
    with_environment(command)
}

fn help_flag(name: &'static str, action: ArgAction, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(action).global(true).help(help).display_order(1000)
}

/// Gives each flag of each command its environment variable, so that none can be forgotten.
fn with_environment(command: clap::Command) -> clap::Command {
    command.mut_args(with_variable).mut_subcommands(with_environment)
}

fn with_variable(arg: Arg) -> Arg {
    let shows_help =
        matches!(arg.get_action(), ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version);
    match arg.get_long().filter(|_| !shows_help).map(variable) {
        Some(variable) => arg.env(variable).hide_env(true),
        None => arg,
    }
}

fn variable(flag: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", flag.replace('-', "_").to_uppercase())
}

#[cfg(test)]
mod tests {
    use expect_test::{ExpectFile, expect_file};

    use super::*;

    fn check_help(words: &[&str], expect: &ExpectFile) {
        let mut line = vec!["forebay"];
        line.extend(words);
        let shown = command().term_width(100).try_get_matches_from(line).expect_err("shows help");
        assert_eq!(shown.exit_code(), 0, "{shown}");
        expect.assert_eq(&shown.to_string());
    }

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn help_is_short() {
        check_help(&["--help"], &expect_file!["cli/help/forebay.txt"]);
        check_help(&["serve", "--help"], &expect_file!["cli/help/serve.txt"]);
        check_help(&["write", "-h"], &expect_file!["cli/help/write.txt"]);
    }

    #[test]
    fn all_of_help_has_every_flag() {
        check_help(&["serve", "--help-all"], &expect_file!["cli/help/serve-all.txt"]);
    }

    #[test]
    fn each_flag_has_its_environment_variable() {
        let command = command();
        let serve = command.find_subcommand("serve").expect("there is serve");
        let flag = serve.get_arguments().find(|arg| arg.get_long() == Some("data-dir"));
        let variable = flag.and_then(Arg::get_env).expect("has a variable");
        assert_eq!(variable, "FOREBAY_DATA_DIR");
    }

    #[test]
    fn wrong_usage_ends_with_two() {
        for line in [
            &["forebay"][..],
            &["forebay", "serve", "--wal-segment-size", "many"],
            &["forebay", "serve", "--persist-workers", "0"],
            &["forebay", "write"],
            &["forebay", "pour"],
        ] {
            let error = command().try_get_matches_from(line).expect_err("is wrong");
            assert_eq!(error.exit_code(), 2, "{line:?}");
        }
    }
}
