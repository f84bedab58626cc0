//! One program to run, and the report that it leaves.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a program tells its report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    /// On standard output, as JSON in the last line.
    Json,
    /// In what it says to people, of which all is kept.
    Log,
}

/// When a report counts as there, and its job as well done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The program succeeds.
    Success,
    /// It ends, well or not: with a planted bug the simulation is to fail.
    End,
}

/// The program.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The name of its report, without an ending.
    pub(crate) name: String,
    /// The program; nothing stands for the cargo that runs this one.
    pub(crate) program: Option<PathBuf>,
    pub(crate) arguments: Vec<String>,
    pub(crate) tells: Tells,
    pub(crate) wanted: Wanted,
}

impl Job {
    /// A program that tells JSON.
    pub(crate) fn json(program: &Path, name: &str, arguments: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            program: Some(program.to_owned()),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            tells: Tells::Json,
            wanted: Wanted::Success,
        }
    }

    /// Tests that `filter` chooses.
    pub(crate) fn tests(name: &str, filter: &str) -> Self {
        let words = ["nextest", "run", "--workspace", "--no-fail-fast"];
        let shown = ["--success-output", "immediate", "-E", filter];
        Self {
            name: name.to_owned(),
            program: None,
            arguments: words.into_iter().chain(shown).map(ToOwned::to_owned).collect(),
            tells: Tells::Log,
            wanted: Wanted::Success,
        }
    }

    /// The same, which may fail.
    pub(crate) fn wanted_to_end(mut self) -> Self {
        self.wanted = Wanted::End;
        self
    }

    /// The name of its report's file.
    pub(crate) fn file(&self) -> String {
        let ending = match self.tells {
            Tells::Json => "json",
            Tells::Log => "log",
        };
        format!("{}.{ending}", self.name)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = self.program.as_ref().map_or_else(crate::test::cargo, Command::new);
        command.args(&self.arguments);
        command
    }
}
